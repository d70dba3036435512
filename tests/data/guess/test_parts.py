"""The part of each column: no target and nothing left out is an input, in any shape of table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asked import guess, prepare
from gatewright.data.layout import Layout
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns, Split

ROWS, WIDTH = 120, 6
VALUES = [f"x{number}" for number in range(WIDTH)]


def noise(seed: int = 0) -> pl.DataFrame:
    """Columns x0 to x5 of independent numbers."""
    numbers = np.random.default_rng(seed).normal(size=(ROWS, WIDTH))
    return pl.DataFrame(numbers, schema=VALUES)


def one_series() -> pl.DataFrame:
    times = [date(2024, 1, 1) + timedelta(days=day) for day in range(ROWS)]
    return noise().with_columns(day=pl.Series(times))


def many_series() -> pl.DataFrame:
    half = one_series().head(ROWS // 2)
    both = [half.with_columns(shop=pl.lit(name)) for name in ("one", "two")]
    return pl.concat(both)


def sequences() -> pl.DataFrame:
    """In long form, four rows each; every value but x0 changes within a sequence."""
    place = pl.int_range(pl.len())
    # Each column may be the target: it is made the same in all rows of a sequence.
    return noise().with_columns(id=pl.format("s{}", place // 4), step=place % 4)


def wide() -> pl.DataFrame:
    return noise()


SHAPES: dict[str, Callable[[], pl.DataFrame]] = {
    each.__name__: each for each in (one_series, many_series, sequences, wide)
}


def parts_of(layout: Layout) -> tuple[set[str], set[str]]:
    """(the targets and what is left out, all that goes into the networks)."""
    return {*layout.targets, *layout.ignored}, {*layout.inputs, *layout.steps}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("target", "ignored"),
    [
        (target, ignored)
        for target, ignored in product(VALUES, [(), ("x0",), ("x3",), ("x5",), ("x1", "x4")])
        if target not in ignored
    ],
)
def test_no_target_and_nothing_ignored_is_an_input(
    shape: str, target: str, ignored: tuple[str, ...], tmp_path: Path
) -> None:
    frame = SHAPES[shape]()
    if shape == "sequences":
        frame = frame.with_columns(pl.col(target).first().over("id"))
    layout, _ = guess(read(frame), Columns(targets=[target], ignore=ignored))
    assert layout.task == ("forecast" if "series" in shape else "regress")
    out, inside = parts_of(layout)
    assert set(ignored) < out
    assert inside == set(VALUES) - {target, *ignored}
    data = prepare(read(frame), layout, tmp_path / "data")
    channels = data.preparation.channels
    told = {channel.column for channel in channels if channel.role != "target"}
    assert told.isdisjoint(out)
    assert [channel.column for channel in channels if channel.role == "target"] == (
        [target] if layout.task == "forecast" else []
    )
    # A wide table's values are one channel, of the steps alone.
    assert told - {None} == (set() if layout.steps else inside)


FLAGS = ("targets", "known", "categories", "ignore")
SINGLE = ("time", "series", "sequence", "step", "group", "split")
COLUMNS = [*VALUES, "day", "shop", "id", "step", "split", "k"]


def test_a_step_may_tell_the_group_and_be_named_as_a_category() -> None:
    said = Columns(targets=("x5",), task="regress", categories=("x0",), group="x0")
    layout, _ = guess(read(SHAPES["wide"]()), said)
    assert layout.group == "x0"
    assert layout.steps == ("x1", "x2", "x3", "x4")


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_whatever_is_said_a_layout_keeps_its_parts_apart(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([*SHAPES.values()]))
    place = pl.int_range(pl.len())
    frame = shape().with_columns(
        split=pl.when(place < 80).then(pl.lit("train")).otherwise(pl.lit("test")), k=place // 20
    )
    frame = frame.select(data.draw(st.permutations(frame.columns)))
    several = st.lists(st.sampled_from(COLUMNS), max_size=2, unique=True)
    said: dict[str, Any] = {flag: data.draw(several) for flag in FLAGS}
    for flag in data.draw(st.sets(st.sampled_from(SINGLE), max_size=2)):
        said[flag] = data.draw(st.sampled_from(COLUMNS))
    said["targets"] = said["targets"] or ["x5"]
    said["task"] = data.draw(st.sampled_from([None, "forecast", "classify", "regress"]))
    with contextlib.suppress(InputError):
        layout, _ = guess(read(frame), Columns(**said))
        out, inside = parts_of(layout)
        assert out.isdisjoint(inside)
        assert set(said["targets"]) == set(layout.targets)
        assert inside.isdisjoint(said["ignore"])


WRONG: list[dict[str, Any]] = [
    {"numbers": ("y",)},
    {"categories": ("y",)},
    {"steps": ("x0", "y", "x1")},
    {"numbers": ("x",), "ignored": {"x": "--ignore"}},
    {"steps": ("x0", "x1"), "ignored": {"x1": "--ignore"}},
    {"numbers": ("x",), "time": "x"},
    {"numbers": ("x",), "split": "x"},
    {"time": "y"},
    {"series": "y"},
    {"known": ("x",)},
    {"targets": ("y", "y")},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_layout_of_a_column_with_two_parts_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"two parts|no input"):
        Layout(**{"task": "forecast", "targets": ("y",), **wrong})


def test_a_series_or_group_may_be_an_input_too() -> None:
    layout, _ = guess(
        read(many_series()), Columns(targets=["x5"], series="shop", known=["shop"], horizon=3)
    )
    assert (layout.series, layout.categories, layout.known) == ("shop", ("shop",), ("shop",))
    for flag, name in product(("known", "categories"), ("split",)):
        place = pl.int_range(pl.len())
        part = pl.when(place < 80).then(pl.lit("train")).otherwise(pl.lit("test"))
        frame = one_series().with_columns(split=part)
        layout, _ = guess(read(frame), Columns(targets=["x5"], **{flag: [name]}))
        assert (layout.split, layout.categories) == (None, ("split",))


def with_parts(frame: pl.DataFrame) -> pl.DataFrame:
    """With a column that says the part: half of the rows train, and the next quarter."""
    row, every = pl.int_range(pl.len()), pl.len()
    part = pl.when(row * 2 < every).then(pl.lit("train"))
    part = part.when(row * 4 < every * 3).then(pl.lit("validation")).otherwise(pl.lit("test"))
    return frame.with_columns(split=part)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (one_series(), Columns(targets=("x0",), horizon=4, context=8)),
        (sequences(), Columns(targets=("label",), sequence="id", step="step")),
    ],
    ids=["series", "sequences"],
)
def test_shares_go_before_a_guessed_column_of_parts_and_it_is_said(
    frame: pl.DataFrame, said: Columns, tmp_path: Path
) -> None:
    if said.sequence:
        frame = frame.with_columns(label=pl.int_range(pl.len()) // 4 % 2)
    table = read(with_parts(frame))
    layout, guesses = guess(table, said)
    assert layout.split == "split"
    halves = Split((0.4, 0.3, 0.3), told=True)
    layout, guesses = guess(table, said, halves)
    assert (layout.split, "split" in layout.inputs) == (None, False)
    (told,) = [each for each in guesses if each.what == "split"]
    assert (told.value, told.argument) == ("by shares", "split")
    assert told.why == "the column split is not used, as `shares` says how long the parts are"
    data = prepare(table, layout, tmp_path / "data", split=halves)
    every = data.lengths.sum().item() if said.sequence is None else len(data.items)
    count = data.bounds[:, 1] - data.bounds[:, 0] if said.sequence is None else data.part == 0
    assert count.sum().item() == pytest.approx(0.4 * every, abs=2)


def test_two_ways_to_say_the_parts_are_refused() -> None:
    table = read(with_parts(one_series()))
    said = Columns(targets=("x0",), split="split")
    for split, name in ((Split(told=True), "shares"), (Split(rows=(60, 30, 30)), "rows")):
        with pytest.raises(InputError, match=f"`split='split'` says the part .* and `{name}` how"):
            guess(table, said, split)
    with pytest.raises(InputError, match="`shares` and `rows` both say"):
        Split(rows=(60, 30, 30), told=True)


def test_rows_of_whole_sequences_are_refused(tmp_path: Path) -> None:
    table = read(sequences().with_columns(label=pl.int_range(pl.len()) // 4 % 2))
    layout, _ = guess(table, Columns(targets=("label",), sequence="id", step="step"))
    with pytest.raises(InputError, match="`rows` are lengths in steps of forecasts"):
        prepare(table, layout, tmp_path / "data", split=Split(rows=(60, 30, 30)))
