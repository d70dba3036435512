"""torch.autocast: a recurrence computes in float32 there, its rounding errors would add up."""

from __future__ import annotations

import torch
from torch import Tensor


def autocasts(x: Tensor) -> bool:
    """Whether torch.autocast is on for the device of ``x``."""
    return torch._C._is_any_autocast_enabled() and torch.is_autocast_enabled(x.device.type)


def wide_dtype(weight: Tensor) -> torch.dtype:
    """The dtype in which weights like this one are used under torch.autocast."""
    return torch.float64 if weight.dtype == torch.float64 else torch.float32
