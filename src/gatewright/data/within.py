"""The limits of targets: a floor or a ceiling that predictions do not pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gatewright.data.calendar import Floats
from gatewright.requests import NO_LIMITS, Limits

ROUNDED = 1e-6  # of a number and of a standard deviation: as much as scaling to float32 and back


def edges(limits: Sequence[Limits], center: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """(low, high) of targets that are scaled, infinite where there is no limit.

    center and scale: (..., targets) in float64; the edges are of that shape in float32, rounded
    inwards, so that what stands at one is not beyond the limit.
    """
    floor, ceiling = torch.from_numpy(arrays(limits))
    low, high = (floor - center) / scale, (ceiling - center) / scale
    above, below = torch.tensor(torch.inf), torch.tensor(-torch.inf)
    near, far = low.float(), high.float()
    return (
        torch.where(near.double() < low, torch.nextafter(near, above), near),
        torch.where(far.double() > high, torch.nextafter(far, below), far),
    )


def arrays(limits: Sequence[Limits]) -> Floats:
    """(2, targets): floors and ceilings, infinite where there are none."""
    ends = [
        (-np.inf if floor is None else floor, np.inf if ceiling is None else ceiling)
        for floor, ceiling in limits
    ]
    return np.array(ends, dtype=np.float64).reshape(-1, 2).T.copy()


def passes(
    target: Tensor, bounds: Tensor, limits: Sequence[Limits], center: Tensor, scale: Tensor
) -> Tensor:
    """In how many rows so far a target lay beyond its limits, (rows + 1, targets): before each row,
    and after the last.

    target: (rows, targets) as ``Prepared`` has it; center and scale: of each item.
    """
    beyond = torch.zeros(target.shape, dtype=torch.bool)
    item = torch.repeat_interleave(torch.arange(len(bounds)), bounds[:, 3] - bounds[:, 0])
    low, high = edges(limits, center, scale)
    for number, pair in enumerate(limits):
        if pair == NO_LIMITS:
            continue
        floor, ceiling = low[item, number], high[item, number]
        slack = ROUNDED * (1 + torch.minimum(floor.abs(), ceiling.abs()))
        column = target[:, number]
        beyond[:, number] = (column < floor - slack) | (column > ceiling + slack)
    counts = torch.zeros(len(target) + 1, target.shape[1], dtype=torch.int32)
    torch.cumsum(beyond, 0, dtype=torch.int32, out=counts[1:])
    return counts


def in_words(limits: Limits) -> str:
    """As "0 or more", "at most 100" or "0 to 1"."""
    floor, ceiling = limits
    if ceiling is None:
        return "any" if floor is None else f"{floor:g} or more"
    return f"at most {ceiling:g}" if floor is None else f"{floor:g} to {ceiling:g}"
