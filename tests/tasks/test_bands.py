"""Quantiles lie about their point, and where errors on validation put them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gatewright.tasks._bands import COVERED, MIDDLE, QUANTILES, banded, calibrated, pinball

Q = len(QUANTILES)


def coverage(prediction: Tensor, target: Tensor) -> float:
    inside = (target >= prediction[..., 1]) & (target <= prediction[..., -1])
    return inside[~target.isnan()].float().mean().item()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("spread", [0.03, 1.0, 40.0])
def test_the_widest_band_covers_as_much_as_it_says(alone: bool, spread: float) -> None:
    growth = torch.linspace(1, 3, 6)[:, None]
    seen, new = (spread * growth * normal(800, 6, 2, seed=seed) for seed in (1, 2))
    point = torch.zeros(800, 6, 2, 1)
    if alone:
        prediction = point
    else:  # far too narrow, and more so at later steps
        prediction = torch.cat([point, 0.1 * torch.linspace(-1, 1, Q).expand(800, 6, 2, Q)], -1)
    calibration = calibrated(prediction, seen)
    finished = banded(prediction, calibration)
    assert coverage(finished, new) == pytest.approx(COVERED, abs=0.02)
    for step in range(6):
        assert coverage(finished[:, step], new[:, step]) == pytest.approx(COVERED, abs=0.04)


@pytest.mark.parametrize("count", [0, 1, 3, 12])
@pytest.mark.parametrize("alone", [True, False])
def test_the_point_lies_within_its_bands_however_few_errors(count: int, alone: bool) -> None:
    target = 5 + normal(count, 4, 1).abs()  # all errors on one side: a point that is too low
    prediction = torch.zeros(count, 4, 1, 1)
    if not alone:
        offsets = (torch.arange(Q) - MIDDLE).float().expand(count, 4, 1, Q)
        prediction = torch.cat([prediction, offsets], -1)
    finished = banded(prediction, calibrated(prediction, target))
    assert bool((finished[..., 1:].diff(dim=-1) >= 0).all())
    quarter, three = finished[..., 1 + QUANTILES.index(0.3)], finished[..., 1 + 7]
    assert bool((quarter <= finished[..., 0]).all())
    assert bool((three >= finished[..., 0]).all())
    assert torch.equal(finished[..., 1 + MIDDLE], finished[..., 0])


def test_a_skew_of_the_errors_stays() -> None:
    target = normal(2000, 1, 1).exp() - 1  # log-normal, less its median
    finished = banded(torch.zeros(2000, 1, 1, 1), calibrated(torch.zeros(2000, 1, 1, 1), target))
    below, above = -finished[0, 0, 0, 1], finished[0, 0, 0, -1]
    assert below == pytest.approx(1 - math.exp(-1.645), abs=0.1)
    assert above == pytest.approx(math.exp(1.645) - 1, abs=0.6)


def test_missing_targets_count_nowhere() -> None:
    target = normal(300, 2, 1)
    missing = target.clone()
    missing[::3] = torch.nan
    point = torch.zeros(300, 2, 1, 1)
    kept = [row for row in range(300) if row % 3]
    assert torch.equal(calibrated(point, missing), calibrated(point[kept], target[kept]))
    nothing = torch.full_like(target, torch.nan)
    assert torch.equal(banded(point, calibrated(point, nothing)), point.expand(300, 2, 1, 1 + Q))
    banded_already = torch.cat([point, (torch.arange(Q) - MIDDLE).expand(300, 2, 1, Q)], -1)
    same = banded(banded_already, calibrated(banded_already, nothing))
    assert torch.equal(same, banded_already)


def test_without_validation_a_point_is_all_there_is() -> None:
    point = normal(3, 2, 1, 1)
    assert torch.equal(banded(point, None), point.expand(3, 2, 1, 1 + Q))


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    target = normal(20_000)
    places = torch.linspace(-2, 2, 401)
    losses = torch.stack([pinball(place.expand(20_000, Q), target).mean(0) for place in places])
    for number, level in enumerate(QUANTILES):
        best = places[losses[:, number].argmin()].item()
        assert best == pytest.approx(torch.quantile(target, level).item(), abs=0.02)
