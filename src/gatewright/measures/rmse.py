"""The root of the mean squared error of the point, in the column's own units."""

from __future__ import annotations

from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class RMSE(Averaged):
    """It decides as its square, whose mean over examples is the same as over all steps."""

    name = "rmse"
    title = "root mean squared error"
    short = "RMSE"
    unit = "in the column's own units"
    decides = "mean squared error in own units"

    def errors(self, told: Told) -> Tensor:
        return (told.error * told.scale).square()

    def finished(self, mean: Tensor) -> Tensor:
        return mean.sqrt()
