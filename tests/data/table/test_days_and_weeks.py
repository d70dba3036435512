"""Dates with names of days, and weeks."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from gatewright.data.table.reading import read


@pytest.mark.parametrize(
    "texts",
    [
        ("Mon 3 Jan 2022", "Thu 6 Jan 2022"),
        ("Monday, 3 January 2022", "Thursday, 6 January 2022"),
        ("Mon, 03 Jan 2022", "Thu, 06 Jan 2022"),
        ("Monday, January 3, 2022", "Thursday, January 6, 2022"),
        ("Mon Jan 3 2022", "Thu Jan 6 2022"),
        ("Mon 3 January 2022", "Thursday 6 Jan 2022"),
        ("2022-W01-1", "2022-W01-4"),
    ],
)
def test_names_of_days_and_days_of_weeks(texts: tuple[str, str]) -> None:
    table = read(pl.DataFrame({"when": texts, "v": [1, 2]}))
    assert table.frame.collect()["when"].to_list() == [date(2022, 1, 3), date(2022, 1, 6)]
    # The wrong name of a day is a mistake.
    wrong = pl.DataFrame({"when": [*texts, "Tue 3 Jan 2022"], "v": [1, 2, 3]})
    assert read(wrong).schema["when"] == pl.String


def test_weeks() -> None:
    table = read(pl.DataFrame({"week": ["2020-W53", "2021-W01", "2021W2"]}))
    assert table.frame.collect()["week"].to_list() == [
        date(2020, 12, 28), date(2021, 1, 4), date(2021, 1, 11),
    ]  # fmt: skip
    assert read(pl.DataFrame({"week": ["2020-W53", "2021-W53"]})).schema["week"] == pl.String
