"""Series seen by their logarithms: there and back, and where that is worth a try."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

import worlds
from gatewright import tasks
from gatewright.data.logarithm import logged, ratios, swings_grow, unlogged
from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.tasks.forecast import LOGARITHMS, NUMBERS

SEASON = 12


def world(*series: np.ndarray | Tensor, targets: int = 1, season: int = SEASON) -> Prepared:
    """Series (rows,) or (rows, targets) as they stand in a table, prepared; 60% are training."""
    raws = [torch.as_tensor(one, dtype=torch.float64).view(-1, targets) for one in series]
    bounds, encoded, centers, scales, begin = [], [], [], [], 0
    for raw in raws:
        rows = len(raw)
        training = raw[: rows * 6 // 10]
        center = training.nanmean(0)
        scale = (training - center).square().nanmean(0).sqrt()
        scale = scale.where(scale > 0, 1.0)
        bounds.append([begin, begin + rows * 6 // 10, begin + rows * 8 // 10, begin + rows])
        begin += rows
        encoded.append((raw - center) / scale)
        centers.append(center)
        scales.append(scale)
    data = worlds.series(torch.cat(encoded).float(), season=season, bounds=bounds)
    return dataclasses.replace(data, center=torch.stack(centers), scale=torch.stack(scales))


def growing(seed: int, rows: int = 240, *, noise: float = 0.05) -> np.ndarray:
    """A level that grows, and a season that grows with it."""
    steps, random = np.arange(rows), np.random.default_rng(seed)
    season = 1 + 0.3 * np.sin(steps * 2 * np.pi / SEASON)
    return np.asarray(100 * np.exp(steps / 90) * season * np.exp(noise * random.normal(size=rows)))


def even(seed: int, rows: int = 240, level: float = 100.0) -> np.ndarray:
    """A level that grows as much, and a season that stays as it is."""
    steps, random = np.arange(rows), np.random.default_rng(seed)
    season = 0.3 * level * np.sin(steps * 2 * np.pi / SEASON)
    return np.asarray(level * np.exp(steps / 90) + season + 0.05 * level * random.normal(size=rows))


@pytest.mark.parametrize("seed", range(8))
def test_swings_that_grow_are_told_from_those_that_do_not(seed: int) -> None:
    assert swings_grow(world(growing(seed)))
    assert not swings_grow(world(even(seed)))
    assert swings_grow(world(*[growing(9 * seed + more) for more in range(4)]))
    assert not swings_grow(world(*[even(9 * seed + more) for more in range(4)]))


def test_growth_is_looked_for_within_a_series_not_between() -> None:
    """A large series swings more than a small one: that says nothing of either."""
    several = [even(number, level=10.0**number) for number in range(4)]
    assert not swings_grow(world(*several))


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_what_is_not_positive_has_no_logarithm(value: float) -> None:
    raw = growing(0)
    assert swings_grow(world(raw))
    raw[50] = value
    assert not swings_grow(world(raw))
    assert not swings_grow(world(growing(1), raw))


def test_only_training_is_looked_at() -> None:
    raw = growing(0)
    raw[240 * 6 // 10 :] = -5.0
    assert swings_grow(world(raw))


def test_all_targets_are_to_be_positive() -> None:
    both = np.stack([growing(0), growing(1)], 1)
    assert swings_grow(world(both, targets=2))
    both[20, 1] = 0.0
    assert not swings_grow(world(both, targets=2))


def test_what_tells_nothing_says_no() -> None:
    assert not swings_grow(world(growing(0, rows=80)))  # 48 of training: four seasons
    assert not swings_grow(world(np.full(240, 7.0)))
    assert not swings_grow(world(np.full(240, 7.0), np.full(100, 3.0)))
    level = 100 + 3 * np.sin(np.arange(240) * 2 * np.pi / SEASON)
    assert not swings_grow(world(level * (1 + np.arange(240) / 1000)))  # hardly any higher
    assert not swings_grow(world(np.ones(3)))


def test_missing_values_do_no_harm() -> None:
    raw = growing(0)
    raw[::7] = np.nan
    raw[30:45] = np.nan
    assert swings_grow(world(raw))
    raw = even(0)
    raw[::7] = np.nan
    assert not swings_grow(world(raw))


@pytest.mark.parametrize("seed", range(4))
def test_there_and_back_is_the_same(seed: int) -> None:
    """In 64 bits to the sixth digit; in the 32 of the arrays to the fourth."""
    for size in (1e-6, 1.0, 1e9):
        data = world(size * growing(seed), size * even(seed + 5))
        item = torch.tensor([0] * 240 + [1] * 240)
        for dtype, digits in ((torch.float64, 1e-6), (torch.float32, 1e-4)):
            given = dataclasses.replace(
                data, target=data.target.to(dtype), values=data.values.to(dtype)
            )
            seen, ratio = logged(given), ratios(data)[item].to(dtype)
            torch.testing.assert_close(
                unlogged(seen.target, ratio), given.target, rtol=digits, atol=digits
            )
            torch.testing.assert_close(
                unlogged(seen.values, ratio), given.values, rtol=digits, atol=digits
            )


def test_what_is_seen_is_the_logarithm_over_the_mean() -> None:
    raw = growing(3)
    data = world(raw)
    center, scale = data.center.item(), data.scale.item()
    seen = logged(data)
    expected = np.log(raw / center) * center / scale
    np.testing.assert_allclose(seen.target[:, 0], expected, atol=1e-5)
    assert torch.equal(seen.target, seen.values[:, :1])
    assert torch.equal(seen.bounds, data.bounds)


def test_inputs_stay_as_they_are_and_missing_ones_missing() -> None:
    raw = torch.as_tensor(growing(0))
    raw[10] = torch.nan
    data = world(raw)
    data = dataclasses.replace(data, values=torch.cat([data.values, torch.randn(240, 2)], 1))
    seen = logged(data)
    assert torch.equal(seen.values[:, 1:], data.values[:, 1:])
    assert not torch.equal(seen.values[:, :1], data.values[:, :1])
    assert seen.target.isnan().nonzero().tolist() == [[10, 0]]
    assert data.target.isnan().sum() == 1


def test_what_new_rows_hold_below_zero_does_no_harm() -> None:
    raw = growing(0)
    raw[200:] = -1e3
    seen = logged(world(raw))
    assert seen.values.isfinite().all()
    assert seen.target.isfinite().all()


@pytest.mark.parametrize("center", [0.0, -40.0])
def test_a_new_series_about_zero_is_seen_almost_as_it_is(center: float) -> None:
    data = world(center + np.random.default_rng(0).normal(size=240))
    data.center[:] = center
    seen = logged(data)
    torch.testing.assert_close(seen.values, data.values, atol=2e-3, rtol=1e-3)
    assert unlogged(seen.target, ratios(data)).isfinite().all()


def test_quantiles_keep_their_order() -> None:
    numbers = (torch.randn(50, 4, 2, 11) * 5).sort(-1).values
    ratio = torch.rand(50, 1, 2, 1) * 1.5 + 1e-3
    found = unlogged(numbers, ratio)
    assert (found.diff(dim=-1) >= 0).all()
    assert (found >= -1 / ratio).all()  # nothing below zero in the column's units
    torch.testing.assert_close(unlogged(torch.zeros(1), torch.ones(1)), torch.zeros(1))


def test_a_task_offers_it_and_restores_what_it_saw() -> None:
    data, plain = world(growing(0), growing(1)), world(even(0), even(1))
    task = tasks.get("forecast")(data.preparation)
    assert task.choices(data)[-1] == (LOGARITHMS, NUMBERS)
    assert task.choices(plain)[-1] == (NUMBERS,)
    examples = torch.cat([task.examples.of_part(data, part) for part in ("train", "test")])
    target = task.examples.batch(data, examples).target
    by_logarithms, by_numbers = (Setting(choices=(word,)) for word in (LOGARITHMS, NUMBERS))
    seen = task.seen(data, by_logarithms)
    told = task.examples.batch(seen, examples).target[..., None].expand(-1, -1, -1, 12)
    back = task.restored(told, data, examples, by_logarithms)
    torch.testing.assert_close(back, target[..., None].expand_as(back), atol=1e-4, rtol=1e-4)
    assert task.seen(data, by_numbers) is data
    assert task.restored(told, data, examples, by_numbers) is told
