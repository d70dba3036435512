"""How far to look ahead and back where nobody says: so that every part holds windows."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asked import prepare
from gatewright import tasks
from gatewright.data.guess import guessing
from gatewright.data.layout import Layout
from gatewright.data.prepared import Part
from gatewright.data.table.reading import read
from gatewright.requests import Columns, Split

USUAL = Split()


def guessed(
    frame: pl.DataFrame, split: Split = USUAL, **said: Any
) -> tuple[Layout, dict[str, str], tuple[Part, ...]]:
    """The layout, why its lengths are what they are, and the parts of what is prepared by it."""
    table = read(frame)
    asked = Columns(targets=("y",), task="forecast", **said)
    layout, guesses = guessing.guess(table, tasks.every(), asked, split)
    with tempfile.TemporaryDirectory() as folder:
        data = prepare(table, layout, Path(folder) / "data", split=split)
    return layout, {guess.what: guess.why for guess in guesses}, data.preparation.parts


def monthly(rows: int) -> pl.DataFrame:
    months = pl.date_range(date(1900, 1, 1), date(1999, 12, 1), "1mo", eager=True)[:rows]
    return pl.DataFrame({"month": months, "y": [float(n % 12 + n % 5) for n in range(rows)]})


@pytest.mark.parametrize(
    ("rows", "horizon", "windows", "why"),
    [
        (200, 12, 29, "usual for the frequency"),
        (144, 10, 20, "12 would be {}; 10 leave 20 test windows"),
        (110, 3, 20, "12 would be {}; 3 leave 20 test windows"),
        (80, 3, 14, "12 would be {}; 3, the fewest that are guessed, leave 14 test windows"),
        (24, 2, 4, "12 would be {}; validation or test has only 2 of 24 rows"),
        (11, 1, 2, "12 would be {}; validation or test has only 1 of 11 rows"),
    ],
)
def test_a_horizon_that_leaves_windows_to_test_on(
    rows: int, horizon: int, windows: int, why: str
) -> None:
    layout, said, parts = guessed(monthly(rows), season=1)
    assert (layout.horizon, parts[2].examples) == (horizon, windows)
    assert said["horizon"] == why.format("usual for the frequency")
    assert bool(parts[2].remark) == (windows < 20)
    assert all(part.examples for part in parts)


@pytest.mark.parametrize("rows", [*range(11, 60, 7), *range(95, 175, 5), 400])
def test_twenty_windows_where_three_steps_leave_them(rows: int) -> None:
    layout, _, parts = guessed(monthly(rows))
    test = int(parts[2].holds[0].split()[0])
    assert parts[2].examples == test - layout.horizon + 1
    assert parts[2].examples >= 20 or layout.horizon <= 3
    # It gives up no more than it must.
    longer = layout.horizon + 1
    validation = int(parts[1].holds[0].split()[0])
    assert layout.horizon == 12 or longer > validation or test - longer + 1 < 20


def test_a_horizon_that_was_given_stays() -> None:
    layout, said, parts = guessed(monthly(144), horizon=14)
    assert (layout.horizon, "horizon" in said) == (14, False)
    assert parts[2].examples == 16
    assert parts[2].remark.startswith("fewer than 20 windows say little: a smaller `horizon`")
    _, _, parts = guessed(monthly(60))  # 12 rows of test: no horizon leaves 20 windows
    assert parts[2].remark == "fewer than 20 windows say little: add rows"


@pytest.mark.parametrize(
    ("split", "horizon"),
    [
        (Split((0.5, 0.2, 0.3)), 12),
        (Split((0.8, 0.1, 0.1)), 3),
        (Split(rows=(60, 20, 25)), 6),
        (Split(rows=(60, 8, 60)), 8),
    ],
)
def test_it_knows_how_the_table_will_be_cut(split: Split, horizon: int) -> None:
    layout, _, parts = guessed(monthly(144), split)
    assert layout.horizon == horizon
    assert all(part.examples for part in parts)
    assert parts[2].examples >= 20 or layout.horizon == 3


def test_a_split_column_says_how_the_table_will_be_cut() -> None:
    split = ["train"] * 100 + ["test"] * 25
    layout, _, parts = guessed(monthly(125).with_columns(split=pl.Series(split)))
    assert (layout.split, layout.horizon) == ("split", 6)
    assert [part.holds[0] for part in parts] == ["88 months", "12 months", "25 months"]


def many(spans: dict[str, tuple[int, int]]) -> pl.DataFrame:
    first = date(2000, 1, 1)
    return pl.concat(
        pl.DataFrame(
            {
                "shop": name,
                "day": [first + timedelta(begin + step) for step in range(length)],
                "y": [float(step % 7 + step % 4) for step in range(length)],
            }
        )
        for name, (begin, length) in spans.items()
    )


def test_windows_of_many_series_add_up() -> None:
    layout, _, parts = guessed(many({f"s{n}": (0, 70) for n in range(10)}))
    assert (layout.horizon, parts[2].examples) == (7, 80)
    layout, said, parts = guessed(many({f"s{n}": (40 * n, 70) for n in range(2)}))
    assert (layout.horizon, parts[2].examples) == (5, 20)
    assert said["horizon"] == "7 would be one season; 5 leave 20 test windows"


def test_many_short_series_do_not_shorten_it_for_the_long() -> None:
    spans = {f"short {n}": (17 * n, 9) for n in range(60)} | {"a": (0, 700), "b": (400, 700)}
    layout, _, parts = guessed(many(spans))
    assert layout.horizon == 7
    assert [part.holds[0] for part in parts] == ["2 series"] * 3


def test_dates_that_leave_a_short_validation_shorten_it() -> None:
    """Most rows are at the end, so that the dates lie close together."""
    spans = {f"new {n}": (350, 50) for n in range(40)} | {f"old {n}": (0, 400) for n in range(2)}
    layout, said, parts = guessed(many(spans))
    assert {part.when == "each at its own place" for part in parts} == {False}
    assert layout.horizon <= 6
    assert said["horizon"].startswith("7 would be one season; validation or test has only")
    assert guessed(many(spans), Split(cut="series"))[0].horizon == 5


@pytest.mark.parametrize(("count", "context"), [(100, 12), (50, 9)])
def test_many_short_series_look_back_a_season(count: int, context: int) -> None:
    """Half of 25 months of training, less the horizon, is 9: a network would not see last year."""
    months = pl.date_range(date(2021, 1, 1), date(2023, 12, 1), "1mo", eager=True)
    one = pl.DataFrame({"month": months, "y": [float(n % 12 + n % 5) for n in range(36)]})
    frames = [one.with_columns(shop=pl.lit(f"shop {number}")) for number in range(count)]
    layout, said, parts = guessed(pl.concat(frames), series="shop")
    assert (layout.season, layout.horizon, layout.context) == (12, 3, context)
    assert ("many series" in said["context"]) == (context == 12)
    # Windows of whole contexts, 25 - 12 - 3 + 1 of each series.
    assert parts[0].examples >= count * (25 - context - 3 + 1)
