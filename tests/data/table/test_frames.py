"""An answer is a frame of the library that the question came in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gatewright.data.table.frames import as_given
from gatewright.data.table.reading import read
from gatewright.errors import InputError

TIMES = pd.date_range("2024-01-01", periods=5, freq="D")
VALUES = [1.5, 2.0, float("nan"), 4.0, 5.0]


def answer(times: pl.Series | None = None) -> pl.DataFrame:
    """As a prediction is: some times, a number, words."""
    begin = datetime(2024, 1, 6)
    moments = pl.datetime_range(begin, datetime(2024, 1, 7), "1d", eager=True, time_unit="us")
    when = moments if times is None else times
    return pl.DataFrame({"time": when, "y": [1.0, None], "shop": ["a", None]})


def back(source: Any, found: pl.DataFrame | None = None) -> Any:
    return as_given(answer() if found is None else found, read(source).native)


def test_polars_and_files_give_polars(tmp_path: Any) -> None:
    frame = pl.DataFrame({"y": VALUES})
    frame.write_csv(tmp_path / "y.csv")
    for source in (frame, frame.lazy(), tmp_path / "y.csv"):
        assert isinstance(back(source), pl.DataFrame)


def test_pandas_gives_pandas_with_its_index_of_times() -> None:
    source = pd.DataFrame({"y": VALUES}, index=TIMES)
    before = source.copy()
    found = back(source)
    assert isinstance(found, pd.DataFrame)
    assert isinstance(found.index, pd.DatetimeIndex)
    assert found.index.dtype == source.index.dtype
    assert found.index.name is None
    assert found.index.tolist() == [pd.Timestamp("2024-01-06"), pd.Timestamp("2024-01-07")]
    assert list(found.columns) == ["y", "shop"]
    assert found["y"].isna().tolist() == [False, True]
    assert found["shop"].tolist()[0] == "a"
    pd.testing.assert_frame_equal(source, before)  # what was given stays as it was
    joined = pd.concat([source, found[["y"]]])
    assert joined.index.is_monotonic_increasing


def test_names_zones_and_periods_of_an_index_are_kept() -> None:
    zoned = pd.DataFrame({"y": VALUES}, index=TIMES.tz_localize("Asia/Tokyo").rename("time"))
    told = answer(read(zoned).collect(read(zoned).frame)["time"][:2])
    found = back(zoned, told)
    assert found.index.name == "time"
    assert found.index.equals(zoned.index[:2])
    assert str(found.index.tz) == "Asia/Tokyo"
    periods = pd.DataFrame({"y": VALUES}, index=TIMES.to_period("D"))
    again = back(periods)
    assert isinstance(again.index, pd.PeriodIndex)
    assert [str(each) for each in again.index] == ["2024-01-06", "2024-01-07"]


def test_a_column_of_times_stays_a_column() -> None:
    source = pd.DataFrame({"time": TIMES.astype("datetime64[ns]"), "y": VALUES})
    found = back(source)
    assert list(found.columns) == ["time", "y", "shop"]
    assert found["time"].dtype == source["time"].dtype
    assert found.index.tolist() == [0, 1]


def test_days_stay_days() -> None:
    days = [date(2024, 1, number) for number in range(1, 6)]
    source = pd.DataFrame({"time": days, "y": VALUES})
    found = back(source, answer(pl.Series(days[:2])))
    assert found["time"].tolist() == days[:2]


def test_an_index_of_numbers_or_names_is_not_brought_back() -> None:
    for index in (np.arange(5) + 3, list("abcde")):
        found = back(pd.DataFrame({"y": VALUES}, index=index))
        assert found.index.tolist() == [0, 1]


def test_pyarrow_gives_pyarrow() -> None:
    found = back(pa.table({"y": VALUES}))
    assert isinstance(found, pa.Table)
    assert found.column_names == ["time", "y", "shop"]


def test_an_index_called_as_a_column_is_refused() -> None:
    source = pd.DataFrame({"time": range(5), "y": VALUES}, index=TIMES)
    with pytest.raises(InputError, match="both called 'time'"):
        read(source)


def test_something_like_a_frame_is_no_frame() -> None:
    class Odd:
        columns = ("a",)
        index = pd.RangeIndex(1)

        def reset_index(self) -> None: ...

        def copy(self, deep: bool) -> Any:
            return self

        def __getitem__(self, name: str) -> Any:
            return pd.Series([1.0])

    with pytest.raises(InputError, match="expected a path or a data frame"):
        read(Odd())
