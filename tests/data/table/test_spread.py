"""Series that are spread over columns: a row a year with a column a month, a row a day by hours."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asked import guess
from gatewright.cli import main
from gatewright.data.layout import Layout
from gatewright.data.table.reading import Table, read
from gatewright.errors import InputError
from gatewright.requests import Columns

SHORT = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
LONG = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
NAMES = (
    SHORT,
    LONG,
    tuple(str(n) for n in range(1, 13)),
    tuple(f"M{n:02}" for n in range(1, 13)),
    tuple(f"month {n}" for n in range(1, 13)),
)


def value(year: int, month: int) -> float:
    return year % 10 + month / 100


def yearly(names: tuple[str, ...] = SHORT, **more: Any) -> pl.DataFrame:
    years = list(range(1990, 2010))
    columns = {name: [value(y, m) for y in years] for m, name in enumerate(names, 1)}
    return pl.DataFrame({"YEAR": years, **columns, **more})


def guessed(table: Table, **said: Any) -> tuple[Layout, dict[str, str]]:
    layout, guesses = guess(table, Columns(**said))
    return layout, {each.what: f"{each.value}: {each.why}" for each in guesses}


@pytest.mark.parametrize("names", NAMES)
def test_months_become_rows_whatever_they_are_called(names: tuple[str, ...]) -> None:
    table = read(yearly(names))
    rows = table.frame.collect()
    assert (table.rows, len(rows)) == (240, 240)
    assert rows["time"].to_list() == [
        date(y, m, 1) for y in range(1990, 2010) for m in range(1, 13)
    ]
    assert rows["value"].to_list() == [value(y, m) for y in range(1990, 2010) for m in range(1, 13)]
    layout, said = guessed(table)
    assert (layout.time, layout.targets, layout.inputs) == ("time", ("value",), ())
    assert layout.frequency == "1mo"
    assert said["rows"].startswith("12 of each: one for every month")
    assert "`time='YEAR'` keeps one row a year" in said["rows"]


def test_what_is_not_known_yet_is_left_off_and_what_is_between_stays() -> None:
    frame = yearly().cast({"YEAR": pl.Float64})
    for row, column in ((0, "JAN"), (0, "FEB"), (5, "MAR"), (19, "NOV"), (19, "DEC")):
        frame[row, column] = None
    rows = read(frame).frame.collect()
    assert (rows["time"][0], rows["time"][-1]) == (date(1990, 3, 1), date(2009, 10, 1))
    assert rows["value"].null_count() == 1
    assert read(frame).where(10) == "row 2 of the data frame"  # January 1991
    with pytest.raises(InputError, match="has no value in YEAR and the columns JAN to DEC"):
        read(frame.with_columns(pl.col(SHORT).cast(pl.Float64) * None))


def test_a_number_for_the_whole_year_is_left_out() -> None:
    frame = yearly().with_columns(ANNUAL=pl.mean_horizontal(SHORT), DJF=pl.col("DEC") * 2)
    layout, said = guessed(read(frame))
    assert layout.inputs == ()
    assert said["ignored"] == "ANNUAL, DJF: one for a whole year, of which the rows are months"
    assert guessed(read(frame, said=Columns(ignore=("DJF",))), ignore=("DJF",))[0].time == "time"


def test_several_series() -> None:
    both = pl.concat([yearly(station=[name] * 20) for name in ("a", "b")])
    both[0, "JAN"] = both[39, "DEC"] = None
    table = read(both)
    assert table.rows == 2 * 240 - 2
    layout, _ = guessed(table)
    assert (layout.series, layout.inputs) == ("station", ())
    by_number = both.with_columns(station=pl.when(pl.col("station") == "a").then(7).otherwise(9))
    assert guessed(read(by_number), series="station")[0].series == "station"


@pytest.mark.parametrize(
    "said",
    [
        {"targets": ("DEC",)},
        {"targets": ("ANNUAL",), "time": "YEAR"},
        {"known": ("JAN",)},
        {"ignore": ("JAN",)},
        {"frequency": "1y"},
        {"sequence": "YEAR"},
    ],
)
def test_another_reading_that_is_asked_for_goes_before(said: dict[str, Any]) -> None:
    table = read(yearly(ANNUAL=[1.0] * 20), said=Columns(**said))
    assert (table.rows, "value" in table.schema) == (20, False)


def test_what_looks_alike_is_left_alone() -> None:
    frame = yearly()
    for odd in (
        frame.drop("JUN"),
        frame.drop("YEAR"),
        frame.with_columns(YEAR=pl.lit(2000)),  # the same twice
        frame.with_columns(YEAR=pl.int_range(pl.len())),
        frame.with_columns(JUN=pl.lit("warm")),
        frame.with_columns(june=1.0),  # June twice
        frame.with_columns(label=pl.lit("wet")),  # of the whole year
    ):
        assert "value" not in read(odd).schema
    empty = frame.with_columns(DEC=pl.lit(None, pl.String))
    assert read(empty).frame.collect()["value"].null_count() == 19


def test_a_wrong_value_is_told_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    text = yearly().write_csv().replace("\n1995,5.01", "\n1995,5;01")
    file.write_text(text)
    with pytest.raises(InputError, match=r"'JAN' holds numbers, but in row 6 \(line 7\) of t.csv"):
        read(file)


@pytest.mark.parametrize("names", ["{}", "h{}", "{:02}:00", "Hour {}"])
@pytest.mark.parametrize("first", [0, 1])
def test_hours_of_days(names: str, first: int) -> None:
    days = [date(2022, 3, 1) + timedelta(days=n) for n in range(30)]
    hours = {names.format(n + first): [n + day.day * 100 for day in days] for n in range(24)}
    table = read(pl.DataFrame({"date": days, **hours}))
    rows = table.frame.collect()
    assert rows["time"][25] == datetime(2022, 3, 2, 1)
    assert rows["value"][25] == 201
    _, said = guessed(table)
    assert ("begins at midnight" in said["rows"]) == (first == 1)


def test_hours_beside_a_date_in_parts_and_quarters_of_years() -> None:
    days = [date(2022, 3, 1) + timedelta(days=n) for n in range(30)]
    parts = {
        "year": [2022] * 30,
        "month": [day.month for day in days],
        "day": [day.day for day in days],
    }
    table = read(pl.DataFrame(parts | {f"h{n}": [n] * 30 for n in range(1, 25)}))
    assert table.frame.collect()["datetime"][24] == datetime(2022, 3, 2)
    quarters = {f"Q{n}": [float(n)] * 30 for n in range(1, 5)}
    table = read(pl.DataFrame({"year": range(1990, 2020), **quarters}))
    assert table.frame.collect()["time"][5] == date(1991, 4, 1)


def reordered(names: tuple[str, ...]) -> pl.DataFrame:
    return yearly().select("YEAR", *names)


@pytest.mark.parametrize(
    "names", [(*SHORT[9:], *SHORT[:9]), tuple(reversed(SHORT)), tuple(sorted(SHORT))]
)
def test_columns_in_another_order_may_be_years_that_begin_in_another_month(
    names: tuple[str, ...],
) -> None:
    table = read(reordered(names))
    assert (table.rows, "value" in table.schema) == (20, False)
    why = f"{names[0]} to {names[-1]} are called as months, but they do not stand in the order"
    with pytest.raises(InputError, match=f"{why}.*JAN first.*write a row a month"):
        guessed(table)
    assert guessed(table, targets=("JAN",))[0].targets == ("JAN",)


def test_hours_and_quarters_in_another_order() -> None:
    quarters = {f"Q{n}": [float(n + y) for y in range(30)] for n in (2, 3, 4, 1)}
    assert "order of a year" in read(pl.DataFrame({"year": range(1990, 2020), **quarters})).unspread
    days = [date(2022, 3, 1) + timedelta(days=n) for n in range(30)]
    hours = {f"h{(n + 6) % 24}": [float(n)] * 30 for n in range(24)}
    assert "order of a day: put" in read(pl.DataFrame({"date": days, **hours})).unspread
    more = {f"h{n}": [float(n)] * 30 for n in range(25)}
    assert "there are 25 of them" in read(pl.DataFrame({"date": days, **more})).unspread


REASONS = {
    ("\n1995,", "\n1994,"): r"YEAR 1994 stands in row 5 \(line 6\) and row 6 \(line 7\): leave",
    (
        "\n1995,",
        "\n1995*,",
    ): r"YEAR holds '1995\*' in row 6 \(line 7\): write a year",
    ("\n1995,", "\n95,"): r"YEAR holds '95' in row 6 \(line 7\)",
    ("\n1995,", "\n,"): r"YEAR holds nothing in row 6 \(line 7\)",
    (",[4-7].01,", ",warm,"): r"JAN holds 'warm' in row 5 \(line 6\): correct it",
    ("MAY", "Rain"): r"May has no column: add one",
    ("MAY", "Jan."): r"JAN and Jan. are the same month: leave one of the two out",
    ("YEAR", "season"): r"no column holds the year: add one, called year",
    ("YEAR,JAN", "YEAR,JAN,yr"): r"both YEAR and yr may be the year",
}


@pytest.mark.parametrize(("change", "why"), REASONS.items())
def test_why_columns_of_months_are_no_rows_is_said(
    change: tuple[str, str], why: str, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    text = yearly().write_csv()
    if change[1].endswith("yr"):
        text = pl.read_csv(text.encode()).with_columns(yr=pl.col("YEAR") + 1).write_csv()
    else:
        text = re.sub(*change, text)
    file.write_text(text)
    table = read(file)
    for said in ({}, {"targets": ("value",)}):
        with pytest.raises(InputError, match=why):
            guessed(table, **said)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            (",5.12", ",x"),
            r"row 6 \(line 7\) of later.csv: column 'DEC' holds 'x'",
        ),
        (
            ("\n1995,", "\n1994,"),
            "later.csv: JAN to DEC are called as months, but YEAR 1994 stands",
        ),
        (("MAY", "Rain"), "months, but May has no column"),
        (("YEAR", "season"), "months, but no column holds the year"),
    ],
)
def test_why_a_later_table_is_not_read_so_is_said(
    change: tuple[str, str], why: str, tmp_path: Path
) -> None:
    file, later = tmp_path / "t.csv", tmp_path / "later.csv"
    yearly().write_csv(file)
    later.write_text(yearly().write_csv().replace(*change))
    with pytest.raises(InputError, match=why):
        read(later, readings=read(file).readings)
    later.write_text("when,what\n2001,3\n")
    with pytest.raises(InputError, match=r"later.csv: it has no 12 columns of months"):
        read(later, readings=read(file).readings)


@pytest.mark.slow
def test_such_a_file_is_predicted_as_it_was_fitted(tmp_path: Path) -> None:
    file, run, frame = tmp_path / "t.csv", tmp_path / "run", yearly(NAMES[3])
    frame.head(19).write_csv(file)
    command = ["fit", str(file), "--cell", "gru", "--epochs", "1", "--out", str(run)]
    assert main([*command, "--hidden-size", "4"]) == 0
    later = tmp_path / "later.csv"
    frame.with_columns(pl.when(pl.col("YEAR") < 2009).then(pl.col("M11", "M12"))).write_csv(later)
    out = tmp_path / "out.csv"
    for source, first in ((file, "2009-01"), (later, "2009-11")):
        assert main(["predict", str(run), str(source), "--out", str(out)]) == 0
        assert pl.read_csv(out, infer_schema=False)["time"][0] == first
    # A file of rows a month does as well, and another is refused.
    long = tmp_path / "long.csv"
    read(later).frame.collect().select("time", "value").write_csv(long)
    assert main(["predict", str(run), str(long), "--out", str(out)]) == 0
    assert pl.read_csv(out, infer_schema=False)["time"][0] == "2009-11"
    frame.drop("M03").write_csv(long)
    assert main(["predict", str(run), str(long)]) == 2
