"""Of cycles that training holds fewer than two of, nothing can be learned: they are left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from asked import guess, prepare
from gatewright.data.calendar import Frequency, channel_names, cycles
from gatewright.data.table.reading import read
from gatewright.requests import Columns

HOUR, WEEK, YEAR = "hour of day", "day of week", "day of year"


@pytest.mark.parametrize(
    ("text", "days", "expected"),
    [
        ("1h", 0.0, ()),
        ("1h", 1.99, ()),
        ("1h", 2.0, (HOUR,)),
        ("15m", 13.9, (HOUR,)),
        ("15m", 14.0, (HOUR, WEEK)),
        ("1h", 730.0, (HOUR, WEEK)),
        ("1h", 730.5, (HOUR, WEEK, YEAR)),
        ("1d", 13.0, ()),
        ("1d", 14.0, (WEEK,)),
        ("1bd", 731.0, (WEEK, YEAR)),
        ("1w", 729.0, ()),
        ("1w", 735.0, ("week of year",)),
        ("1mo", 700.0, ()),
        ("1mo", 731.0, ("month of year",)),
        ("1q", 731.0, ("month of year",)),
        ("1y", 1e6, ()),
        ("1i", 1e6, ()),
    ],
)
def test_a_cycle_has_to_be_seen_twice(text: str, days: float, expected: tuple[str, ...]) -> None:
    frequency = Frequency.parse(text)
    assert cycles(frequency, days) == expected
    waves = [f"{name} ({wave})" for name in expected for wave in ("sine", "cosine")]
    assert list(channel_names(frequency, days)) == waves


@pytest.mark.parametrize(("days", "expected"), [(12, {HOUR}), (24, {HOUR, WEEK})])
def test_only_the_days_of_training_count(days: int, expected: set[str], tmp_path: Path) -> None:
    """Of 12 days 8 are training, of 24 nearly 17."""
    times = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(24 * days)]
    frame = pl.DataFrame({"time": times, "y": [float(hour % 24) for hour in range(24 * days)]})
    table = read(frame)
    layout, _ = guess(table, Columns(targets=("y",), horizon=6, context=24, season=24))
    data = prepare(table, layout, tmp_path / "data")
    named = [one.name for one in data.preparation.channels if one.role == "calendar"]
    assert {name.split(" (")[0] for name in named} == expected
    assert data.values.shape[1] == len(data.preparation.channels)
