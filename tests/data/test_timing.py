"""Which windows begin at the same time, and how many times in a row share a step."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from asked import prepare
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import read
from gatewright.requests import Split

START = datetime(2024, 1, 1)
WINDOWS = Windows()


def prepared(
    begins: dict[str, datetime], tmp_path: Path, frequency: str | None, step: timedelta
) -> Prepared:
    frame = pl.concat(
        pl.DataFrame(
            {
                "name": name,
                "time": [begin + step * number for number in range(60)],
                "y": [float(number % 5) for number in range(60)],
            }
        )
        for name, begin in begins.items()
    )
    layout = Layout(
        task="forecast", targets=("y",), time="time", series="name", frequency=frequency,
        context=4, horizon=3,
    )  # fmt: skip
    return prepare(read(frame), layout, tmp_path / "data", split=Split(cut="series"))


@pytest.mark.parametrize("frequency", ["1h", None])
def test_series_that_begin_at_other_minutes_share_steps(
    frequency: str | None, tmp_path: Path
) -> None:
    hour = timedelta(hours=1)
    begins = {"a": START, "b": START + timedelta(minutes=20), "c": START + 30 * hour}
    data = prepared(begins, tmp_path, frequency, hour)
    test = WINDOWS.of_part(data, "test")
    units = WINDOWS.units(data, test).reshape(3, -1)
    assert (np.diff(units, axis=1) == 1).all()
    assert (units[1] - units[0] == 0).all()
    assert (units[2] - units[0] == 30).all()


@pytest.mark.parametrize("frequency", ["1mo", "1bd", "1d", "1w", "1q"])
def test_steps_of_the_calendar(frequency: str, tmp_path: Path) -> None:
    starts = pl.Series([START] * 60)
    if frequency == "1bd":
        times = starts.dt.add_business_days(pl.Series(range(60)))
    else:
        times = starts.dt.offset_by(pl.Series([f"{number}{frequency[1:]}" for number in range(60)]))
    frame = pl.DataFrame({"time": times, "y": [float(n % 5) for n in range(60)]})
    layout = Layout(
        task="forecast", targets=("y",), time="time", frequency=frequency, context=4, horizon=3
    )
    data = prepare(read(frame), layout, tmp_path / "data")
    units = WINDOWS.units(data, WINDOWS.of_part(data, "train"))
    assert units.tolist() == list(range(len(units)))


def test_the_overlap_is_counted_in_times_that_were_judged() -> None:
    layout = Layout(task="forecast", targets=("y",), horizon=24)
    every = np.arange(1000)
    assert WINDOWS.overlap(layout, every) == 24
    assert WINDOWS.overlap(layout, every[::5]) == 5  # of one series, every fifth
    assert WINDOWS.overlap(layout, np.arange(0, 5000, 100)) == 1
    # Patients of other years: only neighbours in time share a step.
    assert WINDOWS.overlap(layout, np.r_[0:6, 500:510, 9000]) == 10
    assert WINDOWS.overlap(layout, np.empty(0, dtype=np.int64)) == 1


def test_thinned_windows_of_many_series_still_overlap(tmp_path: Path) -> None:
    """Every third of all windows leaves most times with some: they overlap as before."""
    begins = {f"s{number}": START for number in range(30)}
    data = prepared(begins, tmp_path, "1h", timedelta(hours=1))
    some = WINDOWS.of_part(data, "test")[::3]
    units = np.unique(WINDOWS.units(data, some))
    assert WINDOWS.overlap(data.layout, units) == data.layout.horizon
    assert torch.equal(WINDOWS.items(data, some).unique(), torch.arange(30))
