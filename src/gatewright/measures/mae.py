"""The absolute error of the point, in the column's own units."""

from __future__ import annotations

from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class MAE(Averaged):
    name = "mae"
    title = "mean absolute error"
    short = "MAE"
    unit = "in the column's own units"
    decides = "mean absolute error"

    def errors(self, told: Told) -> Tensor:
        return told.error.abs() * told.scale
