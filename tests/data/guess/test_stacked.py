"""Series that stand one below another and share no time."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess, prepare
from gatewright.data.layout import Layout
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns

YEARS = {"A": 2019, "B": 2020}


def years(names: dict[Any, int] = YEARS, called: str = "store", length: int = 200) -> pl.DataFrame:
    """A series each year, of days from its first on."""
    random = np.random.default_rng(3)
    frames = []
    for name, year in names.items():
        dates = [date(year, 1, 1) + timedelta(days=day) for day in range(length)]
        sales = 100 + 10 * random.normal(size=length)
        frames.append(pl.DataFrame({called: [name] * length, "date": dates, "sales": sales}))
    return pl.concat(frames)


def guessed(frame: pl.DataFrame, **flags: Any) -> tuple[Layout, dict[str, str]]:
    layout, guesses = guess(read(frame), Columns(targets=("sales",), horizon=7, **flags))
    return layout, {each.what: each.why for each in guesses}


@pytest.mark.parametrize(
    ("names", "called"), [(YEARS, "store"), ({11: 2019, 7: 2020, 9: 2021}, "shop_id")]
)
def test_series_of_other_years_are_told_by_the_name_of_the_column(
    names: dict[Any, int], called: str, tmp_path: Path
) -> None:
    frame = years(names, called)
    layout, said = guessed(frame)
    assert (layout.series, layout.inputs) == (called, ())
    assert said["series column"] == (
        f"its {len(names)} values follow one another; `categories='{called}'` makes it an input of "
        "one series"
    )
    data = prepare(read(frame), layout, tmp_path / "data")
    assert data.lengths.tolist() == [200] * len(names)


def test_what_else_stays_for_long_is_an_input() -> None:
    for called in ("regime", "promotion"):
        layout, _ = guessed(years(called=called))
        assert (layout.series, layout.categories) == (None, (called,))
    layout, _ = guessed(years(), categories=("store",))
    assert (layout.series, layout.categories) == (None, ("store",))
    # One that comes again, and one of few rows each, follow nothing.
    again = years({"A": 2019, "B": 2020, "C": 2021}).with_columns(pl.col("store").replace("C", "A"))
    assert guessed(again)[0].series is None
    brief = years({number: 1900 + number for number in range(40)}, length=15)
    assert guessed(brief)[0].series is None


def test_where_time_goes_back_the_column_that_changes_there_tells_series() -> None:
    for called in ("store", "brand"):
        layout, said = guessed(years({"B": 2020, "A": 2019}, called))
        assert layout.series == called
        assert said["series column"] == "time goes back, but not within one of its 2 values"


def test_where_no_column_tells_it_what_may_be_wrong_is_said() -> None:
    frame = years({"B": 2020, "A": 2019})
    wrong = [frame.drop("store"), frame.with_columns(store=pl.Series(["A", "B"] * 200))]
    for each in wrong:
        with pytest.raises(InputError, match="after 2020-07-18 in row 200") as caught:
            guessed(each)
        assert str(caught.value).endswith(
            "if another series begins there, name the column that tells series apart with `series`."
        )
