"""What epochs and settings are chosen by: validation told from every distance, and no training."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import worlds
from gatewright import tasks
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared

WINDOWS = Windows()
# start, and the ends of training, validation and test
CASES = {
    "one series": [[0, 60, 80, 100]],
    "as long as a horizon": [[0, 60, 65, 100]],
    "shorter than a horizon": [[0, 60, 62, 100]],
    "several": [[0, 40, 52, 60], [60, 75, 81, 90], [90, 99, 106, 112], [112, 117, 118, 130]],
    "hardly any training": [[0, 6, 20, 30], [30, 31, 45, 60]],
    "no test": [[0, 60, 80, 80]],
}
CONTEXT = 8
EVERY = pytest.mark.parametrize("bounds", CASES.values(), ids=CASES)
HORIZONS = pytest.mark.parametrize("horizon", [1, 2, 5])


def world(bounds: list[list[int]], horizon: int) -> Prepared:
    numbers = torch.arange(float(bounds[-1][-1]))[:, None]  # each tells its row
    return worlds.series(numbers, horizon=horizon, context=CONTEXT, bounds=bounds)


def told(data: Prepared, horizon: int) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    """The origins, and each row with a target with the distance that it is told from."""
    held_out = WINDOWS.held_out(data)
    examples = WINDOWS.of_part(held_out, "validation")
    target = WINDOWS.batch(held_out, examples).target[..., 0]
    pairs = [
        (int(row), step + 1)
        for rows in target.tolist()
        for step, row in enumerate(rows)
        if row == row
    ]
    assert target.shape[1] == horizon
    return examples, pairs


@EVERY
@HORIZONS
def test_no_target_of_training_or_test_is_in_it(bounds: list[list[int]], horizon: int) -> None:
    data = world(bounds, horizon)
    _, pairs = told(data, horizon)
    validation = {row for _, begin, end, _ in bounds for row in range(begin, end)}
    assert {row for row, _ in pairs} <= validation
    held_out = WINDOWS.held_out(data)
    known = (~held_out.target[:, 0].isnan()).nonzero().flatten().tolist()
    training = {row for start, end, *_ in bounds for row in range(start, end)}
    assert not training & set(known)


@EVERY
@HORIZONS
def test_each_step_is_told_once_from_every_distance(bounds: list[list[int]], horizon: int) -> None:
    """Where the whole horizon ends within validation, and the least of a window lies before it."""
    data = world(bounds, horizon)
    _, pairs = told(data, horizon)
    expected = []
    for start, begin, end, _ in bounds:
        first = start + (CONTEXT if begin - start - horizon >= CONTEXT else CONTEXT // 2)
        for row in range(begin, end):
            for distance in range(1, horizon + 1):
                origin = row - distance + 1
                if origin >= first and origin + horizon <= end:
                    expected.append((row, distance))
    assert Counter(pairs) == Counter(expected)


def test_the_first_step_is_told_from_as_many_distances_as_there_are() -> None:
    _, pairs = told(world([[0, 60, 80, 100]], 5), 5)
    assert {distance for row, distance in pairs if row == 60} == {1, 2, 3, 4, 5}
    assert {distance for row, distance in pairs if row == 75} == {1, 2, 3, 4, 5}
    assert {distance for row, distance in pairs if row == 79} == {5}


@EVERY
@HORIZONS
def test_no_window_begins_before_its_series(bounds: list[list[int]], horizon: int) -> None:
    data = world(bounds, horizon)
    held_out = WINDOWS.held_out(data)
    examples, _ = told(data, horizon)
    item = WINDOWS.items(held_out, examples)
    for origin, number in zip(examples.tolist(), item.tolist(), strict=True):
        start, training, end, _ = bounds[number]
        whole = training - start - horizon >= CONTEXT
        assert origin >= start + (CONTEXT if whole else CONTEXT // 2)
        assert training - horizon < origin <= end - horizon
    if len(examples):
        batch = WINDOWS.batch(held_out, examples)
        lengths = torch.full((len(examples),), CONTEXT) if batch.lengths is None else batch.lengths
        assert lengths.min() >= CONTEXT // 2
        seen = batch.values[lengths - 1, torch.arange(len(examples)), 0]
        assert seen.tolist() == (examples - 1).tolist()  # inputs of training are there


@EVERY
@HORIZONS
def test_it_holds_all_that_validation_holds_and_the_test_part_is_as_it_was(
    bounds: list[list[int]], horizon: int
) -> None:
    data = world(bounds, horizon)
    before = data.bounds.clone()
    examples, _ = told(data, horizon)
    assert set(WINDOWS.of_part(data, "validation").tolist()) <= set(examples.tolist())
    held_out = WINDOWS.held_out(data)
    assert torch.equal(held_out.bounds[:, [0, 2, 3]], before[:, [0, 2, 3]])
    assert torch.equal(data.bounds, before)
    assert not data.target.isnan().any()
    for part in ("test",):
        assert torch.equal(WINDOWS.of_part(held_out, part), WINDOWS.of_part(data, part))


@HORIZONS
def test_without_validation_there_is_none(horizon: int) -> None:
    examples, _ = told(world([[0, 80, 80, 100]], horizon), horizon)
    assert len(examples) == 0


@pytest.mark.parametrize("name", [name for name in tasks.names() if name != "forecast"])
def test_of_sequences_it_is_the_data(name: str) -> None:
    data = worlds.of_task(name)
    assert tasks.get(name).examples.held_out(data) is data
