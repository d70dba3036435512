"""The absolute error beside the mean of what was predicted and what came."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class SMAPE(Averaged):
    """The symmetric mean absolute percentage error as the M4 competition had it (Makridakis and
    others 2018), 200% at most; where both are zero it is none."""

    name = "smape"
    title = "symmetric mean absolute percentage error"
    short = "sMAPE"
    share = True
    decides = "symmetric mean absolute percentage error"

    def errors(self, told: Told) -> Tensor:
        size = told.in_units(told.point).abs() + told.in_units(told.target).abs()
        error = 2 * told.error.abs() * told.scale / size
        return torch.where(size == 0, 0.0, error)
