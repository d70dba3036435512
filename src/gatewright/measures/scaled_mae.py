"""The absolute error of the point, in standard deviations."""

from __future__ import annotations

from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class ScaledMAE(Averaged):
    """What papers that scale each series give beside the mean squared error."""

    name = "scaled_mae"
    title = "scaled mean absolute error"
    short = "MAE, scaled"
    unit = "in units of the targets' standard deviation in training"
    decides = "scaled mean absolute error"

    def errors(self, told: Told) -> Tensor:
        return told.error.abs()
