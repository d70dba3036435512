"""Nothing from the future: no input of a window and nothing fitted sees what comes later."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asked import prepare
from gatewright.data.layout import Layout
from gatewright.data.prepared import PARTS, Preparation, Prepared
from gatewright.data.table.reading import read
from gatewright.errors import InputError

pytestmark = pytest.mark.slow

STEPS = 40  # of the longest series
CONTEXT, HORIZON = 6, 2
START = datetime(2024, 1, 1)
START_HOURS = (START - datetime(1970, 1, 1)) / timedelta(hours=1)

VALUES = ("y", "x", "k", "c")


def value(name: str, random: Random) -> float | str | None:
    """A value of a column; of "k", which is known ahead, always one."""
    if name != "k" and random.random() < 0.2:
        return None
    return random.choice("abc") if name == "c" else random.choice([1, 1e3]) * random.gauss()


@st.composite
def forecasts(draw: st.DrawFn) -> tuple[pl.DataFrame, Layout]:
    """A table of one or several series, with gaps, missing values, and perhaps interleaved."""
    several, regular = draw(st.booleans()), draw(st.booleans())
    random = draw(st.randoms(use_true_random=True))
    rows: list[dict[str, Any]] = []
    for name in ("one", "two", "three")[: draw(st.integers(2, 3)) if several else 1]:
        length = draw(st.integers(STEPS // 2, STEPS)) if name != "one" else STEPS
        gaps = draw(st.sets(st.integers(1, length - 2), max_size=4))
        for step in sorted(set(range(length)) - gaps):
            row = {"time": START + timedelta(hours=step), "series": name}
            rows.append(row | {name: value(name, random) for name in VALUES})
        rows[-1]["y"] = 1.0  # what has no target at the end is left out
    frame = pl.DataFrame(rows, schema_overrides={"y": pl.Float64, "x": pl.Float64, "c": pl.String})
    if draw(st.booleans()):
        frame = frame.sort("time", maintain_order=True)
    layout = Layout(
        task="forecast",
        targets=("y",),
        numbers=("x", "k"),
        categories=("c",),
        known=("k",),
        time="time",
        series="series" if several else None,
        frequency="1h" if regular else None,
        context=CONTEXT,
        horizon=HORIZON,
    )
    return frame, layout


def prepared(frame: pl.DataFrame, layout: Layout, **options: Any) -> Prepared:
    with tempfile.TemporaryDirectory() as folder:  # the maps outlive the files
        return prepare(read(frame), layout, Path(folder) / "data", **options)


def changed(draw: st.DrawFn, frame: pl.DataFrame, rows: list[int]) -> pl.DataFrame:
    """The table with some values of these rows, not the times or names, drawn again."""
    random = draw(st.randoms(use_true_random=True))
    columns = draw(st.sets(st.sampled_from(VALUES), min_size=1))
    some = set(draw(st.lists(st.sampled_from(rows), min_size=1, max_size=8)))
    table = frame.to_dicts()
    for row in some:
        for name in sorted(columns):
            new = value(name, random)
            # A series that lost its last target would be split at other times.
            table[row][name] = 2.0 if name == "y" and new is None else new
    return pl.DataFrame(table, schema=frame.schema)


def fitted(preparation: Preparation) -> dict[str, Any]:
    """All that was fitted: everything but what is told of the table as a whole."""
    return preparation.model_dump(exclude={"notes", "parts"})


def hours(frame: pl.DataFrame) -> list[float]:
    return [(time - START) / timedelta(hours=1) for time in frame["time"]]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_what_comes_after_an_origin_changes_no_input_of_its_window(data: st.DataObject) -> None:
    frame, layout = data.draw(forecasts())
    before = prepared(frame, layout)
    bounds = before.bounds.tolist()
    item = data.draw(st.sampled_from([at for at, each in enumerate(bounds) if each[1] < each[3]]))
    start, training, _, end = bounds[item]
    origin = data.draw(st.integers(max(start + 1, training), end - 1))
    now = before.time[origin].item() / 3.6e9 - START_HOURS
    name = before.items[item]
    later = [
        row
        for row, (hour, series) in enumerate(zip(hours(frame), frame["series"], strict=True))
        if hour >= now and (layout.series is None or series == name)
    ]
    after = prepared(changed(data.draw, frame, later), layout)
    window = slice(max(start, origin - CONTEXT), origin)
    unknown = [at for at, channel in enumerate(before.preparation.channels) if not channel.known]
    assert torch.equal(before.values[window][:, unknown], after.values[window][:, unknown])
    assert torch.equal(before.codes[window], after.codes[window])
    # Not even what is known ahead changes before it is changed.
    assert torch.equal(before.values[window], after.values[window])


def preparable(frame: pl.DataFrame, layout: Layout) -> Prepared:
    """As ``prepared``, of tables whose parts have a window each."""
    try:
        return prepared(frame, layout)
    except InputError as error:
        assume("has no window" not in str(error))
        raise


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_what_lies_outside_training_changes_nothing_that_is_fitted(data: st.DataObject) -> None:
    frame, layout = data.draw(forecasts())
    before = preparable(frame, layout)
    ends = {
        name: before.time[training - 1].item() / 3.6e9 - START_HOURS if training > start else -1
        for name, (start, training, _, _) in zip(before.items, before.bounds.tolist(), strict=True)
    }
    outside = [
        row
        for row, (hour, series) in enumerate(zip(hours(frame), frame["series"], strict=True))
        if hour > ends.get(series if layout.series else before.items[0], STEPS)
    ]
    after = preparable(changed(data.draw, frame, outside), layout)
    assert fitted(before.preparation) == fitted(after.preparation)
    assert torch.equal(before.center, after.center)
    assert torch.equal(before.scale, after.scale)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.booleans(), st.booleans())
def test_sequences_outside_training_change_nothing_that_is_fitted(
    data: st.DataObject, regress: bool, wide: bool
) -> None:
    random, rows = data.draw(st.randoms(use_true_random=True)), []
    for item in range(12):
        label: Any = float(item**2) if regress else "pq"[item % 2]
        for step in range(data.draw(st.integers(1, 4))):
            row = {"sequence": f"s{item}", "step": step, "label": label}
            rows.append(row | {name: value(name, random) for name in VALUES})
    frame = pl.DataFrame(rows, schema_overrides={"y": pl.Float64, "x": pl.Float64, "c": pl.String})
    layout = Layout(
        task="regress" if regress else "classify",
        targets=("label",),
        numbers=("y", "x", "k"),
        categories=("c",),
        sequence="sequence",
        step="step",
    )
    if wide:
        frame = frame.unique("sequence", keep="first", maintain_order=True)
        changes = {"numbers": (), "steps": ("k", "x", "y"), "step": None}
        layout = layout.model_copy(update=changes)
    before = prepared(frame, layout)
    training = PARTS.index("train")
    held_out = {
        name for name, part in zip(before.items, before.part, strict=True) if part != training
    }
    rows_outside = [row for row, name in enumerate(frame["sequence"]) if name in held_out]
    after = prepared(changed(data.draw, frame, rows_outside), layout)
    if after.items == before.items:  # a wide sequence may lose its last step
        assert fitted(before.preparation) == fitted(after.preparation)
