"""The absolute error beside that of the seasonal naive forecast in training."""

from __future__ import annotations

from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class MASE(Averaged):
    """The mean absolute scaled error of Hyndman and Koehler (2006).

    A series that never changes from a season to the next in training has no such error to be
    scaled by, and is left out.
    """

    name = "mase"
    title = "mean absolute scaled error"
    short = "MASE"
    unit = "as a multiple of the seasonal naive forecast's in training"
    decides = "mean absolute scaled error"

    def errors(self, told: Told) -> Tensor:
        return told.error.abs() / told.naive
