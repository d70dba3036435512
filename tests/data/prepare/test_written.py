"""Predictions as a file of text has them: their digits, and the form of their times."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from asked import guess, prepare
from gatewright.data.calendar import labels
from gatewright.data.layout import Layout
from gatewright.data.prepare.written import as_written, decimals_of
from gatewright.data.prepared import Preparation
from gatewright.data.table.reading import read
from gatewright.requests import Columns

MONTHS = [date(2001 + n // 12, n % 12 + 1, 1) for n in range(60)]


def preparation(**changes: Any) -> Preparation:
    layout = Layout(task="forecast", targets=("v", "v 2"), time="t", frequency="1mo")
    kept = {key: changes.pop(key) for key in ("readings", "decimals") if key in changes}
    return Preparation(layout=layout.model_copy(update=changes), channels=(), **kept)


def written(times: list[Any], **changes: Any) -> list[Any]:
    frame = pl.DataFrame({"t": times, "v": [1.0] * len(times)})
    return as_written(frame, preparation(**changes))["t"].to_list()


@pytest.mark.parametrize(
    "form", ["Q{q} {y}", "{q}Q{y}", "{y}/Q{q}", "Q{q}-{y}", "{y} Q{q}", "{y}q{q}", "{y}-Q{q}"]
)
def test_quarters_are_read_and_written_in_their_form(form: str) -> None:
    steps = [(year, quarter) for year in range(1960, 1970) for quarter in range(1, 5)]
    texts = [form.format(y=year, q=quarter) for year, quarter in steps]
    table = read(pl.DataFrame({"t": texts, "v": [float(n) for n in range(40)]}))
    times = table.frame.collect()["t"]
    assert times.to_list() == [date(year, 3 * quarter - 2, 1) for year, quarter in steps]
    layout, _ = guess(table, Columns(targets=("v",)))
    assert (layout.time, layout.frequency) == ("t", "1q")
    told = written(times.to_list(), readings=table.readings, frequency="1q")
    assert told == texts


def test_numbers_have_two_digits_more_than_the_data_and_six_at_least() -> None:
    values = [0.0, 1234567.891234, 432.123456789, 0.000123456789, -5.0, None, 1e300]
    frame = pl.DataFrame({"v": values, "v 0.05": values, "v 2": values, "v 2 0.9": values})
    told = as_written(frame, preparation(time=None, decimals={"v": 0, "v 2": 3}))
    few = [0.0, 1234567.89, 432.123, 0.000123457, -5.0, None, 1e300]
    assert told["v"].to_list() == told["v 0.05"].to_list() == few
    more = [0.0, 1234567.89123, 432.12346, 0.000123457, -5.0, None, 1e300]
    assert told["v 2"].to_list() == told["v 2 0.9"].to_list() == more
    assert as_written(frame, preparation(time=None)).equals(frame)  # not rounded in the data
    chances = pl.DataFrame({"kind": ["a"], "kind=a": [1 / 3]})
    classes = Layout(task="classify", targets=("kind",))
    assert as_written(chances, Preparation(layout=classes, channels=()))["kind=a"][0] == 0.333333


def test_the_digits_are_those_of_the_target(tmp_path: Any) -> None:
    frame = pl.DataFrame(
        {
            "t": MONTHS,
            "v": [n * n % 17 / 100 for n in range(60)],
            "w": [n * n % 17 for n in range(60)],
            "x": [1 / (n + 3) for n in range(60)],
        }
    )
    layout, _ = guess(read(frame), Columns(targets=("v", "w", "x")))
    assert decimals_of(read(frame), layout) == {"v": 2, "w": 0}
    assert prepare(read(frame), layout, tmp_path / "data").preparation.decimals == {"v": 2, "w": 0}


@pytest.mark.parametrize(
    ("frequency", "times", "told"),
    [
        ("1q", [date(1959, 1, 1), date(1959, 10, 1)], ["1959Q1", "1959Q4"]),
        ("1q", [datetime(1959, 1, 1), datetime(1959, 10, 1)], ["1959Q1", "1959Q4"]),
        ("1q", [date(1959, 3, 31), date(1959, 6, 30)], ["1959-03-31", "1959-06-30"]),
        ("1mo", [date(1959, 1, 1), date(1959, 2, 1)], ["1959-01", "1959-02"]),
        ("1mo", [date(1959, 1, 31), date(1959, 2, 28)], ["1959-01-31", "1959-02-28"]),
        ("1y", [date(1959, 1, 1)], ["1959-01"]),  # 1959 would be a number
        ("1w", [datetime(2022, 1, 3)], ["2022-01-03"]),
        ("1d", [datetime(2022, 1, 3), datetime(2022, 1, 4)], ["2022-01-03", "2022-01-04"]),
        ("1d", [datetime(2022, 1, 3, 12)], ["2022-01-03 12:00"]),
        ("1h", [datetime(2022, 1, 3, 1)], ["2022-01-03 01:00"]),
        ("1h", [datetime(2022, 1, 3)], ["2022-01-03 00:00"]),
        ("1s", [datetime(2022, 1, 3, 0, 0, 1)], ["2022-01-03 00:00:01"]),
        ("500ms", [datetime(2022, 1, 3, 0, 0, 1, 500_000)], ["2022-01-03 00:00:01.500"]),
        (None, [date(2022, 1, 3)], ["2022-01-03"]),
        ("1i", [3], [3]),
    ],
)  # fmt: skip
def test_times_are_as_precise_as_steps_and_lose_nothing(
    frequency: str | None, times: list[Any], told: list[Any]
) -> None:
    assert written(times, frequency=frequency) == told
    if isinstance(told[0], str):  # as it is read again
        again = read(pl.DataFrame({"t": told, "v": [1] * len(told)})).frame.collect()["t"]
        assert (
            again.cast(pl.Datetime("us")).to_list()
            == pl.Series(times).cast(pl.Datetime("us")).to_list()
        )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1959Q4", date(1959, 10, 1)),
        ("2022-W05", date(2022, 1, 31)),
        ("2022/01", date(2022, 1, 1)),
        ("Mon 03 Jan 2022", date(2022, 1, 3)),
        ("2022-01-03T13:00:00", datetime(2022, 1, 3, 13)),
        ("2022-01-03 13:00", datetime(2022, 1, 3, 13)),
    ],
)
def test_times_have_the_form_that_the_file_had(text: str, moment: Any) -> None:
    table = read(pl.DataFrame({"t": [text], "v": [1]}))
    assert table.frame.collect()["t"].to_list() == [moment]
    assert written([moment], frequency="1d", readings=table.readings) == [text]


def test_dates_that_others_could_misread_are_written_year_first() -> None:
    assert written([date(2022, 2, 1)], readings={"t": "time %d.%m.%Y"}) == ["2022-02"]
    assert written([date(2022, 2, 1)], frequency="1d", readings={"t": "time %m/%d/%Y"}) == [
        "2022-02-01"
    ]
    zoned = pl.Series([datetime(2022, 7, 1)]).dt.replace_time_zone("Europe/Berlin")
    assert written(zoned, frequency="1d") == ["2022-07-01 00:00:00+02:00"]


def test_labels_are_short() -> None:
    times = pl.Series([date(1959, 3, 31), date(1959, 6, 30)])
    assert labels(times, "1q").to_list() == ["1959Q1", "1959Q2"]
    assert labels(pl.Series([date(1959, 2, 1)]), "1q").to_list() == ["1959-02"]  # February to April
    assert labels(times, "1mo").to_list() == ["1959-03", "1959-06"]
    assert labels(times, "1y").to_list() == ["1959", "1959"]
    assert labels(times, "1d").to_list() == ["1959-03-31", "1959-06-30"]
