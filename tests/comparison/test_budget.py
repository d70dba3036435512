"""A fair plan: the same parameters, settings, seeds and order for everyone."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from gatewright import cells, tasks
from gatewright.comparison.budget import (
    BUDGETS,
    DROPOUTS,
    LAYERS,
    RATES,
    TOLERANCE,
    draw_settings,
    rungs,
    solve_widths,
)
from gatewright.comparison.planning import USUAL_CELLS
from gatewright.errors import InputError
from gatewright.models.size import count_parameters
from gatewright.setting import Setting
from gatewright.training import Model, Recipe, Stopping
from worlds import of_task

EVERY = pytest.mark.parametrize("name", tasks.names())


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("hidden_size", [budget.hidden_size for budget in BUDGETS.values()])
def test_every_cell_gets_the_same_number_of_parameters(name: str, hidden_size: int) -> None:
    data = of_task(name)
    task = tasks.get(name)(data.preparation)
    settings = draw_settings(6, task.choices(data), task.segments(data))
    found = solve_widths(task, cells.names(), settings, hidden_size=hidden_size)
    for place, setting in enumerate(settings):
        counts = []
        for candidate in found:
            width = candidate.hidden_sizes[place]
            recipe = Recipe(candidate=candidate.name, hidden_size=width, setting=setting)
            counts.append(Model(recipe, data.preparation).parameters)
            assert counts[-1] == candidate.parameters[place]
        assert max(counts) <= (1 + TOLERANCE) * min(counts)


@EVERY
def test_settings_differ_little_in_size(name: str) -> None:
    data = of_task(name)
    task = tasks.get(name)(data.preparation)
    settings = draw_settings(6, task.choices(data), task.segments(data))
    found = solve_widths(task, USUAL_CELLS, settings, hidden_size=40)
    nominal = max(count_parameters(task, cell, 40, settings[0]) for cell in USUAL_CELLS)
    for candidate in found:
        assert min(candidate.parameters) >= nominal / (1 + TOLERANCE)
        assert max(candidate.parameters) <= 1.5 * nominal


@limits(max_examples=10, deadline=None)
@given(goal=st.integers(3_000, 300_000))
def test_parameters_asked_for_are_given_within_a_tenth(goal: int) -> None:
    task = tasks.get("classify")(of_task("classify").preparation)
    try:
        found = solve_widths(task, cells.names()[:3], [Setting()], hidden_size=1, parameters=goal)
    except InputError as error:
        assert "ask for more with `parameters`" in str(error)  # noqa: PT017
        assert goal < 20_000
    else:
        for candidate in found:
            assert abs(candidate.parameters[0] - goal) <= (0.1 + TOLERANCE) * goal


def test_too_few_parameters_are_refused() -> None:
    task = tasks.get("classify")(of_task("classify").preparation)
    with pytest.raises(InputError, match="networks of 60 parameters cannot be made equal"):
        solve_widths(
            task, cells.names(), [Setting(), Setting(num_layers=2)], hidden_size=1, parameters=60
        )


def test_parameters_are_a_parabola_of_the_width() -> None:
    """What the search for widths rests on, for every cell and depth."""
    task = tasks.get("forecast")(of_task("forecast").preparation)
    for cell in cells.names():
        for depth in (1, 2, 3):
            shape = Setting(num_layers=depth)
            counts = [count_parameters(task, cell, width, shape) for width in range(1, 7)]
            second = [
                c - 2 * b + a for a, b, c in zip(counts, counts[1:], counts[2:], strict=False)
            ]
            assert len(set(second)) == 1, cell


WORDS = (("see", "all"), ("last", "level", "season"))


@pytest.mark.parametrize("count", [8, 12, 24])
def test_pairs_of_values_come_evenly(count: int) -> None:
    """Each pair of words, and of a word and a third of the rates, about as often as any other."""
    drawn = draw_settings(count, WORDS, (24, 12, 6))
    rates = sorted(setting.learning_rate for setting in drawn[1:])
    thirds = {rate: 3 * place // len(rates) for place, rate in enumerate(rates)}
    parts = {
        "see": [setting.choices[0] for setting in drawn],
        "level": [setting.choices[1] for setting in drawn],
        "segment": [setting.segment for setting in drawn],
        "rate": [1, *(thirds[setting.learning_rate] for setting in drawn[1:])],
    }
    for one, other in itertools.combinations(parts, 2):
        counts = Counter(zip(parts[one], parts[other], strict=True))
        pairs = len(set(parts[one])) * len(set(parts[other]))
        fair = count / pairs
        assert all(abs(found - fair) < 1.7 for found in counts.values()), (one, other, counts)
        assert len(counts) == pairs or fair < 1.5


CHOICES, SEGMENTS = (("a", "b"), ("c", "d", "e")), (12, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 16])
def test_settings_are_drawn_once_and_cover_the_rates(count: int) -> None:
    drawn = draw_settings(count, CHOICES, SEGMENTS)
    assert drawn == draw_settings(count, CHOICES, SEGMENTS)
    assert len(drawn) == count
    assert drawn[0] == Setting(choices=("a", "c"), segment=12)
    low, high = RATES
    rates = sorted(setting.learning_rate for setting in drawn[1:])
    assert all(low <= rate <= high for rate in rates)
    if count > 2:
        step = (high / low) ** (1 / (count - 1))
        for place, rate in enumerate(rates):
            assert low * step**place * 0.98 <= rate <= low * step ** (place + 1) * 1.02


@pytest.mark.parametrize("count", [2, 3, 6, 8, 12, 24])
def test_each_value_of_each_part_of_a_setting_comes_as_often(count: int) -> None:
    drawn = draw_settings(count, CHOICES, SEGMENTS)
    parts = {
        "layers": (LAYERS, [one.num_layers for one in drawn]),
        "dropout": (DROPOUTS, [one.dropout for one in drawn]),
        "segment": (SEGMENTS, [one.segment for one in drawn]),
        "first": (CHOICES[0], [one.choices[0] for one in drawn]),
        "second": (CHOICES[1], [one.choices[1] for one in drawn]),
    }
    for name, (values, found) in parts.items():
        turns = count / len(values)
        for value in set(values):
            share = values.count(value)
            times = found.count(value)
            assert share * math.floor(turns) <= times <= share * math.ceil(turns), (name, value)
    assert all(len(one.choices) == len(CHOICES) for one in drawn)
    # Each part in an order of its own: none is told by another.
    if count >= 6:
        pairs = {(one.segment, one.choices[0]) for one in drawn}
        assert len(pairs) > len(SEGMENTS)


@pytest.mark.parametrize("count", [1, 2, 8, 24])
@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 100])
def test_rungs_grow_to_the_whole_training(count: int, epochs: int) -> None:
    found = rungs(count, Stopping(epochs=epochs))
    lengths = [rung.epochs for rung in found]
    assert lengths == sorted(set(lengths))
    assert lengths[0] >= 1
    assert lengths[-1] == epochs
    kept = [rung.settings for rung in found]
    assert kept[0] == count
    assert kept == sorted(kept, reverse=True)
    # Of one epoch nothing shorter is tried.
    assert kept[-1] == (math.ceil(count / 8) if epochs > 1 else count)
    # A search costs less than trying every setting to the end.
    cost = sum(rung.epochs * rung.settings for rung in found)
    assert cost <= count * epochs or count < 3


def test_rungs_are_those_that_are_told() -> None:
    told = {
        (1, 10): [(10, 1)],
        (8, 10): [(2, 8), (5, 2), (10, 1)],
        (12, 40): [(8, 12), (20, 3), (40, 2)],
        (24, 100): [(20, 24), (50, 6), (100, 3)],
        (8, 3): [(1, 8), (2, 2), (3, 1)],
    }
    for (count, epochs), expected in told.items():
        found = rungs(count, Stopping(epochs=epochs))
        assert [(rung.epochs, rung.settings) for rung in found] == expected


def test_the_same_seconds_have_no_rungs() -> None:
    (only,) = rungs(8, Stopping(epochs=1_000_000, seconds=10))
    assert (only.epochs, only.settings) == (1_000_000, 8)
