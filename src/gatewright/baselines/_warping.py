"""Distances between sequences of one length, all pairs of two sets at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 1 << 17  # cells of a diagonal: its tables stay in the cache


def straight(some: Tensor, others: Tensor) -> Tensor:
    """Squared Euclidean distances, step by step.

    some: (n, steps, channels), others: (m, steps, channels); the result is (n, m), in float64, as
    it is the small difference of large sums.
    """
    left, right = some.double().flatten(1), others.double().flatten(1)
    squares = left.square().sum(1)[:, None] + right.square().sum(1)
    return (squares - 2 * left @ right.T).clamp(min=0.0)


def warped(some: Tensor, others: Tensor, radius: int) -> Tensor:
    """Squared distances along the best path of steps, at most ``radius`` steps off the diagonal.

    Sakoe and Chiba 1978. All channels share one path. Arguments and result are as those of
    ``straight``, in their own dtype.
    """
    steps = some.shape[1]
    if not len(some) or not len(others):
        return some.new_zeros(len(some), len(others))
    wide = min(2 * radius + 1, steps)
    size = max(1, BLOCK // (wide * len(others)))
    there, back = some.permute(1, 0, 2), others.permute(1, 0, 2).flip(0)
    pieces = [_warped(piece, back, radius) for piece in there.split(size, 1)]
    return torch.cat(pieces)


def _warped(there: Tensor, back: Tensor, radius: int) -> Tensor:
    """One diagonal of the table after the other, all cells of all pairs in one call.

    there: (steps, n, channels); back: (steps, m, channels), the last step first: so the cells of a
    diagonal, step i of one with step ``number - i`` of the other, are slices of both.
    """
    steps, channels = len(there), there.shape[2]
    ones = [there[..., channel, None].contiguous() for channel in range(channels)]
    others = [back[:, None, :, channel].contiguous() for channel in range(channels)]
    # Sums up to a cell by its step i, one place on; the first place stands before the first step.
    before, last, new = (
        there.new_full((steps + 1, there.shape[1], back.shape[1]), math.inf) for _ in range(3)
    )
    before[0] = 0.0
    for number in range(2 * steps - 1):
        low = max(0, number - steps + 1, (number - radius + 1) // 2)
        high = min(steps - 1, number, (number + radius) // 2) + 1
        if low == high:  # a radius of 0 has cells on every second diagonal only
            before, last, new = last, new.fill_(math.inf), before
            continue
        start = steps - 1 - number + low
        best = torch.minimum(last[low:high], last[low + 1 : high + 1], out=new[low + 1 : high + 1])
        torch.minimum(best, before[low:high], out=best)
        for one, other in zip(ones, others, strict=True):
            difference = one[low:high] - other[start : start + high - low]
            best.addcmul_(difference, difference)
        new[low] = math.inf
        new[high + 1 : high + 2] = math.inf
        before, last, new = last, new, before
    return last[steps]
