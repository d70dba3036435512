"""A few of many, spread evenly: the same ones every time."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly(length: int, most: int) -> Tensor:
    """All of 0 to length - 1 if there are no more than ``most``, else that many, spread evenly."""
    if length <= most:
        return torch.arange(length)
    return torch.linspace(0, length - 1, most).round().long()
