"""Quantiles lie about their point, and where errors on validation put them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation
from gatewright.tasks._bands import (
    COVERED,
    MIDDLE,
    QUANTILES,
    banded,
    calibrated,
    pinball,
    rescaled,
    units,
)

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


def preparation(
    *pairs: tuple[float, float], **series: tuple[tuple[float, float], ...]
) -> Preparation:
    """Of targets with these (center, scale), or of series that have their own."""
    first = pairs or next(iter(series.values()))
    layout = Layout(task="forecast", targets=tuple(f"t{n}" for n in range(len(first))))
    mean, scale = zip(*first, strict=True)
    return Preparation(
        layout=layout, channels=(), target_mean=mean, target_scale=scale, series=series
    )


def test_bands_of_a_point_keep_their_width_in_other_units() -> None:
    before, now = preparation((10, 2), (0, 3)), preparation((30, 8), (1, 1.5))
    offsets = normal(4, 2, Q)
    there = rescaled(offsets, units(before, now, logarithms=False))
    widths = offsets * torch.tensor([2.0, 3.0])[:, None]
    torch.testing.assert_close(there * torch.tensor([8.0, 1.5])[:, None], widths)
    factors = normal(4, 2, 1)
    assert torch.equal(rescaled(factors, units(before, now, logarithms=False)), factors)


def test_of_logarithms_it_is_the_share_of_the_mean_that_stays() -> None:
    found = units(preparation((10, 2)), preparation((50, 40)), logarithms=True)
    assert found.tolist() == pytest.approx([(2 / 10) / (40 / 50)])
    below = units(preparation((-1, 2)), preparation((-3, 4)), logarithms=True)
    assert below.tolist() == [1.0]


def test_of_many_series_the_middle_one_decides() -> None:
    before = preparation(a=((0, 1),), b=((0, 2),), c=((0, 4),), gone=((0, 1),))
    now = preparation(a=((0, 1),), b=((0, 4),), c=((0, 1),), new=((0, 9),))
    assert units(before, now, logarithms=False).tolist() == [1.0]  # of 1, 1/2 and 4
    assert units(before, preparation(new=((0, 9),)), logarithms=False).tolist() == [1.0]
