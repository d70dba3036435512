"""A sentence about a row names the row that is wrong, in whatever order and shape rows stand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asked import guess, prepare, transform
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns, Split

pytestmark = pytest.mark.slow

ROWS = 120
DAYS = [date(2024, 1, 1) + timedelta(days=day) for day in range(ROWS)]
VALUES = [day % 7 + day * 0.01 for day in range(ROWS)]
HUGE = 1e300
LATE = date(2124, 1, 1)

Cells = dict[str, list[Any]]


def series() -> Cells:
    return {"day": DAYS[:], "y": VALUES[:], "x": VALUES[::-1]}


def gaps() -> Cells:
    """Without ten days, which become steps of their own."""
    return {name: values[:20] + values[30:] for name, values in series().items()}


def by_days() -> Cells:
    """Two series, after one that is too short to be used."""
    rows = [("c", DAYS[day], VALUES[day]) for day in range(3)]
    rows += [(shop, DAYS[day], VALUES[day]) for day in range(ROWS) for shop in "ab"]
    shop, day, y = (list(column) for column in zip(*rows, strict=True))
    return {"shop": shop, "day": day, "y": y}


def by_shops() -> Cells:
    """The same, one after the other."""
    cells = by_days()
    order = sorted(range(len(cells["shop"])), key=lambda row: (row > 2, cells["shop"][row]))
    return {name: [values[row] for row in order] for name, values in cells.items()}


def sequences() -> Cells:
    number = [row // 5 for row in range(ROWS)]
    return {
        "name": [f"s{n}" for n in number],
        "step": [row % 5 for row in range(ROWS)],
        "x": VALUES[:],
        "label": ["ab"[n % 2] for n in number],
    }


def wide() -> Cells:
    steps = {f"x{step}": [row % 7 + step * 0.1 for row in range(ROWS)] for step in range(4)}
    return {**steps, "label": ["ab"[row % 2] for row in range(ROWS)]}


TIMED = {"targets": ["y"], "time": "day"}
SHOPS = {"targets": ["y"], "series": "shop", "time": "day"}
LABELS = {"targets": ["label"], "sequence": "name", "step": "step"}
NOTHING = None

# what: (table, column, row from 1, the value put there, what is given, what is told)
CASES: dict[str, tuple[Callable[[], Cells], str, int, Any, dict[str, Any], str]] = {
    "in training": (series, "y", 11, HUGE, {"targets": ["y"]}, "to square, as 1e+300"),
    "near the largest": (series, "x", 11, 1.7e308, {"targets": ["y"]}, "to square, as 1.7e+308"),
    "in test": (series, "y", 111, HUGE, {"targets": ["y"]}, "y is 1e+300, too far from the train"),
    "an input": (series, "x", 111, HUGE, {"targets": ["y"]}, "x is 1e+300, too far from the train"),
    "after a gap": (gaps, "y", 101, HUGE, {"targets": ["y"]}, "y is 1e+300, too far"),
    "a word": (series, "y", 62, "many", {"targets": ["y"]}, "it holds 'many'"),
    "no time": (series, "day", 62, NOTHING, TIMED, "has no day"),
    "a late time": (series, "day", 62, LATE, TIMED, "after 2124-01-01 in ROW;"),
    "an early time": (series, "day", 62, date(1924, 1, 1), TIMED, "day 1924-01-01 after"),
    "a time twice": (series, "day", 62, DAYS[60], TIMED, "for the second time"),
    "in a panel": (by_shops, "y", 113, HUGE, SHOPS, "y is 1e+300"),
    "in a panel by days": (by_days, "y", 233, HUGE, SHOPS, "y is 1e+300"),
    "a late time in a panel": (by_shops, "day", 173, LATE, SHOPS, "2124-01-01 in ROW within"),
    "a late time by days": (by_days, "day", 173, LATE, SHOPS, "2124-01-01 in ROW within"),
    "no series": (by_days, "shop", 173, NOTHING, SHOPS, "has no shop"),
    "in a sequence": (sequences, "x", 58, HUGE, LABELS, "x is 1e+300, too far"),
    "no step": (sequences, "step", 58, NOTHING, LABELS, "has no value"),
    "a step twice": (sequences, "step", 58, 1, LABELS, "has 1 for the second time"),
    "another label": (sequences, "label", 58, "z", LABELS, "ROW of WHERE has 'z'"),
    "in a row of a wide table": (wide, "x2", 58, HUGE, {"targets": ["label"]}, "1e+300"),
    "no label": (wide, "label", 58, NOTHING, {"targets": ["label"]}, "has no label"),
}  # fmt: skip


def awkward(cells: Cells, path: Path) -> list[int]:
    """Write a file with a mark, line breaks in quotes, empty lines; gives the line of each row."""
    text, lines = io.StringIO(newline=""), []
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*cells, "note"])
    for number, row in enumerate(zip(*cells.values(), strict=True)):
        if number % 17 == 5:
            text.write("\r\n")
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow([*row, "two\r\nlines" if number % 11 == 3 else "a, b"])
    path.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    return lines


def prepared(source: Any, folder: Path, **given: Any) -> None:
    table = read(source)
    layout, _ = guess(table, Columns(**given))
    prepare(table, layout, folder)


@pytest.mark.parametrize("kind", ["frame", "file"])
@pytest.mark.parametrize("what", CASES)
def test_the_row_that_is_wrong_is_told(what: str, kind: str, tmp_path: Path) -> None:
    make, column, row, value, given, told = CASES[what]
    cells = make()
    cells[column][row - 1] = value
    source: Any = tmp_path / "t.csv"
    if kind == "frame":
        source, place, where = pl.DataFrame(cells, strict=False), f"row {row}", "the data frame"
        if isinstance(value, str) and column == "y":
            source = source.with_columns(y=pl.Series([str(cell) for cell in cells["y"]]))
    else:
        lines = awkward(cells, source)
        place, where = f"row {row} (line {lines[row - 1]})", "t.csv"
    ignored = ["note"] if kind == "file" else []
    with pytest.raises(InputError) as caught:
        prepared(source, tmp_path / "data", ignore=ignored, **given)
    told = told.replace("ROW", place).replace("WHERE", where)
    assert told in str(caught.value)
    assert where in str(caught.value)
    assert re.search(rf"\b{re.escape(place)}(?!\d)", str(caught.value))


@pytest.mark.parametrize("row", range(0, ROWS, 5))
def test_the_sequence_whose_number_is_too_large_is_told(row: int, tmp_path: Path) -> None:
    cells = sequences()
    cells["label"] = [row // 5 + 0.5 for row in range(ROWS)]
    cells["label"][row : row + 5] = [HUGE] * 5
    told = rf"the data frame: sequence s{row // 5}: (label is|column 'label' holds .*, as) 1e\+300"
    with pytest.raises(InputError, match=told):
        prepared(pl.DataFrame(cells), tmp_path / "data", **LABELS)


def test_numbers_near_the_largest_need_no_season(tmp_path: Path) -> None:
    """What lies between two of them, to fill a gap, is infinite."""
    cells = series()
    cells["y"] = [None if row % 3 else 1.5e308 * (-1) ** row for row in range(ROWS)]
    with pytest.raises(
        InputError, match=r"row 1 of the data frame: column 'y' holds .*, as 1\.5e\+308; correct"
    ):
        prepared(pl.DataFrame(cells), tmp_path / "data", targets=["y"])


def test_a_time_column_without_a_value_is_told_as_such() -> None:
    frame = pl.DataFrame(series()).with_columns(day=pl.lit(None, pl.String))
    with pytest.raises(InputError, match="found no value in the data frame; write times as"):
        guess(read(frame), Columns(targets=["y"], time="day"))


def test_labels_of_a_table_to_predict_may_be_words(tmp_path: Path) -> None:
    cells = sequences()
    cells["label"] = [row // 5 + 0.5 for row in range(ROWS)]
    table = read(pl.DataFrame(cells))
    layout, _ = guess(table, Columns(**LABELS))
    preparation = prepare(table, layout, tmp_path / "data").preparation
    assert layout.task == "regress"
    cells["label"] = ["not known"] * ROWS
    data = transform(read(pl.DataFrame(cells)), preparation, tmp_path / "more")
    assert len(data.items) == ROWS // 5


def test_the_number_of_series_is_exact() -> None:
    """Many names are counted roughly, which is enough for a choice and not for a sentence."""
    names = [f"shop number {number * number}" for number in range(181)]
    cells = [(name, day, float(day.day)) for day in DAYS[:40] for name in names]
    _, guesses = guess(read(pl.DataFrame(cells, schema=["shop", "day", "y"], orient="row")))
    (found,) = (one for one in guesses if one.what == "series column")
    assert found.why == "times repeat, but not within one of its 181 values"


def test_sentences_name_the_file_and_count_as_people_do(tmp_path: Path) -> None:
    table = read(pl.DataFrame({"day": DAYS, "y": VALUES}))
    layout, _ = guess(table, Columns(targets=["y"]))
    for changes, told in (
        ({"context": 100}, "the data frame: the training part has 84 steps, but a context of 100"),
        ({"horizon": 30}, "the data frame: the validation part has 12 steps, but a horizon of 30"),
    ):
        with pytest.raises(InputError, match=told):
            prepare(table, layout.model_copy(update=changes), tmp_path / "data")
    with pytest.raises(InputError, match="the data frame: the test part has 1 step, but"):
        prepare(table, layout, tmp_path / "data", split=Split(rows=(100, 19, 1)))
    with pytest.raises(InputError, match="the longest series of the data frame has 1 row;"):
        guess(
            read(pl.DataFrame({"s": ["a", "b"], "day": DAYS[:2], "y": [1.0, 2.0]})),
            Columns(targets=["y"], series="s"),
        )
