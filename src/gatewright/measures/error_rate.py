"""How many are told wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class ErrorRate(Averaged):
    name = "error_rate"
    title = "error rate"
    short = "error rate"
    share = True
    decides = "error rate"

    def errors(self, told: Told) -> Tensor:
        wrong = (told.prediction.argmax(-1, keepdim=True) != told.target).double()
        return wrong.where(~told.target.isnan(), torch.nan)
