"""Forecasts from tables and arrays, with scikit-learn's conventions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from gatewright import api, tasks
from gatewright.data.continuing import earlier, history_of
from gatewright.data.guess.guessing import guess
from gatewright.data.layout import Guess, Layout
from gatewright.data.table.reading import NOTHING, Table, read
from gatewright.errors import InputError
from gatewright.estimators import arguments
from gatewright.estimators.saving import arguments_of, plain_arguments
from gatewright.estimators.series import (
    REPLACED,
    as_frame,
    frame_of,
    last_steps,
    lengths_of,
    names_for,
    prepare_all,
)
from gatewright.folders import claimed, named
from gatewright.models import folder as kept
from gatewright.models.fitting import record_of
from gatewright.models.folder import FitRecord
from gatewright.models.judging import judge
from gatewright.models.predictor import Predictor
from gatewright.requests import Columns, Limits, Names, names
from gatewright.setting import Options
from gatewright.tasks.forecast import Forecast
from gatewright.training import Model


class Forecaster(BaseEstimator):  # type: ignore[misc]
    """Forecasts one series or many, all steps of the horizon at once, with a recurrent network.

    What is not said of the columns is guessed, as ``gatewright.compare`` does; ``guesses_`` tells
    how. All rows are used: the last ones, two horizons or ``validation_fraction``, tell when to
    stop, and there is no test part. To know how good it is, use ``compare``, or ``score`` on rows
    that come later. Repeatable for a given ``random_state``; torch's own random numbers stay as
    they are.

    Args:
        cell: the name of a cell, as ``gatewright cells`` lists them.
        horizon: steps ahead; None for what is usual at the frequency of the rows.
        context: steps seen; by default three horizons or two seasons, as far as there are rows.
        target: the column or columns to forecast; by default the only one that is possible.
        time, series: the columns of times, and of the names of the series.
        known: inputs whose future values are known; categories: inputs that are not numbers;
            ignore: columns to leave out.
        season, frequency: of the time axis, in steps, and as polars writes durations: "1h".
        limits: the least and the greatest value of targets, (0, None) where there is no greatest
            one, or a mapping of them by target; (None, None) for no limits.
        hidden_size, num_layers: of the recurrent stack.
        dropout: between layers and before the last one.
        learning_rate: at its highest.
        batch_size: windows a step.
        epochs: at most. An epoch is a pass over the training windows, but at most
            ``steps_per_epoch`` steps, and 50 at least of so many.
        patience: epochs without a lower loss on validation after which training ends.
        validation_fraction: of the rows, the least that tells when to stop.
        truncate: steps after which gradients stop going further back; 0 for never.
        metric: the measure that decides, as ``gatewright.compare`` has it.
        random_state: a seed, a numpy RandomState, or None for another result each time.

    Attributes after ``fit``:
        layout_: the part that each column plays, with the horizon and the context.
        guesses_: what was guessed, each with its reason.
        model_: the network and how its training went (``model_.epochs``).
        predictor_: what takes tables.
        record_: all of it, as ``save`` writes it, with the loss on validation.
    """

    def __init__(
        self,
        cell: str = "gru",
        horizon: int | None = 24,
        context: int | None = None,
        *,
        target: Names = (),
        time: str | None = None,
        series: str | None = None,
        known: Names = (),
        categories: Names = (),
        ignore: Names = (),
        season: int | None = None,
        frequency: str | None = None,
        limits: Limits | Mapping[str, Limits] | None = None,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        epochs: int = 40,
        steps_per_epoch: int = 200,
        patience: int = 8,
        validation_fraction: float = 0.1,
        truncate: int = 0,
        metric: str = "",
        random_state: Any = 0,
    ) -> None:
        self.cell = cell
        self.horizon = horizon
        self.context = context
        self.target = target
        self.time = time
        self.series = series
        self.known = known
        self.categories = categories
        self.ignore = ignore
        self.season = season
        self.frequency = frequency
        self.limits = limits
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.truncate = truncate
        self.metric = metric
        self.random_state = random_state

    def fit(self, source: Any, y: None = None) -> Self:
        """Train a new network.

        Args:
            source: a path, any data frame or series that narwhals reads, or an array (steps,) or
                (steps, targets), NaN where missing.
            y: nothing; scikit-learn's tools pass it.

        Raises:
            InputError: (a ValueError) the source or an argument is not fit for it.
        """
        self._check()
        array = isinstance(source, np.ndarray | list | tuple)
        self._array = names_for(source) if array else ()
        said = self._said()
        table = self._read(source, said=said)
        layout, guesses = self._guess(table, said)
        layout, split, more = lengths_of(
            table, layout, self.horizon or layout.horizon, self.context, self.validation_fraction
        )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        options = Options(truncate=int(self.truncate), metric=self.metric)
        stopping = arguments.stopping(self)
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
            arrays = Path(folder) / "data"
            data = prepare_all(table, layout, split, arrays)
            usual = Forecast(data.preparation, options).usual(data)
            recipe = arguments.recipe(self, seed, usual, options)
            model = arguments.train(recipe, data, stopping)
            name = str(source) if isinstance(source, str | Path) else table.name
            all_guesses = (*guesses, *more)
            record = record_of(recipe, stopping, data, arrays, name, all_guesses, split)
            record = record.ended(model, judge(model, data, "validation"))
        predictor = Predictor(model, history_of(table, data.layout), table.native)
        self._settle(record, predictor)
        return self

    def _settle(self, record: FitRecord, predictor: Predictor) -> None:
        self.record_ = record
        self.predictor_ = predictor
        self.model_: Model = predictor.model
        self.layout_: Layout = record.layout
        self.guesses_: tuple[Guess, ...] = record.guesses

    def _check(self) -> None:
        arguments.check(self)

    def _said(self) -> Columns:
        return Columns(
            task="forecast",
            targets=self._array or names(self.target),
            time=self.time,
            series=self.series,
            known=names(self.known),
            categories=names(self.categories),
            ignore=names(self.ignore),
            season=self.season,
            frequency=self.frequency,
            limits=self.limits,
        )

    def _guess(self, table: Table, said: Columns) -> tuple[Layout, list[Guess]]:
        layout, guesses = guess(table, tasks.every(), said)
        replaced = REPLACED - {"horizon"} if self.horizon is None else REPLACED
        return layout, [guess for guess in guesses if guess.what not in replaced]

    def _read(
        self, source: Any, readings: Mapping[str, str] | None = None, said: Columns = NOTHING
    ) -> Table:
        array = isinstance(source, np.ndarray | list | tuple)
        if not self._array:
            if array:
                raise InputError(
                    "this Forecaster was fitted on a table, and an array was given: give a table "
                    "with the same columns"
                )
            return read(as_frame(source), readings=readings, said=said)
        if not array:
            raise InputError(
                "this Forecaster was fitted on an array, and something else was given: give an "
                f"array (steps, {len(self._array)})"
            )
        return read(frame_of(source, self._array))

    def _read_again(self, source: Any) -> Table:
        """Another table, its text read as that of the training."""
        return self._read(source, self.predictor_.preparation.readings)

    def predict(self, source: Any = None) -> Any:
        """The horizon after the last known target of the rows that are given.

        Args:
            source: rows of the series to forecast, wherever they end; at their end, rows without
                targets are the future and carry the inputs that are known. Earlier training rows
                count as seen before them, later ones are not looked at. Where there is no column of
                times, and of arrays, they go on from the training rows. None to go on from the
                training rows.

        Returns:
            fitted on an array, an array (horizon, targets); else a frame, of pandas where such rows
            are given, with times as an index if they were one, and of polars otherwise, with
            ``horizon`` rows a series: its name, the time, each target's point (its name) and
            quantiles (``NAME 0.05`` to ``NAME 0.95``).

        Raises:
            InputError: the rows do not fit.
        """
        check_is_fitted(self)
        table = None if source is None else self._read_again(source)
        if self._array:
            return self.predictor_.answer(table).select(self._array).to_numpy()
        return self.predictor_.predict(table)

    def score(self, source: Any, y: None = None) -> float:
        """How well the last ``horizon`` rows of each series are forecast from those before them:
        the mean squared error, negative so that more is better, over all series, steps and targets.

        Args:
            source: rows with their targets; earlier training rows count as seen before them, and
                where there is no column of times all of them.

        Raises:
            InputError: the rows do not fit.
        """
        check_is_fitted(self)
        table = self._read_again(source)
        for name in self.layout_.targets:
            if name not in table.schema:
                raise InputError(f"{table.name} has no column {name!r} to judge forecasts by")
        past, actual = last_steps(table, self.layout_)
        history = self.predictor_.history
        if history is not None:
            history = earlier(history, table, self.layout_)
        forecasts = Predictor(self.model_, history).predict(past)
        errors = _side_by_side(forecasts, actual, self.layout_)
        if not np.isfinite(errors).any():
            raise InputError(
                f"no forecast falls on a row of {table.name} with a target: give rows that go on "
                "from those of the training"
            )
        return -float(np.nanmean(errors**2))

    def save(self, folder: str | Path) -> None:
        """Write what ``load`` and ``gatewright.load`` read: JSON, safetensors and Arrow.

        Raises InputError where the folder holds something else.
        """
        check_is_fitted(self)
        path = named(folder)
        held = {"name": type(self).__name__, "array": self._array}
        made = {**held, "arguments": plain_arguments(self)}
        with claimed(path, kept.RECORD, "a fit", writes=kept.FILES, lock=False):
            kept.keep(path, self.predictor_, self.record_.model_copy(update={"estimator": made}))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What ``save`` wrote. Raises InputError where it is something else."""
        path = named(folder)
        predictor = api.load(path)
        record = kept.read_fit(path) if kept.holds_fit(path) else None
        made = record.estimator if record else {}
        if record is None or made.get("name") != cls.__name__:
            raise InputError(f"{path} holds no {cls.__name__}: load it with gatewright.load")
        forecaster = cls(**arguments_of(made["arguments"]))
        forecaster._array = tuple(made["array"])
        forecaster._settle(record, predictor)
        return forecaster


def _side_by_side(forecasts: pl.DataFrame, actual: pl.DataFrame, layout: Layout) -> Any:
    """Errors (rows, targets) of the forecasts, NaN where nothing came."""
    targets = list(layout.targets)
    keys = [name for name in (layout.series, layout.time) if name]
    if layout.time is None:
        step = pl.int_range(pl.len())
        step = (step.over(layout.series) if layout.series else step).alias("step of the horizon")
        forecasts, actual = forecasts.with_columns(step), actual.with_columns(step)
        keys = [*keys, "step of the horizon"]
    if layout.series:  # forecasts name the series in text
        forecasts, actual = (each.cast({layout.series: pl.String}) for each in (forecasts, actual))
    both = forecasts.select(*keys, *targets).join(
        actual.select(*keys, *targets), on=keys, how="inner", suffix=" came"
    )
    pairs = [pl.col(name) - pl.col(f"{name} came").alias(name) for name in targets]
    return both.select(pairs).cast(pl.Float64).to_numpy()
