"""Series seen by their logarithms: swings that grow with the level become even."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from gatewright.data.prepared import Prepared

SERIES = 200  # looked at, at most, spread evenly
BLOCKS, LEAST_BLOCK = 5, 6  # a series with fewer, of at least so many steps, tells nothing
GROWTH = 0.5  # of log swing with log level, from which on a logarithm is worth a try
RANGE = 1.5  # of levels: within less, swings could not grow
SMALLEST = 1e-6  # of a standard deviation: less is a zero that was scaled and back
LOWEST = 1e-4  # of a series' mean: what is below counts as this much


def swings_grow(data: Prepared) -> bool:
    """Whether all targets of training are positive and swing more where they are higher.

    Levels and spreads are those of blocks of a season; they are compared within each series.
    """
    length = max(LEAST_BLOCK, data.layout.season)
    levels, swings = [], []
    for item in _evenly(len(data.bounds)):
        start, end = data.bounds[item, :2].tolist()
        raw = data.target[start:end].double() * data.scale[item] + data.center[item]
        if not bool((raw[~raw.isnan()] > SMALLEST * data.scale[item].min()).all()):
            return False
        count = len(raw) // length
        if count < BLOCKS:
            continue
        blocks = raw[len(raw) - count * length :].view(count, length, -1)
        mean = blocks.nanmean(1)
        apart = (blocks - mean[:, None]).abs().nanmean(1)
        for target in range(raw.shape[1]):
            pair = torch.stack([mean[:, target], apart[:, target]])
            x, y = pair[:, (pair > 0).all(0)].log().numpy()
            if len(x) >= BLOCKS and np.ptp(x) > np.log(RANGE):
                levels.append(x - x.mean())
                swings.append(y - y.mean())
    if not levels:
        return False
    level, swing = np.concatenate(levels), np.concatenate(swings)
    return bool(level @ swing >= GROWTH * (level @ level))


def logged(data: Prepared) -> Prepared:
    """The data with each target by its logarithm, in about the same units.

    With r = scale / center of a series, the number x becomes log(1 + r x) / r: the logarithm of
    what stands in the table, over the mean of the series, about standardised. Needs nothing but
    what the preparation holds, so that new rows become the same.
    """
    item = torch.repeat_interleave(torch.arange(len(data.bounds)), data.lengths)
    of_rows = ratios(data)[item]
    targets = of_rows.shape[1]
    values = data.values.clone()
    values[:, :targets] = _log(values[:, :targets], of_rows)
    return dataclasses.replace(data, values=values, target=_log(data.target, of_rows))


def unlogged(numbers: Tensor, ratio: Tensor) -> Tensor:
    """Numbers as they were before ``logged``, of the same shape; ratio: of each, broadcast."""
    return torch.expm1(numbers * ratio) / ratio


def ratios(data: Prepared) -> Tensor:
    """(items, targets): scale over center of each series."""
    return ratio_of(data.center, data.scale).float()


def ratio_of(center: Tensor, scale: Tensor) -> Tensor:
    """Scale over center, of their shape."""
    # A center that is not above zero comes with a new series alone: it is seen almost as it is.
    positive = center > LOWEST * scale
    return (scale / center.where(positive, 1.0)).where(positive, LOWEST)


def _log(numbers: Tensor, ratio: Tensor) -> Tensor:
    return torch.log1p((numbers * ratio).clamp(min=LOWEST - 1)) / ratio


def _evenly(count: int) -> list[int]:
    spread: list[int] = torch.linspace(0, count - 1, min(count, SERIES)).round().long().tolist()
    return spread
