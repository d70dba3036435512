"""How far a series moves from a season to the next: what errors of forecasts are scaled by."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1 << 20  # rows at once
LEAST = 1e-6  # standard deviations: less than what rounding leaves of no change at all


def seasonal_errors(target: Tensor, bounds: Tensor, season: int) -> Tensor:
    """The mean absolute error of the seasonal naive forecast in the training part of each series.

    target: (rows, targets), NaN where missing; bounds: (items, 4), as ``ARRAYS`` has them.
    Returns (items, targets) in float64; NaN where no two values lie a season apart, or none differ
    (Hyndman and Koehler 2006).
    """
    start, end = bounds[:, 0].contiguous(), bounds[:, 1]
    sums = torch.zeros(2, len(bounds), target.shape[1], dtype=torch.float64)
    for first in range(season, len(target), BLOCK):
        row = torch.arange(first, min(first + BLOCK, len(target)))
        item = torch.bucketize(row, start, right=True) - 1
        inside = (row < end[item]) & (row - season >= start[item])
        row, item = row[inside], item[inside]
        change = (target[row].double() - target[row - season].double()).abs()
        known = ~change.isnan()
        sums[0].index_add_(0, item, change.where(known, 0.0))
        sums[1].index_add_(0, item, known.double())
    mean = sums[0] / sums[1]
    return mean.where(mean > LEAST, torch.nan)
