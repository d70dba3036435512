"""Statistical models of one series, fitted by statsforecast, applied before every origin."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewright.baselines._windows import before_test, in_training, items_of
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers
from gatewright.errors import InputError

LONGEST_SEASON = 24  # longer ones are left out, as in R's forecast: fits would take hours
MOST_ROWS = 500  # the latest of training, that a model is fitted on
LEAST_ROWS = 10  # beside two seasons; with fewer, the last value is repeated

Array = np.ndarray[Any, np.dtype[np.float64]]


class Statistical(Fitted):
    """One model for each target of each series, fitted once on the latest rows of training.

    It is then applied to what lies before an origin, without fitting anew. Where it cannot be (a
    constant history, a short one, or a series that was not in training), the last value is
    repeated. What is missing is imputed.
    """

    extra = "statistics"
    examples = Windows
    target = Numbers
    looks_back_on_all = True

    begins: Tensor  # (series, 2): the time of its first row, and steps from there to where the fit
    # began
    counts: Tensor  # (models,): how many numbers each model has; none if nothing could be fitted
    numbers: Tensor  # all of them in a row

    @property
    def season(self) -> int:
        return self.task.layout.season if self.task.layout.season <= LONGEST_SEASON else 1

    @property
    def least(self) -> int:
        return 2 * self.season + LEAST_ROWS

    @abstractmethod
    def model(self, season: int) -> Any:
        """The model of statsforecast, not fitted."""

    @abstractmethod
    def numbers_of(self, fitted: dict[str, Any]) -> list[float]:
        """All that ``fitted_from`` needs of statsforecast's record of a fitted model."""

    @abstractmethod
    def fitted_from(self, numbers: Tensor) -> dict[str, Any]:
        """The record again, as far as applying the model needs it."""

    @abstractmethod
    def history(self, data: Prepared, item: int, origin: int, fitted: int) -> slice:
        """The rows before an origin that the model is applied to, perhaps none; ``fitted``: the
        number of the series in training."""

    def fit(self, data: Prepared) -> None:
        models: list[list[float]] = []
        begins = []
        for item in range(len(data.bounds)):
            rows, start = training_rows(data, item), int(data.bounds[item, 0])
            begins.append([int(data.time[start]), rows.start - start])
            models += [
                self._fit_one(self._series(data, item, target, rows))
                for target in range(len(data.layout.targets))
            ]
        self.begins = torch.tensor(begins)
        self.counts = torch.tensor([len(one) for one in models])
        self.numbers = torch.tensor([number for one in models for number in one]).double()

    def refit(self, data: Prepared) -> None:
        self.fit(before_test(data))

    def _fit_one(self, series: Array) -> list[float]:
        if len(series) < self.least or np.ptp(series) == 0:
            return []
        model = self._installed(self.season)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of models that it tries and rejects
            return self.numbers_of(model.fit(series).model_)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """A few milliseconds for each origin and target; (batch, horizon, targets, 1)."""
        layout = data.layout
        targets = len(layout.targets)
        items = items_of(data, examples)
        forecasts = np.empty((len(examples), layout.horizon, targets))
        pieces = self.numbers.split(self.counts.tolist())
        numbers = in_training(data).tolist()
        fitted = {item: number for item, number in enumerate(numbers) if number >= 0}
        model = self._installed(self.season)
        for number, (origin, item) in enumerate(
            zip(examples.tolist(), items.tolist(), strict=True)
        ):
            last = data.values[origin - 1, :targets].numpy()
            forecasts[number] = last
            if item not in fitted:
                continue
            rows = self.history(data, item, origin, fitted[item])
            for target in range(targets):
                center, scale = data.center[item, target].item(), data.scale[item, target].item()
                forecast = self._apply(
                    model,
                    pieces[fitted[item] * targets + target],
                    self._series(data, item, target, rows),
                )
                forecast = (forecast - center) / scale
                if np.isfinite(forecast).all():
                    forecasts[number, :, target] = forecast
        return torch.from_numpy(forecasts).float()[..., None]

    def _apply(self, model: Any, numbers: Tensor, history: Array) -> Array:
        """The forecast after a history, (horizon,); NaN where the model cannot be applied."""
        horizon = self.task.layout.horizon
        if not len(numbers) or len(history) < self.least or np.ptp(history) == 0:
            return np.full(horizon, np.nan)
        model.model_ = self.fitted_from(numbers)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            forecast: Array = model.forward(history, horizon)["mean"]
        return forecast

    def _series(self, data: Prepared, item: int, target: int, rows: slice) -> Array:
        """In the table's units: models with factors need to know where 0 is."""
        values: Array = data.values[rows, target].double().numpy()
        series: Array = values * data.scale[item, target].item() + data.center[item, target].item()
        return series

    def _installed(self, season: int) -> Any:
        try:
            return self.model(season)
        except ImportError as error:
            raise InputError(
                f"{self.title} needs statsforecast: pip install 'gatewright[{self.extra}]'"
            ) from error

    def state(self) -> dict[str, Tensor]:
        return {"begins": self.begins, "counts": self.counts, "numbers": self.numbers}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.begins = state["begins"]
        self.counts, self.numbers = state["counts"], state["numbers"]

    def parameters(self) -> int:
        return self.numbers.numel()


def training_rows(data: Prepared, item: int) -> slice:
    """The latest rows of a series' training part."""
    start, end = data.bounds[item, 0].item(), data.bounds[item, 1].item()
    return slice(int(max(start, end - MOST_ROWS)), int(end))


def from_where_it_began(data: Prepared, item: int, origin: int, begin: Tensor) -> slice:
    """The rows of a series from where a fit began, none of one that does not begin where it began
    in training; ``begin``: its row of ``Statistical.begins``."""
    start = int(data.bounds[item, 0])
    first, steps = begin.tolist()
    return slice(start + steps if int(data.time[start]) == first else origin, origin)
