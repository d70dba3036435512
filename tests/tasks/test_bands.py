"""Quantiles lie about their point, and where errors on validation put them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import worlds
from gatewright.data.prepared import Preparation
from gatewright.tasks import _bands
from gatewright.tasks._bands import (
    COVERED,
    MIDDLE,
    MOST,
    QUANTILES,
    banded,
    pinball,
    rescaled,
    units,
)

Q = len(QUANTILES)


def coverage(prediction: Tensor, target: Tensor) -> float:
    inside = (target >= prediction[..., 1]) & (target <= prediction[..., -1])
    return inside[~target.isnan()].float().mean().item()


def calibrated(
    prediction: Tensor, target: Tensor, training: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Of so many stretches that nothing is added for their number."""
    none = prediction[:0], target[:0]
    return _bands.calibrated((prediction, target), training or none, 1_000_000, 1_000_000)


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
    found = calibrated(point, missing), calibrated(point[kept], target[kept])
    torch.testing.assert_close(*found)
    nothing = torch.full_like(target, torch.nan)
    assert torch.equal(banded(point, calibrated(point, nothing)), point.expand(300, 2, 1, 1 + Q))
    banded_already = torch.cat([point, (torch.arange(Q) - MIDDLE).expand(300, 2, 1, Q)], -1)
    same = banded(banded_already, calibrated(banded_already, nothing))
    torch.testing.assert_close(same, banded_already)


def test_without_validation_a_point_is_all_there_is() -> None:
    point = normal(3, 2, 1, 1)
    assert torch.equal(banded(point, None), point.expand(3, 2, 1, 1 + Q))


def grown(count: int, alone: bool, seed: int) -> tuple[Tensor, Tensor]:
    """Points of 0 to 4 and targets about them, whose errors are as large as 1 + the point / 2."""
    generator = torch.Generator().manual_seed(seed)
    point = 4 * torch.rand(count, 3, 2, 1, generator=generator)
    errors = (1 + point[..., 0] / 2) * torch.randn(count, 3, 2, generator=generator)
    if alone:
        return point, point[..., 0] + errors
    bands = torch.special.ndtri(torch.tensor(QUANTILES)).expand(count, 3, 2, Q)
    return torch.cat([point, point + 0.7 * bands], -1), point[..., 0] + errors


@pytest.mark.parametrize("alone", [True, False])
def test_bands_are_wider_where_errors_are(alone: bool) -> None:
    finished = banded(grown(4000, alone, 1)[0], calibrated(*grown(4000, alone, 2)))
    target = grown(4000, alone, 1)[1]
    for low, high in ((0, 1), (1, 3), (3, 4)):
        some = (finished[..., 0] >= low) & (finished[..., 0] < high)
        inside = (target >= finished[..., 1]) & (target <= finished[..., -1])
        assert inside[some].float().mean().item() == pytest.approx(COVERED, abs=0.03)


@pytest.mark.parametrize("alone", [True, False])
def test_far_from_all_that_was_seen_bands_keep_to_a_width(alone: bool) -> None:
    calibration = calibrated(*grown(4000, alone, 2))
    for far in (-1e6, -50.0, 50.0, 1e6):
        prediction = grown(1, alone, 1)[0]
        prediction = prediction - prediction[..., :1] + far
        finished = banded(prediction.double(), calibration)
        assert bool((finished[..., 1:].diff(dim=-1) >= 0).all())
        width = finished[..., -1] - finished[..., 1]
        assert bool((width > 0).all())
        assert bool((width < 2.5 * MOST * 1.645 * 2).all())


@pytest.mark.parametrize("alone", [True, False])
def test_bands_move_with_the_units(alone: bool) -> None:
    prediction, target = grown(500, alone, 3)
    new, _ = grown(50, alone, 4)
    finished = banded(new, calibrated(prediction, target))
    moved = banded(new + 7, calibrated(prediction + 7, target + 7)) - 7
    torch.testing.assert_close(moved, finished, rtol=1e-3, atol=1e-3)
    scaled = banded(5 * new, calibrated(5 * prediction, 5 * target)) / 5
    torch.testing.assert_close(scaled, finished, rtol=1e-3, atol=1e-3)


def test_one_point_for_all_tells_nothing_of_levels() -> None:
    point, target = torch.full((300, 2, 1, 1), 3.0), 3 + normal(300, 2, 1)
    finished = banded(
        torch.tensor([3.0, 900.0]).view(2, 1, 1, 1).expand(2, 2, 1, 1), calibrated(point, target)
    )
    low, high = (each[..., -1] - each[..., 0] for each in finished)
    torch.testing.assert_close(low, high, rtol=1e-4, atol=1e-4)


def test_few_windows_make_no_width_grow_by_chance() -> None:
    """Errors of four windows that follow the point by chance, as half of all do."""
    slopes = []
    for seed in range(200):
        point = normal(4, 1, 1, 1, seed=seed)
        target = point[..., 0] + normal(4, 1, 1, seed=seed + 1000)
        calibration = _bands.calibrated((point, target), (point[:0], target[:0]), 4, 0)
        slopes.append(calibration[0, 0, 1].item())
    assert sum(slope == 0 for slope in slopes) > 80


@pytest.mark.parametrize("alone", [True, False])
def test_a_calm_validation_is_not_believed(alone: bool) -> None:
    calm, usual = grown(600, alone, 5), grown(600, alone, 6)
    calm = calm[0], calm[0][..., 0] + 0.2 * (calm[1] - calm[0][..., 0])
    finished = banded(grown(3000, alone, 7)[0], calibrated(*calm, usual))
    assert coverage(finished, grown(3000, alone, 7)[1]) == pytest.approx(COVERED, abs=0.03)
    # Training that is calm, as where it was learned by heart, makes no band narrower.
    wild = banded(grown(3000, alone, 7)[0], calibrated(*usual, calm))
    assert coverage(wild, grown(3000, alone, 7)[1]) == pytest.approx(COVERED, abs=0.03)


@pytest.mark.parametrize("stretches", [1, 2, 4])
def test_few_stretches_are_allowed_for(stretches: int) -> None:
    """Errors of windows of 12 steps that resemble those before, by half a step after step."""
    horizon, found = 12, []
    for seed in range(300):
        steps = normal(stretches * horizon + 12 * horizon, seed=seed)
        for step in range(1, len(steps)):
            steps[step] += 0.5 * steps[step - 1]
        target = steps.unfold(0, horizon, 1)[..., None]
        count = (stretches - 1) * horizon + 1
        seen, new = target[:count], target[count + horizon :]
        point = torch.zeros(len(seen), horizon, 1, 1)
        none = point[:0], seen[:0]
        calibration = _bands.calibrated((point, seen), none, stretches, 0)
        found.append(coverage(banded(torch.zeros(len(new), horizon, 1, 1), calibration), new))
    assert sum(found) / len(found) == pytest.approx(COVERED, abs=0.05)


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    target = normal(20_000)
    places = torch.linspace(-2, 2, 401)
    losses = torch.stack([pinball(place.expand(20_000, Q), target).mean(0) for place in places])
    for number, level in enumerate(QUANTILES):
        best = places[losses[:, number].argmin()].item()
        assert best == pytest.approx(torch.quantile(target, level).item(), abs=0.02)


@pytest.mark.parametrize("outputs", [1, 1 + Q])
def test_bands_carried_to_other_units_are_the_same(outputs: int) -> None:
    prediction = normal(400, 4, 2, outputs, seed=3).sort(-1).values
    if outputs > 1:
        prediction[..., 0] = prediction[..., 1 + MIDDLE]
    point = prediction[..., 0]
    target = point + normal(400, 4, 2, seed=4) * (3 + point)
    calibration = calibrated(prediction, target)
    assert (calibration[..., 1] > 0).all()
    sizes, zeros = torch.tensor([3.0, 0.2]), torch.tensor([-1.0, 5.0])
    other = prediction * sizes[:, None] + zeros[:, None]
    found = banded(other, rescaled(calibration, sizes, zeros))
    expected = banded(prediction, calibration) * sizes[:, None] + zeros[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("logarithms", [False, True])
def test_units_of_other_rows_are_those_of_the_numbers(logarithms: bool) -> None:
    layout = worlds.of_task("forecast").preparation
    before, now = (
        layout.model_copy(update={"target_mean": (mean,), "target_scale": (scale,), "series": {}})
        for mean, scale in ((10.0, 2.0), (12.0, 3.0))
    )
    (size,), (zero,) = units(before, now, logarithms=logarithms)
    for number in (8.0, 10.0, 15.0):
        if logarithms:
            old, new = (
                math.log(number / mean) * mean / scale for mean, scale in ((10, 2), (12, 3))
            )
        else:
            old, new = (number - 10) / 2, (number - 12) / 3
        assert float(old * size + zero) == pytest.approx(new, abs=1e-6)


def test_of_many_series_the_middle_one_decides() -> None:
    preparation = worlds.of_task("forecast").preparation

    def of(**scales: float) -> Preparation:
        series = {name: ((0.0, scale),) * 2 for name, scale in scales.items()}
        return preparation.model_copy(update={"series": series})

    before, now = of(a=1, b=2, c=4, gone=1), of(a=1, b=4, c=1, new=9)
    sizes, zeros = units(before, now, logarithms=False)
    assert (sizes.tolist(), zeros.tolist()) == ([1.0, 1.0], [0.0, 0.0])  # of 1, 1/2 and 4
    sizes, zeros = units(before, of(new=9), logarithms=False)
    assert (sizes.tolist(), zeros.tolist()) == ([1.0, 1.0], [0.0, 0.0])


@pytest.mark.parametrize("zeros", [0.0, 0.3, 0.5, 0.65, 0.88, 0.97, 1.0])
@pytest.mark.parametrize("point", [0.0, 0.1, 0.48, 2.0])
def test_bands_of_counts_that_are_mostly_zero(zeros: float, point: float) -> None:
    generator = torch.Generator().manual_seed(5)
    counts = torch.randint(1, 9, (2, 1000, 3, 1), generator=generator).float()
    seen, new = counts * (torch.rand(counts.shape, generator=generator) >= zeros)
    prediction = torch.full((1000, 3, 1, 1), point)
    found = banded(prediction, calibrated(prediction, seen))
    assert found.abs().max() < 20
    assert (found[..., 1:].diff(dim=-1) >= 0).all()
    assert coverage(found, new) > 0.85


def test_a_side_of_a_network_without_width_does_not_widen_the_other() -> None:
    counts = 4 * (torch.rand(1000, 3, 1, generator=torch.Generator().manual_seed(6)) > 0.9)
    prediction = torch.cat([torch.full((1, 6), 0.4), torch.linspace(0.4, 4, 6)[None]], 1)
    prediction = prediction.expand(1000, 3, 1, 1 + Q).clone()
    prediction[..., 0] = prediction[..., 1 + MIDDLE]
    assert banded(prediction, calibrated(prediction, counts.float())).abs().max() < 60
