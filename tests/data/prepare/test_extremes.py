"""What looks like a limit of a column of numbers, and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatewright.data.layout import Layout
from gatewright.data.prepare.extremes import Extremes, limits_of, settled
from gatewright.requests import NO_LIMITS

ROWS = 400
STEPS = np.arange(ROWS)
RANDOM = np.random.default_rng(0)
FROM_0 = (0.0, None)


def limits(values: Any, pieces: int = 1, item: Any = None) -> Any:
    """Those of one column given in so many blocks, of one series unless ``item`` says otherwise."""
    numbers = np.array(values, dtype=np.float64)[:, None]
    item = np.zeros(len(numbers), dtype=np.int64) if item is None else item
    extremes = Extremes(1)
    for some in np.array_split(np.arange(len(numbers)), pieces):
        extremes.add(item[some], numbers[some], some >= len(numbers) // 2)
    known = numbers[~np.isnan(numbers)]
    with np.errstate(over="ignore"):
        mean, scale = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
    return extremes.limits(np.array([mean]), np.array([scale]))[0]


def wandering(begin: float = 50.0) -> Any:
    return begin + RANDOM.normal(size=ROWS).cumsum()


def scaled(values: Any) -> Any:
    return (values - values.min()) / (values.max() - values.min())


def rated(*percent: int) -> Any:
    """1 to 5, with these shares."""
    return RANDOM.choice([1, 2, 3, 4, 5], ROWS, p=np.array(percent) / 100)


LATE = STEPS % 2 * STEPS > 300  # every other step, towards the end
COLUMNS: dict[str, tuple[Any, Any]] = {
    "a few of a thing, most often none": (RANDOM.poisson(0.5, ROWS), FROM_0),
    "none, one or two": (RANDOM.choice(3, ROWS, p=[0.5, 0.3, 0.2]), FROM_0),
    "now and then one": (RANDOM.choice(2, ROWS, p=[0.8, 0.2]), FROM_0),
    "passengers": (np.round(100 + STEPS + 30 * np.sin(STEPS)), FROM_0),
    "a concentration": (RANDOM.lognormal(3, 1, ROWS), FROM_0),
    "rain": (RANDOM.gamma(0.5, 3, ROWS) * (RANDOM.random(ROWS) < 0.3), FROM_0),
    "a share, never full": (scaled(wandering()) * 0.9, FROM_0),
    "a share, often empty or full": (np.clip(RANDOM.normal(0.5, 0.5, ROWS), 0, 1), (0, 1)),
    "humidity": (np.minimum(np.round(RANDOM.normal(80, 12, ROWS)), 100), (0, 100)),
    "what was scaled to 0 and 1 by its ends": (scaled(wandering()), FROM_0),
    "ratings, most often the best": (rated(5, 10, 15, 20, 50), (0, 5)),
    "ratings, seldom the best": (rated(10, 20, 40, 20, 10), FROM_0),
    "a full car park": (np.minimum(RANDOM.normal(80.5, 20, ROWS).clip(10.5), 97.5), (None, 97.5)),
    "below what can be detected": (np.maximum(RANDOM.normal(1, 1, ROWS), 0.05), (0.05, None)),
    "debts": (-RANDOM.lognormal(3, 1, ROWS), (None, 0)),
    "growing": (50 + STEPS * 0.37, NO_LIMITS),
    "growing whole": (500 + STEPS, NO_LIMITS),
    "growing by stairs": (30.5 + STEPS // 100 * 10, NO_LIMITS),
    "often at its greatest, but of late": (np.where(LATE, 90.5, 20 + STEPS / 50), NO_LIMITS),
    "degrees in summer": (22.5 + 8 * np.sin(STEPS / 9) + RANDOM.normal(size=ROWS), NO_LIMITS),
    "kelvin": (np.round(285 + 10 * np.sin(STEPS / 9)), NO_LIMITS),
    "an index": (1000 + wandering(), NO_LIMITS),
    "of both signs": (RANDOM.normal(size=ROWS), NO_LIMITS),
    "the same": (np.full(ROWS, 7.0), NO_LIMITS),
    "nothing sold": (np.zeros(ROWS), NO_LIMITS),
    "all missing": (np.full(ROWS, np.nan), NO_LIMITS),
    "no rows": (np.zeros(0), NO_LIMITS),
    "one row": (np.ones(1), NO_LIMITS),
    "three rows": ([3, 1, 2], FROM_0),
    "as large as can be": ([1e300, -1e300, 0.5], NO_LIMITS),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_limit_is_what_training_reaches_and_does_not_pass(name: str) -> None:
    values, expected = COLUMNS[name]
    assert limits(values) == expected


@pytest.mark.parametrize("name", COLUMNS)
def test_with_all_signs_turned_a_floor_is_a_ceiling(name: str) -> None:
    values, (floor, ceiling) = COLUMNS[name]
    turned = [None if end is None else -end for end in (ceiling, floor)]
    assert list(limits(-np.asarray(values, dtype=np.float64))) == turned


@pytest.mark.parametrize("name", COLUMNS)
def test_missing_values_and_blocks_change_nothing(name: str) -> None:
    values, expected = COLUMNS[name]
    with_gaps = np.insert(np.asarray(values, dtype=np.float64), [0] * bool(len(values)), np.nan)
    assert limits(with_gaps, pieces=7) == expected


def test_a_place_is_counted_once_however_long_a_value_stays() -> None:
    values = 20.5 + 5 * RANDOM.random(ROWS)
    values[50:90] = values[250:290] = 30.25  # two places, 20% of all rows
    assert limits(values) == NO_LIMITS
    values[100:200:10] = 30.25  # ten more
    assert limits(values) == (None, 30.25)


def test_each_series_is_a_place_of_its_own() -> None:
    values, item = 20.5 + 5 * RANDOM.random(ROWS), STEPS // 20
    values[::20] = values[19::20] = 30.25  # the last of one and the first of the next are two
    assert limits(values, item=item) == (None, 30.25)


def test_numbers_without_an_order_are_each_a_place() -> None:
    sorted_by_size = np.sort(np.clip(RANDOM.normal(0.5, 0.5, ROWS), 0, 1))[:, None]
    mean, scale = sorted_by_size.mean(0), sorted_by_size.std(0)
    assert limits_of(sorted_by_size, mean, scale) == ((0, 1),)


def test_no_value_is_beyond_what_is_guessed() -> None:
    for seed in range(200):
        random = np.random.default_rng(seed)
        values = random.choice(random.normal(size=5).round(seed % 3) * 10, 80)
        floor, ceiling = limits(values)
        assert floor is None or values.min() >= floor
        assert ceiling is None or values.max() <= ceiling


def test_what_was_said_goes_before_and_is_no_guess() -> None:
    layout = Layout(task="forecast", targets=("a", "b", "c"), limits={"b": (None, None)})
    kept = settled(layout, [FROM_0, FROM_0, FROM_0])
    assert kept["limits"] == (FROM_0, NO_LIMITS, FROM_0)
    (guess,) = kept["guesses"]
    assert (guess.value, guess.argument) == ("a, c: 0 or more", "limits")
    assert settled(layout, [NO_LIMITS] * 3) == {"limits": (), "guesses": ()}
