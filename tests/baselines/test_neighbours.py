"""Nearest neighbours: their distances, what they choose, and what they cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import worlds
from gatewright.baselines import _neighbours
from gatewright.baselines._neighbours import shuffled
from gatewright.baselines._warping import straight, warped
from gatewright.data.prepared import Prepared
from worlds import baseline_of


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """These problems are too small for more."""
    torch_threads(1)


def cell_by_cell(one: Tensor, other: Tensor, radius: int) -> float:
    """The squared distance along the best path, from the definition."""
    steps = len(one)
    sums = {(-1, -1): 0.0}
    for row in range(steps):
        for column in range(max(0, row - radius), min(steps, row + radius + 1)):
            cost = (one[row] - other[column]).square().sum().item()
            before = [(row - 1, column), (row, column - 1), (row - 1, column - 1)]
            sums[row, column] = cost + min(sums.get(cell, math.inf) for cell in before)
    return sums[steps - 1, steps - 1]


@pytest.mark.parametrize("steps", [1, 2, 3, 12])
@pytest.mark.parametrize("radius", [0, 1, 2, 5, 40])
def test_warped_distances_follow_their_definition(
    steps: int, radius: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, others = torch.randn(5, steps, 2).double(), torch.randn(3, steps, 2).double()
    expected = torch.tensor([[cell_by_cell(a, b, radius) for b in others] for a in some])
    torch.testing.assert_close(warped(some, others, radius), expected.double())
    monkeypatch.setattr("gatewright.baselines._warping.BLOCK", 1)  # one sequence at a time
    torch.testing.assert_close(warped(some, others, radius), expected.double())
    if radius == 0:
        torch.testing.assert_close(straight(some, others), expected.double())


def test_small_differences_of_large_numbers_are_told_apart() -> None:
    some = 1e4 + torch.tensor([0.0, 0.01]).view(2, 1, 1).expand(2, 5, 3)
    found = straight(some, some)
    torch.testing.assert_close(found[0, 1], (some[1] - some[0]).double().square().sum())
    assert found.diagonal().tolist() == [0.0, 0.0]


def test_every_beginning_of_the_order_has_of_each_class() -> None:
    kinds = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    order = shuffled(kinds)
    assert sorted(order.tolist()) == list(range(100))
    assert kinds[order[:3]].unique().tolist() == [0, 1, 2]
    for most in (20, 50):
        shares = torch.bincount(kinds[order[:most]]) / most
        assert ((shares - torch.tensor([0.6, 0.3, 0.1])).abs() < 0.06).all()
    assert torch.equal(order, shuffled(kinds))


def shifted_bumps(count: int) -> Prepared:
    """A bump up or down, anywhere: warping finds it, steps side by side do not."""
    label = torch.arange(count) % 2
    place = torch.randint(4, 36, (count, 1))
    bump = torch.exp(-0.5 * ((torch.arange(40) - place) / 1.5) ** 2) * (2.0 * label[:, None] - 1)
    values = bump + 0.02 * torch.randn(count, 40)
    return worlds.sequences("classify", list(values[..., None]), label[:, None].float(), classes=2)


def test_a_band_is_chosen_where_it_helps() -> None:
    data = shifted_bumps(60)
    baseline = baseline_of("nearest", "classify", data)
    baseline.fit(data)
    assert baseline.band > 0
    test = baseline.task.examples.of_part(data, "test")
    told = baseline.predict(data, test)
    assert torch.equal(told.argmax(1), data.target[test, 0].long())
    torch.testing.assert_close(told.exp().sum(1), torch.ones(len(test)))


def test_the_chance_is_how_often_it_was_right() -> None:
    """Of labels that nothing tells, it may be wrong as often as a guess, and no more."""
    label = torch.randint(0, 4, (240, 1)).float()
    data = worlds.sequences("classify", list(torch.randn(240, 6, 1)), label, classes=4)
    baseline = baseline_of("nearest", "classify", data)
    baseline.fit(data)
    assert 1 / 4 < baseline.trust < 0.45
    told = baseline.predict(data, torch.arange(240))
    assert (told.logsumexp(1).abs() < 1e-6).all()


def test_a_sequence_is_not_its_own_neighbour_nor_is_its_group() -> None:
    """Copies in one group would make random labels look easy."""
    values = torch.randn(60, 6, 1).repeat_interleave(2, 0)
    label = torch.randint(0, 2, (60, 1)).repeat_interleave(2, 0).float()
    data = worlds.sequences("classify", list(values), label, classes=2)
    data = dataclasses.replace(data, group=torch.arange(120) // 2)
    baseline = baseline_of("nearest", "classify", data)
    baseline.fit(data)
    assert baseline.trust < 0.75


def test_numbers_are_the_mean_of_as_many_as_tell_best() -> None:
    level = torch.rand(300, 1)
    values = list(level[:, None] + 0.01 * torch.randn(300, 5, 1))
    noisy = level + torch.randn(300, 1)
    found = []
    for target in (level, noisy):
        data = worlds.sequences("regress", values, target)
        baseline = baseline_of("nearest_mean", "regress", data)
        baseline.fit(data)
        found.append(int(baseline.count))
    assert found[0] < found[1] == 20
    near = baseline.told[:3]
    near[0] = math.nan
    assert baseline.answers_of(near[None]).item() == pytest.approx(near[1:].mean().item())
    assert baseline.answers_of(near[None, :1]).item() == 0


def test_of_very_many_sequences_some_of_each_class_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = shifted_bumps(600)
    baseline = baseline_of("nearest", "classify", data)
    monkeypatch.setattr(_neighbours, "WORK", 5e7)
    baseline.fit(data)
    full = len(baseline.task.examples.of_part(data, "train"))
    assert baseline._affords(1.0) < baseline._affords(0.05) < full
    assert baseline._bands()[0] == 0
    monkeypatch.setattr(_neighbours, "WORK", 10.0)
    baseline.fit(data)
    assert len(baseline.sequences) == 1
    assert baseline._bands() == [0]
    assert baseline.predict(data, torch.arange(6)).isfinite().all()


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_two_sequences_of_one_step(task: str) -> None:
    values = [torch.ones(1, 1), -torch.ones(1, 1)]
    data = worlds.sequences(task, values, torch.tensor([[0.0], [1.0]]), classes=2)
    name = "nearest" if task == "classify" else "nearest_mean"
    baseline = baseline_of(name, task, data)
    baseline.fit(data)  # there is neither validation nor test
    told = baseline.predict(data, torch.arange(2))
    assert (told.argmax(1) if task == "classify" else told[:, 0]).tolist() == [0, 1]
