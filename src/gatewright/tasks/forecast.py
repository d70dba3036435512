"""All steps of the horizon at once, with quantiles."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.calendar import Floats
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.logarithm import logged, ratios, swings_grow, unlogged
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.targets.numbers import Numbers, in_table
from gatewright.networks.forecaster import ALONE, OWN, TOGETHER, Forecaster, segments
from gatewright.networks.windows import levels
from gatewright.setting import Setting
from gatewright.tasks._bands import QUANTILES, banded, calibrated, pinball, rescaled, units
from gatewright.tasks.task import Predicted, Task

BEND = 0.5  # where errors of the point begin to count by their size, not their square
NUMBERS, LOGARITHMS = "numbers", "logarithms"


class Bands(Numbers):
    """Numbers with quantiles, a last dimension: first the point."""

    def in_units(self, encoded: Floats, center: Floats, scale: Floats) -> Floats:
        if encoded.ndim > center.ndim:  # predictions
            center, scale = center[..., None], scale[..., None]
        return super().in_units(encoded, center, scale)

    def limited(self, prediction: Tensor, low: Tensor, high: Tensor) -> Tensor:
        return super().limited(prediction, low[..., None], high[..., None])

    def columns(
        self, prediction: Tensor, center: Tensor, scale: Tensor, preparation: Preparation
    ) -> dict[str, Any]:
        """A column for each target's point, under its name, and ``NAME 0.05`` for a quantile."""
        outputs = [
            in_table(prediction[..., output], center, scale, preparation).numpy()
            for output in range(1 + len(QUANTILES))
        ]
        names = ("", *(f" {level:g}" for level in QUANTILES))
        return {
            f"{target}{name}": numbers[:, at]
            for at, target in enumerate(preparation.layout.targets)
            for name, numbers in zip(names, outputs, strict=True)
        }


class Forecast(Task):
    """Several steps ahead, of one or several targets, of one or many series.

    A prediction is (batch, horizon, targets, 1 + quantiles), in units of each series' standard
    deviation in training: first the point, which Huber's loss trains, then the quantiles
    0.05 to 0.95, which the pinball loss trains (Koenker and Bassett 1978).
    """

    name = "forecast"
    title = "forecast"
    examples = Windows()
    target = Bands()
    measures = ("mse", "scaled_mae", "mae", "rmse", "mase", "smape", "wql", "coverage")
    levels = QUANTILES
    views = ("forecasts", "error_by_step")

    @classmethod
    def asks(cls, targets: str) -> str:
        return f"forecast of {targets}"

    def choices(self, data: Prepared) -> tuple[tuple[str, ...], ...]:
        """What is seen, what forecasts are relative to, and whether by logarithms: ``Forecaster``
        and ``logarithm`` tell."""
        targets = len(self.layout.targets)
        others = len(self.preparation.channels) > targets or self.preparation.categories
        sees: tuple[str, ...]
        if targets > 1:
            sees = (ALONE, OWN, TOGETHER) if others else (OWN, TOGETHER)
        else:
            sees = (TOGETHER, OWN) if others else (OWN,)
        scales = (LOGARITHMS, NUMBERS) if swings_grow(data) else (NUMBERS,)
        return sees, levels(self.layout), scales

    def segments(self, data: Prepared) -> tuple[int, ...]:
        return segments(self.layout.context, self.layout.horizon, self.layout.season)

    def seen(self, data: Prepared, setting: Setting) -> Prepared:
        return logged(data) if LOGARITHMS in setting.choices else data

    def restored(
        self, prediction: Tensor, data: Prepared, examples: Tensor, setting: Setting
    ) -> Tensor:
        if LOGARITHMS in setting.choices:
            ratio = ratios(data)[self.examples.items(data, examples)]
            prediction = unlogged(prediction, ratio[:, None, :, None])
        return super().restored(prediction, data, examples, setting)

    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        return Forecaster(
            self.preparation, self.options.truncate, cell, hidden_size, setting, len(QUANTILES)
        )

    def rows(self, setting: Setting) -> int:
        return 1 if TOGETHER in setting.choices else len(self.layout.targets)

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        known, target = _known(batch.target)
        # Huber 1964: as good as squared errors where these are small, and not led by the largest.
        errors = F.huber_loss(prediction[..., 0], target, reduction="none", delta=BEND)
        # Each operation works on few numbers: how many operations there are decides the time.
        if prediction.shape[-1] > 1:  # more than a point alone
            errors = errors + pinball(prediction[..., 1:], target).mean(-1)
        loss: Tensor = (errors * known).sum() / known.sum().clamp(min=1)
        return loss

    def calibrate(self, validation: Predicted, training: Predicted) -> Tensor:
        stretches = [
            len((part[2] // self.layout.horizon).unique()) for part in (validation, training)
        ]
        return calibrated(validation[:2], training[:2], *stretches)

    def carried(self, calibration: Tensor, before: Preparation, setting: Setting) -> Tensor:
        logarithms = LOGARITHMS in setting.choices
        return rescaled(calibration, *units(before, self.preparation, logarithms=logarithms))

    def finish(self, prediction: Tensor, calibration: Tensor | None) -> Tensor:
        return banded(prediction, calibration)

    @classmethod
    def shown(cls, layout: Layout) -> tuple[str, ...]:
        """The mean absolute error of one target; the scaled one where sizes differ."""
        alone = len(layout.targets) == 1
        several = bool(layout.series) or not alone
        return (*(["mae"] if alone else []), *(["mase"] if several else []))


def _known(target: Tensor) -> tuple[Tensor, Tensor]:
    known = ~target.isnan()
    return known, target.nan_to_num()
