"""How unlikely the true class was said to be."""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told

LEAST = math.log(sys.float_info.epsilon)  # of a class's chance, as scikit-learn has it


class LogLoss(Averaged):
    """Minus the natural logarithm of the chance of the true class: the cross-entropy."""

    name = "log_loss"
    title = "log loss"
    short = "log loss"
    decides = "log loss"

    def errors(self, told: Told) -> Tensor:
        chance = told.chances.gather(-1, told.label[:, None]).clamp(min=LEAST)
        errors = torch.full(told.target.shape, torch.nan, dtype=torch.float64)
        errors[told.labelled] = -chance
        return errors
