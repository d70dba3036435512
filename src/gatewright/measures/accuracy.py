"""How many are told right."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.measures.measure import HIGHER, Averaged
from gatewright.measures.told import Told


class Accuracy(Averaged):
    """It decides as the error rate, what is left to all."""

    name = "accuracy"
    title = "accuracy"
    short = "accuracy"
    share = True
    better = HIGHER
    decides = "error rate"

    def errors(self, told: Told) -> Tensor:
        right = (told.prediction.argmax(-1, keepdim=True) == told.target).double()
        return right.where(~told.target.isnan(), torch.nan)

    def penalties(self, told: Told) -> Tensor:
        return 1 - self.errors(told)
