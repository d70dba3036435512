"""A time that stands in several columns: a year and a month, a quarter, a week, a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess
from gatewright.cli import main
from gatewright.data.layout import Layout
from gatewright.data.table.reading import Table, read
from gatewright.errors import InputError
from gatewright.requests import Columns

YEARS = range(2001, 2009)
MONTHS = (
    "January",
    "Feb",
    "march",
    "APR",
    "May",
    "june",
    "Jul.",
    "Aug",
    "Sept",
    "Oct",
    "Nov",
    "Dec",
)


def monthly(**columns: Callable[[int, int], Any]) -> pl.DataFrame:
    """A row a month: each column from (year, month), and what was sold."""
    rows = [(year, month) for year in YEARS for month in range(1, 13)]
    made = {name: [of(*row) for row in rows] for name, of in columns.items()}
    season = [10 + 5 * np.sin(month / 2) + 0.01 * (year * month % 7) for year, month in rows]
    return pl.DataFrame(made | {"sales": season})


def guessed(table: Table, **said: Any) -> tuple[Layout, dict[str, str]]:
    layout, guesses = guess(table, Columns(**said))
    return layout, {each.what: f"{each.value}: {each.why}" for each in guesses}


@pytest.mark.parametrize(
    "columns",
    [
        {"year": lambda y, m: y, "month": lambda y, m: m},
        {"Month": lambda y, m: float(m), "Year": lambda y, m: float(y)},
        {"yr": lambda y, m: str(y), "mon": lambda y, m: f"{m:02}"},
        {"month": lambda y, m: MONTHS[m - 1], "year": lambda y, m: y},
        {"year": lambda y, m: y, "month": lambda y, m: f"M{m:02}"},
    ],
)
def test_a_year_and_a_month_are_a_time_however_they_are_written(columns: dict[str, Any]) -> None:
    layout, said = guessed(read(monthly(**columns)))
    assert (layout.time, layout.frequency, layout.season) == ("time", "1mo", 12)
    assert (layout.targets, layout.inputs) == (("sales",), ())
    parts = sorted(columns, key=str.lower, reverse=True)  # the year first
    assert said["time column"] == f"time: made of {parts[0]} and {parts[1]}"


def test_quarters_weeks_and_days_of_the_year() -> None:
    rows = [(year, number) for year in range(1990, 2020) for number in range(1, 5)]
    quarters = pl.DataFrame(rows, schema=["year", "quarter"], orient="row")
    table = read(
        quarters.with_columns(v=pl.int_range(pl.len()) ** 2 % 17, year=pl.col("year") * 1.0)
    )
    assert table.frame.collect()["time"][:3].to_list() == [
        date(1990, 1, 1), date(1990, 4, 1), date(1990, 7, 1),
    ]  # fmt: skip
    assert guessed(table, targets=("v",))[0].frequency == "1q"
    weeks = pl.DataFrame({"week": [53, 1, 2], "year": [2020, 2021, 2021], "v": [1, 5, 2]})
    assert read(weeks).frame.collect()["time"].to_list() == [
        date(2020, 12, 28), date(2021, 1, 4), date(2021, 1, 11),
    ]  # fmt: skip
    days = pl.DataFrame({"year": [2020, 2020], "doy": [60, 366], "v": [1, 5]})
    assert read(days).frame.collect()["time"].to_list() == [date(2020, 2, 29), date(2020, 12, 31)]
    hours = pl.DataFrame({"hour": [0, 24], "day": [1, 1], "year": [2020, 2020], "month": [2, 2]})
    assert read(hours).frame.collect()["time"].to_list() == [
        datetime(2020, 2, 1),
        datetime(2020, 2, 2),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"year": [2001, 2001], "month": [1, 13]},
        {"year": [2001, 2001], "month": [1, None]},
        {"year": [1, 2], "month": [1, 2]},
        {"year": [2021, 2021], "week": [52, 53]},  # 2021 has 52
        {"year": [2021, 2021], "quarter": [4, 5]},
        {"year": [2021, 2021], "month": ["Jan", "Spring"]},
        {"year": [2021, 2021], "day_of_year": [365, 366]},
        {"year": [2021.5, 2021], "month": [1, 2]},
        {"month": [1, 2], "day": [1, 2]},
    ],
)
def test_what_is_no_time_stays_as_it_is(values: dict[str, list[Any]]) -> None:
    table = read(pl.DataFrame(values | {"v": [1, 2]}))
    assert not table.derived
    assert not table.ignored


def test_the_columns_stay_inputs_where_together_they_repeat() -> None:
    random = np.random.default_rng(0)
    cars = pl.DataFrame(
        {
            "year": random.integers(1990, 2000, 200),
            "month": random.integers(1, 13, 200),
            "km": random.normal(size=200),
            "price": random.normal(size=200),
        }
    )
    layout, said = guessed(read(cars), targets=("price",))
    assert (layout.time, layout.inputs) == (None, ("year", "month", "km"))
    assert said["time column"] == "none: year and month together are the same in several rows"


def test_each_series_has_its_times() -> None:
    one = monthly(year=lambda y, m: y, month=lambda y, m: m)
    both = pl.concat([one.with_columns(shop=pl.lit(name)) for name in ("a", "b")])
    for said in ({}, {"series": "shop"}):
        layout, _ = guessed(read(both), **said)
        assert (layout.time, layout.series, layout.inputs) == ("time", "shop", ())


def test_rows_in_another_order_are_told() -> None:
    shuffled = monthly(year=lambda y, m: y, month=lambda y, m: m).sample(
        fraction=1.0, shuffle=True, seed=1
    )
    with pytest.raises(InputError, match="sort the rows by time"):
        guessed(read(shuffled))


def test_they_are_named_together_or_one_alone() -> None:
    frame = monthly(jahr=lambda y, m: y, monat=lambda y, m: m)
    said = Columns(time="jahr, monat", targets=("sales",))
    layout, _ = guess(read(frame, said=said), said)
    assert (layout.time, layout.frequency, layout.inputs) == ("time", "1mo", ())
    with pytest.raises(InputError, match="name the columns with the year first"):
        read(frame, said=Columns(time="monat,jahr"))
    with pytest.raises(InputError, match="are not the parts of a time"):
        read(frame.with_columns(a=1, b=2, c=3, d=4), said=Columns(time="jahr,monat,a,b,c,d"))
    frame = monthly(year=lambda y, m: y, month=lambda y, m: m)
    said = Columns(time="month,year", targets=("sales",))
    assert guess(read(frame, said=said), said)[0].time == "time"
    with pytest.raises(
        InputError, match=r"year and month together are a time: say .time='year,month'"
    ):
        guessed(read(frame), time="year")
    layout, _ = guessed(read(frame), targets=("sales",), ignore=("time",))
    assert (layout.time, layout.inputs) == (None, ("year", "month"))


def test_years_that_are_written_as_decimals_are_whole() -> None:
    frame = pl.DataFrame(
        {"year": [1990.0 + n for n in range(40)], "v": [n * n % 7 for n in range(40)]}
    )
    layout, _ = guessed(read(frame))
    assert (layout.time, layout.targets) == ("year", ("v",))
    assert read(frame.with_columns(year=pl.col("year") + 0.5)).schema["year"] == pl.Float64
    assert read(frame.with_columns(year=pl.lit(1e300))).schema["year"] == pl.Float64


@pytest.mark.slow
def test_a_forecast_is_written_as_it_is_read_again(tmp_path: Path) -> None:
    rows = "".join(
        f"{quarter},{float(year)},{(year * 3 + quarter) % 7 + quarter}.5\n"
        for year in range(1980, 2010)
        for quarter in range(1, 5)
    )
    file, run = tmp_path / "q.csv", tmp_path / "run"
    file.write_text("quarter,year,v\n" + rows)
    command = ["fit", str(file), "--cell", "gru", "--epochs", "1", "--out", str(run)]
    assert main([*command, "--hidden-size", "4"]) == 0
    outs = [tmp_path / name for name in ("own.csv", "file.csv", "again.csv")]
    assert main(["predict", str(run), "--out", str(outs[0])]) == 0
    assert main(["predict", str(run), str(file), "--out", str(outs[1])]) == 0
    assert outs[0].read_text() == outs[1].read_text()
    told = pl.read_csv(outs[0], infer_schema=False)
    assert told["time"].to_list() == ["2010Q1", "2010Q2", "2010Q3", "2010Q4"]
    assert all(len(value.strip("-0.").replace(".", "")) <= 6 for value in told["v"])
    # What was forecast goes on from the training, in the form in which it was written.
    written = tmp_path / "written.csv"
    told.select("time", "v").write_csv(written)
    assert main(["predict", str(run), str(written), "--out", str(outs[2])]) == 0
    assert pl.read_csv(outs[2], infer_schema=False)["time"][0] == "2011Q1"
    lacking = tmp_path / "lacking.csv"
    lacking.write_text("year,v\n2010,1\n")
    assert main(["predict", str(run), str(lacking)]) == 2


@pytest.mark.slow
def test_a_time_that_is_not_used_need_not_be_there_again(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "year": range(1900, 2000),
            "month": [n * 5 % 12 + 1 for n in range(100)],
            "v": [n * n % 7 for n in range(100)],
        }
    )
    file, run = tmp_path / "t.csv", tmp_path / "run"
    frame.write_csv(file)
    command = ["fit", str(file), "--cell", "gru", "--epochs", "1", "--out", str(run)]
    more = ["--time", "year", "--ignore", "month", "--target", "v", "--hidden-size", "4"]
    assert main([*command, *more]) == 0
    frame.drop("month").write_csv(file)
    assert main(["predict", str(run), str(file), "--out", str(tmp_path / "out.csv")]) == 0
    assert pl.read_csv(tmp_path / "out.csv")["year"][0] == 2000


def days_of_a_year() -> pl.DataFrame:
    days = [date(2020, 1, 1) + timedelta(days=n) for n in range(366)]
    parts = {part: [getattr(day, part) for day in days] for part in ("year", "month", "day")}
    return pl.DataFrame(parts | {"load": [float(n % 7 + n % 5) for n in range(366)]})


def test_a_time_of_too_few_parts_is_told_which_there_are() -> None:
    frame = days_of_a_year()
    for time in ("year,month", "month,year", "year"):
        said = Columns(targets=("load",), time=time)
        with pytest.raises(InputError, match="say `time='year,month,day'`"):
            guess(read(frame, said=said), said)
    twice = pl.concat([frame, frame]).sort("year", "month", "day")
    said = Columns(targets=("load",), time="year,month,day")
    with pytest.raises(InputError, match="second time; leave one row for each time"):
        guess(read(twice, said=said), said)


def test_an_error_lists_the_columns_that_the_table_has() -> None:
    with pytest.raises(InputError, match=r"its columns are year, month, day, load\.$"):
        guess(read(days_of_a_year()), Columns(targets=("none",)))
    months = {f"M{n}": [float(n + y) for y in range(20)] for n in range(1, 13)}
    table = read(pl.DataFrame({"year": range(1990, 2010), **months}))
    with pytest.raises(InputError, match=r"its columns are year, M1, M2, .*, M12\.$"):
        guess(table, Columns(targets=("none",)))
