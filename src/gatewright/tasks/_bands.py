"""Quantiles around a point: what trains them, and where errors on validation put them."""

from __future__ import annotations

import math

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


def pinball(quantiles: Tensor, target: Tensor) -> Tensor:
    """quantiles: (..., quantiles); target: (...). Returns the loss of each quantile (Koenker and
    Bassett 1978)."""
    error = target[..., None] - quantiles
    # Where the error is negative, (level - 1) error: one error more than level error.
    return LEVELS * error + (-error).relu()


def calibrated(prediction: Tensor, target: Tensor) -> Tensor:
    """What ``banded`` needs, learned from errors on validation.

    A prediction with quantiles keeps their shape and place about its point: one factor for each
    step and target makes the widest band cover as many errors, each side by its own width, as it
    says (split conformal, Papadopoulos and others 2002, with the band for the scale). A point alone
    takes the shape from its errors, less their median, so that the bands belong to the point.

    prediction: (n, horizon, targets, 1 or 1 + quantiles); target: (n, horizon, targets), NaN where
    missing. Returns (horizon, targets, 1), or (horizon, targets, quantiles) of a point alone.
    """
    point, errors = prediction[..., 0], target - prediction[..., 0]
    alone = prediction.shape[-1] == 1
    offsets = _shape(errors) if alone else prediction[..., 1:] - point[..., None]
    below, above = -offsets[..., 0], offsets[..., -1]
    side = torch.where(errors < 0, below, above).clamp(min=NARROWEST)
    factor = _joined(errors.abs() / side, COVERED, otherwise=1.0)
    return factor * offsets if alone else factor


def units(before: Preparation, now: Preparation, *, logarithms: bool) -> Tensor:
    """How many units of targets now are one of those before, (targets,): standard deviations, or
    with ``logarithms`` their shares of the mean, as ``logged`` has them. Of many series, of which
    each has its own, that of the middle one."""

    def unit(preparation: Preparation) -> dict[str, Tensor]:
        all_together = zip(preparation.target_mean, preparation.target_scale, strict=True)
        pairs = preparation.series or {"": tuple(all_together)}
        each = {name: torch.tensor(one, dtype=torch.float64).T for name, one in pairs.items()}
        return {
            name: ratio_of(center, scale) if logarithms else scale
            for name, (center, scale) in each.items()
        }

    earlier, later = unit(before), unit(now)
    shared = [earlier[name] / later[name] for name in earlier if name in later]
    if not shared:
        return torch.ones(len(before.layout.targets))
    return torch.stack(shared).quantile(0.5, dim=0).float()


def rescaled(calibration: Tensor, units: Tensor) -> Tensor:
    """What ``calibrated`` gave, in other units (targets,): a factor has none."""
    return calibration if calibration.shape[-1] == 1 else calibration * units[:, None]


def banded(prediction: Tensor, calibration: Tensor | None) -> Tensor:
    """(..., 1 + quantiles): a prediction with its quantiles where they belong."""
    point = prediction[..., :1]
    if prediction.shape[-1] == 1:
        offsets = point.new_zeros(len(QUANTILES)) if calibration is None else calibration
    else:
        offsets = prediction[..., 1:] - point
        offsets = offsets if calibration is None else offsets * calibration
    return torch.cat([point, point + offsets], -1)


def _shape(errors: Tensor) -> Tensor:
    """(horizon, targets, quantiles) of errors (n, horizon, targets): ascending, the median's 0."""
    quantiles = torch.cat([_joined(errors, level) for level in QUANTILES], -1)
    return quantiles - quantiles[..., MIDDLE : MIDDLE + 1]


def _joined(numbers: Tensor, level: float, otherwise: float = 0.0) -> Tensor:
    """(horizon, targets, 1): the quantile that covers a new one of these numbers (n, horizon,
    targets) with that chance; ``otherwise`` where there are none."""
    horizon, targets = numbers.shape[1:]
    reach = max(0, math.ceil((ENOUGH / max(1, len(numbers)) - 1) / 2))
    found = torch.full((horizon, targets, 1), otherwise)
    for step in range(horizon):
        near = numbers[:, max(0, step - reach) : step + reach + 1].flatten(0, 1)
        for target in range(targets):
            some = near[:, target]
            some = some[~some.isnan()]
            if len(some):
                # The rank of a new one among n + 1, so that both tails are covered.
                rank = level + (2 * level - 1) / (2 * len(some))
                found[step, target] = torch.quantile(some, min(max(rank, 0.0), 1.0))
    return found
