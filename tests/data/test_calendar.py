"""Steps of time: how they are counted, which times gaps get, and what networks are told."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.data.calendar import (
    Frequency,
    as_units,
    channel_names,
    channel_values,
    cycles,
    steps_after,
)
from gatewright.errors import InputError

UNITS = ["15m", "1h", "1d", "1bd", "1w", "1mo", "1q", "1y"]


def microseconds(*times: datetime) -> np.ndarray:
    return pl.Series(times, dtype=pl.Datetime("us")).to_physical().to_numpy()


def units(times: np.ndarray, frequency: Frequency) -> np.ndarray:
    """Times in microseconds as the units that are counted."""
    frame = pl.DataFrame({"time": pl.Series(times).cast(pl.Datetime("us"))})
    return frame.select(as_units(pl.col("time"), frame.schema["time"], frequency)).to_series()


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [
        ("15m", 15 * 60 * 10**6, "microsecond"),
        ("1h30m", 90 * 60 * 10**6, "microsecond"),
        ("1w", 7, "day"),
        ("1bd", 1, "workday"),
        ("1q", 3, "month"),
        ("1y", 12, "month"),
        ("2i", 2, "number"),
    ],
)
def test_durations_are_read_as_polars_writes_them(text: str, count: int, unit: str) -> None:
    assert Frequency.parse(text) == Frequency(count, unit)


@pytest.mark.parametrize("text", ["", "h", "1", "0h", "0i", "1 h", "-1d", "1d1h", "1month", "1i1h"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match="write a number and a unit"):
        Frequency.parse(text)


@given(
    st.sampled_from(UNITS),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    st.integers(0, 500),
)
def test_a_time_some_steps_after_another_counts_as_so_many_more(
    text: str, time: datetime, steps: int
) -> None:
    frequency = Frequency.parse(text)
    start = microseconds(time)
    later = steps_after(start, np.array([steps]), frequency)
    before, after = units(start, frequency)[0], units(later, frequency)[0]
    assert after - before == steps * frequency.count


def test_months_keep_to_the_calendar() -> None:
    start = microseconds(*[datetime(2024, 1, 31, 6)] * 3)
    found = steps_after(start, np.array([1, 2, 13]), Frequency.parse("1mo"))
    ends = [datetime(2024, 2, 29, 6), datetime(2024, 3, 31, 6), datetime(2025, 2, 28, 6)]
    assert found.tolist() == microseconds(*ends).tolist()


def test_a_monday_follows_a_friday_in_workdays() -> None:
    friday = microseconds(*[datetime(2024, 3, 1)] * 2)
    found = steps_after(friday, np.array([1, 6]), Frequency.parse("1bd"))
    assert found.tolist() == microseconds(datetime(2024, 3, 4), datetime(2024, 3, 11)).tolist()


def test_each_length_of_step_has_the_cycles_it_goes_through() -> None:
    expected = {
        "15m": ("hour of day", "day of week", "day of year"),
        "12h": ("hour of day", "day of week", "day of year"),
        "1d": ("day of week", "day of year"),
        "1bd": ("day of week", "day of year"),
        "1w": ("week of year",),
        "1mo": ("month of year",),
        "1q": ("month of year",),
        "1y": (),
        "1i": (),
    }
    assert {text: cycles(Frequency.parse(text)) for text in expected} == expected
    assert cycles(None) == ()


@given(st.sampled_from(UNITS), st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_channels_lie_on_the_unit_circle(text: str, time: datetime) -> None:
    names = channel_names(Frequency.parse(text))
    values = channel_values(microseconds(time), names)
    assert values.shape == (1, len(names))
    np.testing.assert_allclose(values[:, ::2] ** 2 + values[:, 1::2] ** 2, 1)


def test_a_cycle_ends_where_it_began_and_peaks_after_a_quarter() -> None:
    midnight = datetime(2024, 1, 1)
    times = microseconds(*(midnight + timedelta(hours=hour) for hour in (0, 6, 12, 24)))
    sine, cosine = channel_values(times, ("hour of day (sine)", "hour of day (cosine)")).T
    np.testing.assert_allclose(sine, [0, 1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(cosine, [1, 0, -1, 1], atol=1e-12)
