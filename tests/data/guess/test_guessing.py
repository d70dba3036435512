"""Guessing what columns mean: the shapes, the lengths, and what is said of each choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess
from gatewright.data.guess.seasons import season_of
from gatewright.data.layout import Layout
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns
from places import data_set


def real(name: str, *targets: str, **flags: Any) -> tuple[Layout, dict[str, str]]:
    return guessed(data_set(name), *targets, **flags)


def guessed(source: Any, *targets: str, **flags: Any) -> tuple[Layout, dict[str, str]]:
    layout, guesses = guess(read(source), Columns(targets=targets, **flags))
    return layout, {g.what: f"{g.value} ({g.why}; {g.argument} overrides)" for g in guesses}


def test_airline() -> None:
    layout, said = real("airline-passengers.csv", "Passengers")
    assert said["time column"] == "Month (the only column of dates; time overrides)"
    assert said["season"] == "12 (monthly data; autocorrelation at 12 is 0.96; season overrides)"
    assert layout == Layout(
        task="forecast", targets=("Passengers",), time="Month", frequency="1mo", season=12,
        horizon=10, context=30,
    )  # fmt: skip
    assert real("airline-passengers.csv")[0] == layout


def test_sunspots_have_a_cycle_that_drifts_and_so_no_season() -> None:
    layout, said = real("monthly-sunspots.csv", "Sunspots")
    assert (layout.season, layout.horizon, layout.frequency) == (1, 12, "1mo")
    assert "does not keep its length" in said["season"]


def test_hourly_temperatures() -> None:
    layout, _ = real("ETTh1.csv", "OT")
    assert (layout.season, layout.horizon, layout.context, layout.frequency) == (24, 24, 72, "1h")
    assert layout.numbers == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL")
    every, _ = real("ETTh1.csv", *layout.numbers, "OT")
    assert (every.season, every.inputs, len(every.targets)) == (24, (), 7)


def test_times_in_several_columns_and_columns_of_no_use() -> None:
    layout, said = real("beijing-pm25.csv", "pm2.5")
    assert said["time column"] == "time (made of year, month, day and hour; time overrides)"
    assert said["ignored"].startswith("year, month, day, hour (part of the column time")
    assert (layout.time, layout.frequency, layout.horizon) == ("time", "1h", 24)
    assert layout.categories == ("cbwd",)
    assert layout.ignored["No"] == "counts the rows"


@pytest.mark.parametrize("flags", [{}, {"sequence": "sequence", "step": "step"}])
def test_labelled_sequences(flags: dict[str, str]) -> None:
    layout, said = real("japanese-vowels.csv", "speaker", **flags)
    assert (layout.task, layout.sequence, layout.step) == ("classify", "sequence", "step")
    assert (layout.split, len(layout.numbers), layout.categories) == ("split", 12, ())
    assert "9 different whole numbers" in said["task"]
    layout, _ = real("gunpoint.csv", "label", **flags)
    assert (layout.task, layout.sequence, layout.step) == ("classify", "sequence", "step")
    assert (layout.split, layout.numbers) == ("split", ("x",))


def test_texts_are_no_sequences() -> None:
    with pytest.raises(InputError, match="`target='language'`: it holds words"):
        real("names.csv", "language")


def wide(names: list[str], labels: Callable[[int], object]) -> pl.DataFrame:
    rows = [[labels(row), *(math.sin(row * step) for step in range(len(names)))]
            for row in range(60)]  # fmt: skip
    return pl.DataFrame(rows, schema=["label", *names], orient="row")


@pytest.mark.parametrize("name", ["t{}", "x_{}", "{}", "step {}"])
@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (lambda row: "ab"[row % 2], "classify"),
        (lambda row: row % 2 == 0, "classify"),
        (lambda row: row % 3, "classify"),
        (lambda row: row * 0.37, "regress"),
        (lambda row: row * row, "regress"),
    ],
)
def test_a_row_a_sequence(name: str, labels: Callable[[int], object], task: str) -> None:
    names = [name.format(step) for step in range(9, 21)]
    layout, said = guessed(wide(names, labels), "label")
    assert (layout.task, layout.steps, layout.inputs) == (task, tuple(names), ())
    assert "12 columns of numbers whose names count up" in said["sequences"]


def days(count: int) -> list[date]:
    return [date(2020, 1, 1) + timedelta(days=day) for day in range(count)]


def many(order: list[str], names: tuple[str, str, str] = ("unique_id", "ds", "y")) -> pl.DataFrame:
    rows = [
        {
            names[0]: series,
            names[1]: time,
            names[2]: math.sin(index * 2 * math.pi / 7) + 0.1 * index,
        }
        for series in ("M1", "M2", "Q3")
        for index, time in enumerate(days(100))
    ]
    return pl.DataFrame(rows).sort(order, maintain_order=True)


@pytest.mark.parametrize("order", [["unique_id", "ds"], ["ds", "unique_id"]])
def test_many_series(order: list[str]) -> None:
    layout, said = guessed(many(order), "y")
    assert (layout.series, layout.time, layout.frequency) == ("unique_id", "ds", "1d")
    assert (layout.season, layout.horizon, layout.context) == (7, 7, 21)
    assert "times repeat, but not within one of its 3 values" in said["series column"]
    numbered = many(order).with_columns(pl.col("ds").rank("dense").cast(pl.Int64))
    layout, _ = guessed(numbered, "y")
    assert (layout.series, layout.time, layout.frequency) == ("unique_id", "ds", "1i")
    other = many(order).rename({"unique_id": "shop", "ds": "day", "y": "sold"})
    assert guessed(other, "sold")[0].series == "shop"


FREQUENCIES = ["1s", "1m", "5m", "15m", "30m", "1h", "6h", "1d", "1w", "1mo", "1q", "1y"]


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_frequencies(frequency: str) -> None:
    unit = frequency.lstrip("0123456789")
    count = int(frequency.removesuffix(unit))
    start = pl.lit(datetime(2000, 1, 31))
    offsets = pl.Series([f"{count * step}{unit}" for step in range(200)])
    times = pl.select(start.dt.offset_by(offsets)).to_series()
    # Some rows are missing: the distance is still the most common one.
    frame = pl.DataFrame({"t": times, "v": [index % 11 for index in range(200)]})
    frame = frame.filter(pl.int_range(200) % 29 != 7)
    layout, _ = guessed(frame, "v")
    assert layout.frequency == frequency
    assert layout.horizon <= 19


def test_four_weeks_are_no_month() -> None:
    times = [date(2020, 1, 1) + timedelta(days=28 * step) for step in range(50)]
    frame = pl.DataFrame({"t": times, "v": list(range(50))})
    assert guessed(frame, "v")[0].frequency == "4w"


def test_seasons_are_confirmed_replaced_or_denied() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=3000)
    steps = np.arange(3000)
    weekly = np.sin(steps * 2 * np.pi / 7) + noise * 0.3 + steps * 0.1
    assert season_of("1d", [weekly]).value == "7"
    assert season_of("1d", [np.sin(steps * 2 * np.pi / 365) + noise * 0.2]).value == "365"
    assert season_of(None, [np.sin(steps * 2 * np.pi / 17) + noise * 0.3]).value == "17"
    assert season_of("1d", [noise]).value == "1"
    assert season_of("1d", [noise.cumsum()]).value == "1"
    assert season_of("1h", [np.zeros(500)]).value == "1"


def test_what_is_no_input() -> None:
    rows = 200
    shuffled = np.random.default_rng(0).permutation(rows).tolist()
    frame = pl.DataFrame({
        "day": days(rows), "v": [n * n % 17 for n in range(rows)],
        "row": list(range(1, rows + 1)), "same": [1] * rows, "none": [None] * rows,
        "text": [f"said {n}" for n in shuffled], "list": [[1]] * rows,
        "other": days(rows)[::-1], "kind": [f"k{n % 3}" for n in shuffled],
        "flag": [n % 3 == 0 for n in shuffled], "code": [n % 4 for n in shuffled],
    }, strict=False)  # fmt: skip
    layout, _ = guessed(frame, "v", categories=["code"], known=["flag"], time="day")
    assert set(layout.ignored) == {"row", "same", "none", "text", "list", "other"}
    assert (layout.numbers, layout.categories) == (("flag",), ("kind", "code"))
    assert layout.known == ("flag",)


def test_a_split_is_honoured_if_it_cuts_in_time() -> None:
    parts = ["train"] * 70 + ["val"] * 10 + ["TEST"] * 20
    frame = pl.DataFrame({"day": days(100), "v": [n * n % 17 for n in range(100)], "split": parts})
    layout, said = guessed(frame, "v")
    assert layout.split == "split"
    assert said["split"].startswith("split (its values are train, val, TEST")
    layout, said = guessed(frame.with_columns(pl.col("split").reverse()), "v")
    assert layout.split is None
    assert "does not cut the series in time" in said["split"]


SERIES = pl.DataFrame({"day": days(100), "v": [n * n % 17 for n in range(100)]})
LONG = pl.DataFrame({
    "name": [f"s{n // 5}" for n in range(100)], "step": [n % 5 for n in range(100)],
    "x": [math.sin(n) for n in range(100)], "label": ["ab"[n // 5 % 2] for n in range(100)],
})  # fmt: skip
TWICE = pl.DataFrame({"day": [d for d in days(50) for _ in "ab"], "v": [n % 7 for n in range(100)]})
ROW = pl.int_range(pl.len())


def errors() -> Iterator[tuple[str, pl.DataFrame, dict[str, Any], str]]:
    yield (
        "absent",
        SERIES,
        {"targets": ["V2"]},
        r"`target='V2'`: .* no such column; the nearest is 'v'",
    )
    yield "two parts", SERIES, {"targets": ["v"], "time": "v"}, "given by `target` and `time`"
    yield "known", SERIES, {"targets": ["v"], "known": ["v"]}, "given by `target` and `known`"
    yield "far", SERIES, {"targets": ["v"], "horizon": 11}, "`horizon=10` or less"
    yield "long", SERIES, {"targets": ["v"], "horizon": 5, "context": 90}, r"\(90 \+ 5 = 95\)"
    yield "few", SERIES.head(8), {"targets": ["v"]}, "has 8 rows; a forecast needs"
    yield "frequency", SERIES, {"targets": ["v"], "frequency": "often"}, "'often' is no"
    constant = SERIES.with_columns(v=1)
    yield "constant", constant, {"targets": ["v"]}, "all values in the data frame are the same"
    missing = SERIES.with_columns(v=pl.lit(None, pl.Float64))
    yield "missing", missing, {"targets": ["v"]}, "all values in the data frame are missing"
    yield "twice", TWICE, {"targets": ["v"]}, "row 2 of .* 2020-01-01 for the second time.*`series`"
    unsorted = SERIES.with_columns(day=pl.when(ROW == 50).then(date(2019, 1, 1)).otherwise("day"))
    yield "unsorted", unsorted, {"targets": ["v"]}, "row 51 of .* has the day 2019-01-01 after"
    yield (
        "no time",
        SERIES.with_columns(t=pl.lit("x1") + "y"),
        {"targets": ["v"], "time": "t"},
        ("`time='t'`: expected times or whole numbers, found 'x1y' in row 1"),
    )
    gap = SERIES.with_columns(day=pl.when(ROW != 9).then("day"))
    yield "gap", gap, {"targets": ["v"]}, "row 10 of the data frame has no day"
    yield (
        "several",
        LONG.drop("label").with_columns(z=pl.col("x") * 2),
        {},
        "which one with `target`",
    )
    yield "words", LONG.drop("name"), {"targets": ["label"]}, "it holds words, and a forecast"
    changes = {"targets": ["x"], "sequence": "name"}
    yield "changes", LONG, changes, r"x changes within sequence 's0' \(row 2 .*`series='name'`"
    one = {"targets": ["label"], "sequence": "name"}
    yield "one row", LONG.unique("name"), one, "each of its values has one row"
    rare = LONG.with_columns(label=pl.when(ROW < 5).then(pl.lit("c")).otherwise("label"))
    yield "rare", rare, {"targets": ["label"]}, "label 'c' of the data frame has one"
    unlabelled = LONG.with_columns(label=pl.when(ROW >= 5).then("label"))
    yield (
        "unlabelled",
        unlabelled,
        {"targets": ["label"]},
        "sequence 's0' of the data frame has no label",
    )
    same = {"targets": ["label"], "sequence": "name", "step": "k"}
    yield (
        "step",
        LONG.with_columns(k=1),
        same,
        "row 2 .* has 1 for the second time in sequence 's0'",
    )
    regress = {"targets": ["label"], "task": "regress"}
    yield "regress", LONG, regress, "label of the data frame holds words; expected numbers"
    yield (
        "split",
        LONG,
        {"targets": ["label"], "split": "name"},
        "`split='name'`: expected the values",
    )
    yield "length", LONG, {"targets": ["label"], "horizon": 3}, "`horizon`: only forecasts have it"
    group = {"targets": ["label"], "group": "step"}
    yield "group", LONG, group, "`group='step'`: it changes within a sequence"


@pytest.mark.parametrize(
    ("frame", "flags", "message"),
    [pytest.param(*case[1:], id=case[0]) for case in errors()],
)
def test_errors_say_what_to_do(frame: pl.DataFrame, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        guess(read(frame), Columns(**flags))
    assert "\n" not in str(caught.value)


def test_series_that_two_columns_tell_apart() -> None:
    frame = pl.DataFrame([
        {"store": store, "item": item, "day": day, "sold": day.day * store % 7}
        for day in days(50) for store in (1, 2) for item in (1, 2)
    ])  # fmt: skip
    with pytest.raises(InputError, match="item and store together tell the rows apart"):
        guessed(frame, "sold")
    joined = frame.with_columns(series=pl.format("{}-{}", "store", "item"))
    layout, _ = guessed(joined, "sold")
    assert (layout.series, layout.numbers) == ("series", ("store", "item"))


def test_years_and_identifiers_are_no_targets() -> None:
    values = {"gdp": [n * n % 13 for n in range(60)]}
    years = {"year": [1950 + n for n in range(60)]}
    assert guessed(pl.DataFrame(years | values))[0].targets == ("gdp",)
    numbers = {
        "nr": range(60),
        "patient_id": [n // 20 for n in range(60)],
        "week": [n % 20 for n in range(60)],
    }
    for more in (numbers, {"patient": numbers["patient_id"], "week": numbers["week"]}):
        assert guessed(pl.DataFrame(more | values))[0].targets == ("gdp",)
    with pytest.raises(InputError, match=r"several columns that could be predicted \(gdp, other\)"):
        guessed(pl.DataFrame(years | values | {"other": range(60, 0, -1)}))
    # Where there is nothing else, they are.
    assert guessed(pl.DataFrame({"index": [n * n % 13 for n in range(60)]}))[0].targets == (
        "index",
    )


@pytest.mark.parametrize("first", [0, 1])
def test_what_numbers_the_rows_of_each_sequence_is_a_step(first: int) -> None:
    lengths = [5, 8, 3, 6] * 10
    rows = [
        (f"s{n}", first + at, at * n % 5, "ab"[n % 2])
        for n, long in enumerate(lengths)
        for at in range(long)
    ]
    frame = pl.DataFrame(rows, schema=["who", "visit", "count", "kind"], orient="row")
    layout, said = guessed(frame, "kind")
    assert (layout.step, layout.inputs) == ("visit", ("count",))
    assert said["step"].startswith("visit (it numbers the rows of each sequence")
    assert (
        guessed(frame.sample(fraction=1, shuffle=True, seed=1), "kind", sequence="who")[0].step
        == "visit"
    )
    for odd in (pl.col("visit") + 2, pl.col("visit") * 2, pl.col("visit") % 4, pl.lit(1)):
        assert guessed(frame.with_columns(visit=odd), "kind")[0].step is None


def test_words_that_are_called_a_date_are_shown() -> None:
    dates = [f"{n % 28 + 1}. Januar {1900 + n}" for n in range(60)]
    _, said = guessed(pl.DataFrame({"date": dates, "v": [n * n % 7 for n in range(60)]}))
    assert (
        "date holds '1. Januar 1900', which is not read as a time: write 2024-01-31"
        in said["time column"]
    )


def test_a_target_of_dates_is_told_what_else_there_is() -> None:
    frame = pl.DataFrame({"day": [date(2022, 1, 1)] * 9, "v": range(9), "w": range(9)})
    with pytest.raises(InputError, match="give another column, of numbers v, w"):
        guessed(frame, "day")
