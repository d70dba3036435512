"""What a unit of statistics loses, so that each example counts the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gatewright.comparison import statistics
from gatewright.models.judging import Answers


def answers(losses: object, units: object) -> Answers:
    values = torch.as_tensor(losses, dtype=torch.float64)
    nothing = torch.empty(len(values), 0)
    return Answers(
        examples=torch.arange(len(values)),
        prediction=nothing,
        target=nothing,
        losses=values,
        units=torch.as_tensor(units),
        seconds=0.0,
    )


def test_each_example_counts_the_same_however_many_share_its_unit() -> None:
    losses, units = answers([1.0, 2.0, 3.0, 10.0, np.nan, 7.0], [5, 5, 5, 2, 2, 9]).by_unit()
    assert units.tolist() == [2, 5, 9]
    assert losses.mean().item() == pytest.approx(23 / 5, rel=1e-15)
    # By other means: sums less the mean of all, over the mean size of 5/3.
    mean = 23 / 5
    sums = [10 - mean, 6 - 3 * mean, 7 - mean]
    assert losses.tolist() == pytest.approx([mean + each * 3 / 5 for each in sums], rel=1e-14)


def test_units_of_one_size_lose_their_own_mean_to_the_last_digit() -> None:
    random = np.random.default_rng(0)
    values = random.lognormal(sigma=8, size=(50, 1))
    losses, _ = answers(values[:, 0], np.arange(50)).by_unit()
    assert losses.tolist() == values[:, 0].tolist()
    pairs = np.repeat(values, 2, axis=1) * [1, 3]
    losses, _ = answers(pairs.ravel(), np.arange(50).repeat(2)).by_unit()
    assert losses.tolist() == pairs.mean(1).tolist()


@pytest.mark.parametrize("value", [0.0, 0.3, 1e-30, 1e90])
def test_a_constant_loss_is_that_of_every_unit(value: float) -> None:
    losses, _ = answers([value] * 7, [0, 0, 0, 0, 1, 1, 2]).by_unit()
    assert losses.tolist() == pytest.approx([value] * 3, rel=1e-15)


def test_no_losses_are_no_units() -> None:
    losses, units = answers([np.nan, np.nan], [0, 1]).by_unit()
    assert (losses.tolist(), units.tolist()) == ([], [])


SIZES = np.r_[np.arange(1, 41), np.full(40, 40), np.arange(40, 0, -1)]  # series come and go
HORIZON = 4


def drawn(random: np.random.Generator) -> NDArray[np.float64]:
    """Losses of windows at 120 times, some shared by all at once and by neighbours."""
    shocks = random.normal(size=len(SIZES) + HORIZON - 1)
    common = np.convolve(shocks, np.ones(HORIZON) / HORIZON, "valid")
    own = random.normal(size=SIZES.sum())
    return np.asarray(3.0 + np.repeat(common, SIZES) + own)


def test_the_variance_over_time_is_that_of_the_mean_of_all_windows() -> None:
    random, times = np.random.default_rng(1), np.repeat(np.arange(len(SIZES)), SIZES)
    means, estimated, with_sizes = [], [], []
    nothing = np.zeros((1, len(SIZES)))
    for _ in range(400):
        losses = drawn(random)
        units, _ = answers(losses, times).by_unit()
        means.append(losses.mean())
        sums = np.bincount(times, losses) / SIZES.mean()
        for each, variances in ((units.numpy(), estimated), (sums, with_sizes)):
            both = [nothing, each[None]]
            found = statistics.contrasts(both, [(0, 1)], HORIZON, with_seeds=False)
            variances.append(found.of_units[0])
    assert 0.85 < np.mean(estimated) / np.var(means) < 1.15
    # Sums alone would take the sizes for chance.
    assert np.mean(with_sizes) > 10 * np.mean(estimated)
