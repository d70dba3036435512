"""Quantiles around a point: what trains them, and where errors on validation put them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gatewright.data.logarithm import ratio_of
from gatewright.data.prepared import Preparation

QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
LEVELS = torch.tensor(QUANTILES)
MIDDLE = QUANTILES.index(0.5)
COVERED = QUANTILES[-1] - QUANTILES[0]  # by the widest band
ENOUGH = 200  # errors that a width is learned from; few are joined with those of the steps beside
NARROWEST = 1e-6  # of a band, in standard deviations
# A width that was learned from errors of one stretch of the horizon is too small by this share, of
# n stretches by an n-th of it: it has to cover errors beside which it was not chosen.
FEW = 0.5
LEAST_SIDE = 0.05  # of a band: errors beyond a side without width would have no measure
LEAST, MOST = 0.25, 4.0  # times a usual width: what a width that grows with the point keeps to


def pinball(quantiles: Tensor, target: Tensor) -> Tensor:
    """quantiles: (..., quantiles); target: (...). Returns the loss of each quantile (Koenker and
    Bassett 1978)."""
    error = target[..., None] - quantiles
    # Where the error is negative, (level - 1) error: one error more than level error.
    return LEVELS * error + (-error).relu()


Errors = tuple[Tensor, Tensor]


def calibrated(validation: Errors, training: Errors, stretches: int, trained: int) -> Tensor:
    """What ``banded`` needs, learned from errors on validation, and on training where those are
    larger: a validation that happened to be calm says little of what comes.

    Errors that grow with the point, as those of counts do, make widths that do. A prediction with
    quantiles keeps their shape and place about its point: one factor for each step and target makes
    the widest band cover as many errors, each side by its own width, as it says (split conformal,
    Papadopoulos and others 2002, with the band for the scale). A point alone takes the shape from
    its errors, less their median, so that the bands belong to the point.

    validation, training: predictions (n, horizon, targets, 1 or 1 + quantiles), and what came,
    (n, horizon, targets), NaN where missing; training may be empty.
    stretches, trained: how many windows of either share no step.
    Returns (horizon, targets, 2 + 1), or (horizon, targets, 2 + quantiles) of a point alone: first
    the usual point and how much wider, as a share, bands are one standard deviation above it.
    """
    level = _level(validation, training, stretches + trained)
    width, other = (
        _about(part, level) * (1 + FEW / max(1, count))
        for part, count in ((validation, stretches), (training, trained))
    )
    if len(training[0]):
        across, beside = (each[..., -1:] - each[..., :1] for each in (width, other))
        larger = beside > across if width.shape[-1] > 1 else other > width
        width = other.where(larger, width)
    return torch.cat([level.expand(*width.shape[:-1], 2), width], -1)


def units(before: Preparation, now: Preparation, *, logarithms: bool) -> tuple[Tensor, Tensor]:
    """How many units of targets now are one of those before, and where zero of those before is now,
    (targets,) both: in standard deviations from the mean, or with ``logarithms`` as ``logged`` has
    them. Of many series, of which each has its own, those of the middle one."""

    def scales(preparation: Preparation) -> dict[str, tuple[Tensor, Tensor]]:
        all_together = zip(preparation.target_mean, preparation.target_scale, strict=True)
        pairs = preparation.series or {"": tuple(all_together)}
        each = {name: torch.tensor(one, dtype=torch.float64).T for name, one in pairs.items()}
        if not logarithms:
            return {name: (center, scale) for name, (center, scale) in each.items()}
        smallest = torch.finfo(torch.float64).tiny
        return {
            name: (center.clamp(min=smallest).log(), ratio_of(center, scale))
            for name, (center, scale) in each.items()
        }

    earlier, later = scales(before), scales(now)
    shared = [(*earlier[name], *later[name]) for name in earlier if name in later]
    if not shared:
        count = len(before.layout.targets)
        return torch.ones(count), torch.zeros(count)
    sizes = torch.stack([size / other for _, size, _, other in shared])
    zeros = torch.stack([(zero - other) / size for zero, _, other, size in shared])
    return sizes.quantile(0.5, dim=0).float(), zeros.quantile(0.5, dim=0).float()


def rescaled(calibration: Tensor, sizes: Tensor, zeros: Tensor) -> Tensor:
    """What ``calibrated`` gave, in other ``units``. A factor of widths has none."""
    sizes, zeros = sizes[:, None], zeros[:, None]
    usual, growth, width = calibration.split([1, 1, calibration.shape[-1] - 2], -1)
    if width.shape[-1] > 1:
        width = width * sizes
    return torch.cat([usual * sizes + zeros, growth / sizes, width], -1)


def banded(prediction: Tensor, calibration: Tensor | None) -> Tensor:
    """(..., 1 + quantiles): a prediction with its quantiles where they belong."""
    point = prediction[..., :1]
    alone = prediction.shape[-1] == 1
    offsets = point.new_zeros(len(QUANTILES)) if alone else prediction[..., 1:] - point
    if calibration is not None:
        width = _grown(point, calibration[..., :2]) * calibration[..., 2:]
        offsets = width if alone else offsets * width
    return torch.cat([point, point + offsets], -1)


def _level(validation: Errors, training: Errors, stretches: int) -> Tensor:
    """(targets, 2): the usual point, and the share by which errors grow above it.

    A line through the sizes of errors, each by the mean size of its step, in validation and in
    training; as far as it is no chance of so many stretches (James and Stein 1961).
    """
    points, sizes = [], []
    for prediction, target in (validation, training):
        size = _sizes(prediction, target - prediction[..., 0])
        sizes.append(size / size.nanmean(0).clamp(min=NARROWEST) - 1)
        points.append(prediction[..., 0].where(~target.isnan(), torch.nan))
    usual = torch.cat(points).nanmean((0, 1)).nan_to_num()
    apart = torch.cat([each - each.nanmean((0, 1)) for each in points])
    size = torch.cat(sizes)
    spread = (apart**2).nanmean((0, 1)).nan_to_num()
    slope = (size * apart).nanmean((0, 1)).nan_to_num() / spread.clamp(min=NARROWEST)
    chance = ((size - slope * apart) ** 2).nanmean((0, 1)).nan_to_num()
    chance = chance / (spread.clamp(min=NARROWEST) * max(1, stretches))
    slope = slope * (1 - chance / (slope**2).clamp(min=NARROWEST)).clamp(min=0)
    return torch.stack([usual, slope.where(spread > NARROWEST, 0.0)], -1)


def _sizes(prediction: Tensor, errors: Tensor) -> Tensor:
    """Of errors, beside the widest band where there is one."""
    if prediction.shape[-1] == 1:
        return errors.abs()
    return errors.abs() / (prediction[..., -1] - prediction[..., 1]).clamp(min=NARROWEST)


def _grown(point: Tensor, level: Tensor) -> Tensor:
    """How much wider than usual a band about a point (..., 1) is."""
    return (1 + level[..., 1:] * (point - level[..., :1])).clamp(LEAST, MOST)


def _about(part: Errors, level: Tensor) -> Tensor:
    """(horizon, targets, 1), or (horizon, targets, quantiles) of a point alone: what makes bands of
    the usual width cover the errors of a part."""
    prediction, target = part
    point = prediction[..., 0]
    errors = (target - point) / _grown(point[..., None], level)[..., 0]
    alone = prediction.shape[-1] == 1
    offsets = _shape(errors) if alone else prediction[..., 1:] - point[..., None]
    below, above = -offsets[..., 0], offsets[..., -1]
    least = below.new_zeros(()) if alone else LEAST_SIDE * (below + above)
    side = torch.where(errors < 0, below, above).maximum(least).clamp(min=NARROWEST)
    factor = _joined(errors.abs() / side, (COVERED,), otherwise=1.0)
    return factor * offsets if alone else factor


def _shape(errors: Tensor) -> Tensor:
    """(horizon, targets, quantiles) of errors (n, horizon, targets): ascending, the median's 0.

    Neither side is narrower than the errors' median is far from the point. That of counts which
    are mostly zero would have no width at all.
    """
    quantiles = _joined(errors, QUANTILES)
    middle = quantiles[..., MIDDLE : MIDDLE + 1]
    offsets = quantiles - middle
    least = (LEAST_SIDE * (offsets[..., -1:] - offsets[..., :1])).maximum(middle.abs())
    line = least * (LEVELS - 0.5) / (LEVELS[-1] - 0.5)
    return torch.where(LEVELS < 0.5, offsets.minimum(line), offsets.maximum(line))


def _joined(numbers: Tensor, levels: Sequence[float], otherwise: float = 0.0) -> Tensor:
    """(horizon, targets, levels): the quantiles that cover a new one of these numbers (n, horizon,
    targets) with such chances; ``otherwise`` where there are none."""
    horizon, targets = numbers.shape[1:]
    reach = max(0, math.ceil((ENOUGH / max(1, len(numbers)) - 1) / 2))
    found = torch.full((horizon, targets, len(levels)), otherwise)
    wanted = torch.tensor(levels)
    for step in range(horizon):
        near = numbers[:, max(0, step - reach) : step + reach + 1].flatten(0, 1)
        for target in range(targets):
            some = near[:, target]
            some = some[~some.isnan()]
            if len(some):
                # The rank of a new one among n + 1, so that both tails are covered.
                ranks = wanted + (2 * wanted - 1) / (2 * len(some))
                found[step, target] = torch.quantile(some, ranks.clamp(0, 1))
    return found
