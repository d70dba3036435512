"""Limits in scaled units, and where a series has passed them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from gatewright import tasks
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.within import edges, in_words
from gatewright.requests import NO_LIMITS
from gatewright.setting import Setting
from worlds import sequences, series

CONTEXT, HORIZON = 8, 3


def test_an_edge_is_the_limit_and_never_beyond_it() -> None:
    generator = torch.Generator().manual_seed(0)
    center = 100 * torch.randn(500, 2, generator=generator, dtype=torch.float64)
    scale = torch.rand(500, 2, generator=generator, dtype=torch.float64) + 1e-3
    low, high = edges([(0.0, 7.3), (None, -2.0)], center, scale)
    assert low.dtype == high.dtype == torch.float32
    floor, ceiling = (edge.double() * scale + center for edge in (low, high))
    assert bool((floor[:, 0] >= -1e-12).all())
    assert bool((ceiling[:, 0] <= 7.3 + 1e-12).all())
    assert floor[:, 0].abs().max() < 1e-4
    assert bool((low[:, 1] == -torch.inf).all())
    assert torch.allclose(ceiling[:, 1], torch.tensor(-2.0).double(), atol=1e-4)


def within(numbers: torch.Tensor, limits: tuple, said: bool = False, **more: object) -> Prepared:
    """Series with such limits, in units of the numbers, which stand for 2 x - 1 of a table."""
    data = series(numbers, horizon=HORIZON, context=CONTEXT, **more)
    in_table = tuple(tuple(None if end is None else 2 * end - 1 for end in pair) for pair in limits)
    layout: Layout = data.layout
    told = dict(zip(layout.targets, in_table, strict=True)) if said else {}
    layout = layout.model_copy(update={"limits": told})
    changes = {"layout": layout, "limits": in_table}
    return dataclasses.replace(data, preparation=data.preparation.model_copy(update=changes))


def restored(data: Prepared, origins: list[int], prediction: torch.Tensor) -> torch.Tensor:
    task = tasks.get("forecast")(data.preparation)
    return task.restored(prediction, data, torch.tensor(origins), Setting())


@pytest.mark.parametrize("outputs", [1, 12])
def test_all_of_a_forecast_is_within_the_limits(outputs: int) -> None:
    data = within(torch.rand(60, 2), ((0.0, None), (None, 1.0)))
    prediction = 3 * torch.randn(3, HORIZON, 2, outputs)
    found = restored(data, [20, 30, 40], prediction)
    assert torch.equal(found[:, :, 0], prediction[:, :, 0].clamp(min=0.0))
    assert torch.equal(found[:, :, 1], prediction[:, :, 1].clamp(max=1.0))


def test_numbers_of_sequences_are_within_theirs() -> None:
    data = sequences("regress", [torch.zeros(4, 1)] * 6, torch.zeros(6, 2))
    moments = {"target_mean": (1.0, 0.0), "target_scale": (2.0, 1.0)}
    limits = {"limits": ((0.0, 5.0), (None, None))}
    preparation = data.preparation.model_copy(update=moments | limits)
    task = tasks.get("regress")(preparation)
    data = dataclasses.replace(data, preparation=preparation)
    prediction = torch.tensor([[-3.0, -9.0], [0.25, 0.0], [4.0, torch.nan]])
    found = task.restored(prediction, data, torch.arange(3), Setting())
    expected = torch.tensor([[-0.5, -9.0], [0.25, 0.0], [2.0, torch.nan]])
    assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))


def test_a_guess_that_a_window_sees_refuted_does_not_hold_for_it() -> None:
    numbers = torch.rand(60, 2) + 0.1
    numbers[30, 0] = -0.5
    numbers[33, 1] = torch.nan  # missing is not beyond
    data = within(numbers, ((0.0, None), (0.0, None)))
    origins = list(range(CONTEXT, 57))
    found = restored(data, origins, torch.full((len(origins), HORIZON, 2, 1), -2.0))
    for origin, of_both in zip(origins, found[:, 0, :, 0].tolist(), strict=True):
        sees = origin - CONTEXT <= 30 < origin
        assert of_both == [-2.0 if sees else 0.0, 0.0], origin


def test_what_was_said_holds_whatever_is_seen() -> None:
    numbers = torch.rand(60, 1)
    numbers[30] = -0.5
    found = restored(
        within(numbers, ((0.0, None),), said=True), [31], torch.full((1, 3, 1, 1), -2.0)
    )
    assert torch.equal(found, torch.zeros(1, 3, 1, 1))


def test_another_series_refutes_nothing() -> None:
    numbers = torch.rand(60, 1)
    numbers[29] = -0.5  # the last of the first series
    bounds = [[0, 18, 24, 30], [30, 48, 54, 60]]
    data = within(numbers, ((0.0, None),), bounds=bounds)
    found = restored(data, [27, 34, 40], torch.full((3, HORIZON, 1, 1), -2.0))
    assert torch.equal(found, torch.zeros(3, HORIZON, 1, 1))


def test_a_value_at_its_limit_is_not_beyond_it_however_it_was_rounded() -> None:
    for limit in (-1 / 3, 0.1, 1234.567, 1e-3):
        numbers = torch.rand(60, 1) + limit
        numbers[10:50:3] = limit
        data = within(numbers, ((limit, None),))
        assert int(data.passes[-1]) == 0


def test_without_limits_a_forecast_is_as_it_was() -> None:
    data = series(torch.rand(60, 1), horizon=HORIZON, context=CONTEXT)
    prediction = torch.randn(2, HORIZON, 1, 12)
    assert restored(data, [20, 30], prediction) is prediction


def test_limits_read_as_words() -> None:
    pairs = [(0.0, None), (None, 100.0), (0.0, 1.0), (-0.5, 1e6), NO_LIMITS]
    words = ["0 or more", "at most 100", "0 to 1", "-0.5 to 1e+06", "any"]
    assert list(map(in_words, pairs)) == words
