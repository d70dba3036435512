"""The squared error of the point, in standard deviations."""

from __future__ import annotations

from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class MSE(Averaged):
    """Series and targets of different sizes count the same."""

    name = "mse"
    title = "mean squared error"
    short = "MSE"
    unit = "in units of the targets' standard deviation in training"
    decides = "mean squared error"

    def errors(self, told: Told) -> Tensor:
        return told.error.square()
