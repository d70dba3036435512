"""What is noted of forecasts that can tell little: of labelled examples, of a test part at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sklearn.datasets

from asked import guess, prepare
from gatewright.data import sets
from gatewright.data.layout import Layout
from gatewright.data.table.reading import read
from gatewright.requests import Columns
from places import data_set


def noted(source: Any, tmp_path: Path, **given: Any) -> tuple[str, ...]:
    table = read(source)
    data = prepare(table, guess(table, Columns(**given))[0], tmp_path / "data")
    assert data.layout.task == "forecast"
    return data.preparation.notes


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_labelled_examples_are_told_from_a_series(
    name: str, shuffled: bool, tmp_path: Path
) -> None:
    values, label = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    columns = {f"{chr(97 + at)} of it": column for at, column in enumerate(values.T)}
    frame = pl.DataFrame({**columns, "target": label})
    if shuffled:
        frame = frame.sample(fraction=1, shuffle=True, seed=0)
    notes = noted(frame, tmp_path)
    assert (
        "target holds only 3 different whole numbers, and no column orders the rows: if each row "
        "is an example of its own, this is no table of sequences, and Gatewright compares networks "
        "on sequences; name what orders the rows with `time`, or what makes a sequence with "
        "`sequence`"
    ) in notes
    assert any("target never changes in the test part" in note for note in notes) != shuffled
    # With times, or as numbers that are many, it is a series.
    timed = frame.with_columns(day=pl.date(2024, 1, 1) + pl.duration(days=pl.int_range(pl.len())))
    many = frame.with_columns(target=pl.col("target") * 0.5)
    for other in (timed, many):
        assert not any("example of its own" in note for note in noted(other, tmp_path))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("airline", {}),
        ("sunspots", {}),
        ("co2", {}),
        ("ETTh1.csv", {"targets": ["OT"]}),
        ("beijing-pm25.csv", {"targets": ["pm2.5"]}),
    ],
)
def test_series_are_not_taken_for_examples(
    name: str, given: dict[str, Any], tmp_path: Path
) -> None:
    path = data_set(name) if "." in name else sets.path(name)
    notes = noted(path, tmp_path, **given)
    assert not any("example of its own" in note or "never changes" in note for note in notes)


def test_a_target_that_changes_in_one_series_changes(tmp_path: Path) -> None:
    flat = [float(row % 3) for row in range(30)] + [1.0] * 10
    frame = pl.concat(
        pl.DataFrame({"shop": shop, "day": range(40), "y": values})
        for shop, values in {"a": flat, "b": [2 * value for value in flat]}.items()
    )
    told = "y never changes in the test part"
    layout = Layout(
        task="forecast",
        targets=("y",),
        time="day",
        frequency="1i",
        series="shop",
        horizon=2,
        context=4,
    )
    data = prepare(read(frame), layout, tmp_path / "flat")
    assert [note.startswith(told) for note in data.preparation.notes] == [True, False]
    moved = frame.with_columns(
        y=pl.when(pl.int_range(pl.len()) == len(frame) - 1).then(3.5).otherwise("y")
    )
    notes = prepare(read(moved), layout, tmp_path / "moved").preparation.notes
    assert not any(note.startswith(told) for note in notes)
