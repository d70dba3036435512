"""The time axis: how long a step is, which times lie on it, and what a network is told of them."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.errors import InputError
from gatewright.limits import LONGEST_INTEGER_STEP, LONGEST_QUOTE, MILLENNIUM
from gatewright.wording.numbers import counted

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MICROSECONDS = {"us": 1, "ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}
DAYS = {"d": 1, "w": 7}
WORKDAYS = {"bd": 1}
MONTHS = {"mo": 1, "q": 3, "y": 12}
MONDAY = 3  # 1 January 1970 was a Thursday
DAY = 24 * MICROSECONDS["h"]
UNITS = {"microsecond": MICROSECONDS, "day": DAYS, "workday": WORKDAYS, "month": MONTHS}
DIGITS = 25  # of a count; more are beyond every unit
_PART = re.compile(r"([0-9]+)(us|ms|mo|bd|s|m|h|d|w|q|y|i)")


@dataclasses.dataclass(frozen=True)
class Frequency:
    """How far apart two steps are: ``count`` of a unit.

    Months are counted on the calendar, not in microseconds: they have 28 to 31 days.
    """

    count: int
    unit: str  # "number" (of an integer column), "microsecond", "day", "workday" or "month"

    @classmethod
    def parse(cls, text: str) -> Frequency:
        """Read ``text``, as polars writes durations: "15m", "1h", "1mo", "1i"; workdays are "1bd".

        Raises InputError if it is not one, or longer than any rows are apart.
        """
        parts = _PART.findall(text)
        if any(len(count) > DIGITS for count, _ in parts):
            raise _too_far(text)
        if parts and "".join(count + unit for count, unit in parts) == text:
            counts = {unit: int(count) for count, unit in parts}
            for unit, sizes in UNITS.items():
                if counts.keys() <= sizes.keys() and any(counts.values()):
                    step = cls(sum(count * sizes[name] for name, count in counts.items()), unit)
                    if step.days > MILLENNIUM:
                        raise _too_far(text)
                    return step
            if counts.keys() == {"i"} and counts["i"]:
                if counts["i"] > LONGEST_INTEGER_STEP:
                    raise _too_far(text)
                return cls(counts["i"], "number")
        raise InputError(
            f"a frequency of {text!r} is not a distance between steps; write a number and a unit, "
            "such as 15m, 1h, 1d, 1w, 1mo, 1q or 1y"
        )

    @property
    def days(self) -> float:
        """The length of a step in days, roughly; 0 for integers."""
        lengths = {"number": 0, "microsecond": 1 / DAY, "day": 1, "workday": 1.4, "month": 30.4}
        return self.count * lengths[self.unit]


def _too_far(text: str) -> InputError:
    quoted = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
    return InputError(
        f"a frequency of {quoted!r} is too far between steps: a thousand years at most, and of "
        f"whole numbers {LONGEST_INTEGER_STEP:,}; write a number and a unit, such as 15m, 1h, 1d "
        "or 1mo"
    )


def as_integers(time: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Times as microseconds since 1970 in UTC; integers as they are."""
    if dtype.is_integer():
        return time.cast(pl.Int64)
    return time.cast(pl.Datetime("us")).to_physical()


def as_units(time: pl.Expr, dtype: pl.DataType, frequency: Frequency | None) -> pl.Expr:
    """Times as whole units of a frequency since a fixed day: what ``Frequency.count`` counts."""
    if frequency is None or frequency.unit in ("number", "microsecond"):
        return as_integers(time, dtype)
    if frequency.unit in ("day", "workday"):
        days = time.cast(pl.Date).to_physical().cast(pl.Int64)
        return days if frequency.unit == "day" else _workdays(days)
    return time.dt.year().cast(pl.Int64) * 12 + time.dt.month().cast(pl.Int64)


def steps_after(time: Integers, steps: Integers, frequency: Frequency) -> Integers:
    """The times that lie some steps after others, all (n,), in microseconds or integers.

    A month after 31 January is the last of February.
    """
    if frequency.unit in ("number", "microsecond"):
        return time + steps * frequency.count
    if frequency.unit in ("day", "workday"):
        before, within = np.divmod(time, DAY)
        after = before + steps * frequency.count
        if frequency.unit == "workday":
            weeks, days = np.divmod(_workdays(before) + steps * frequency.count, 5)
            after = weeks * 7 + days - MONDAY
        return after * DAY + within
    frame = pl.DataFrame({"time": from_integers(time), "by": steps * frequency.count})
    by = pl.concat_str(pl.col("by").cast(pl.String), pl.lit("mo"))
    moved = frame.select(pl.col("time").dt.offset_by(by).to_physical()).to_series()
    return moved.to_numpy().astype(np.int64)


Days = TypeVar("Days", pl.Expr, Integers)


def _workdays(days: Days) -> Days:
    """Days since 1970 as workdays since a Monday; a weekend counts as the Friday before it."""
    weeks, weekday = (days + MONDAY) // 7, (days + MONDAY) % 7
    return weeks * 5 + weekday - weekday // 5 * (weekday % 5 + 1)


def from_integers(time: Integers) -> pl.Series:
    """Microseconds since 1970 as times."""
    return pl.Series(time, dtype=pl.Int64).cast(pl.Datetime("us"))


# What a network is told of a time: name -> the part of its cycle that has passed, 0 to 1.
_hours = (
    pl.col("time").dt.hour() + pl.col("time").dt.minute() / 60 + pl.col("time").dt.second() / 3600
)
CYCLES = {
    "hour of day": _hours / 24,
    "day of week": (pl.col("time").dt.weekday() - 1) / 7,
    "day of year": (pl.col("time").dt.ordinal_day() - 1) / 365.25,
    "week of year": (pl.col("time").dt.week() - 1) / 52.18,
    "month of year": (pl.col("time").dt.month() - 1) / 12,
}


LENGTHS = {"day": 1.0, "week": 7.0, "year": 365.25}  # days
SEEN = 2  # cycles of training, from which on it tells what a cycle does


def cycles(frequency: Frequency | None, days: float = math.inf) -> tuple[str, ...]:
    """The cycles that steps of this length go through; of which training, so many days long, holds
    two: of one alone nobody can tell what comes again."""
    named = _cycles(frequency)
    return tuple(name for name in named if SEEN * LENGTHS[name.split(" of ")[1]] <= days)


def _cycles(frequency: Frequency | None) -> tuple[str, ...]:
    if frequency is None or frequency.unit == "number" or frequency.days >= 365 * 0.99:
        return ()
    if frequency.days < 1:
        return ("hour of day", "day of week", "day of year")
    if frequency.days < 7:
        return ("day of week", "day of year")
    return ("week of year",) if frequency.days < 28 else ("month of year",)


def channel_names(frequency: Frequency | None, days: float = math.inf) -> tuple[str, ...]:
    """The names of the calendar channels: a sine and a cosine for each of the ``cycles``."""
    waves = ("sine", "cosine")
    return tuple(f"{name} ({wave})" for name in cycles(frequency, days) for wave in waves)


def channel_values(time: Integers, names: tuple[str, ...]) -> Floats:
    """The calendar channels of these names at times (n,) in microseconds, (n, channels)."""
    values = np.empty((len(time), len(names)))
    frame = pl.DataFrame({"time": from_integers(time)}) if names else pl.DataFrame()
    for number, name in enumerate(names):
        cycle, _, wave = name.removesuffix(")").partition(" (")
        phase = frame.select(CYCLES[cycle]).to_series().to_numpy() * (2 * np.pi)
        values[:, number] = np.sin(phase) if wave == "sine" else np.cos(phase)
    return values


# Polars' units of durations, as people say them.
WORDS = {
    "us": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "bd": "workday",
    "w": "week",
    "mo": "month",
    "q": "quarter",
    "y": "year",
    "i": "",
}


def step_in_words(frequency: str) -> str:
    """As "1 month" or "15 minutes"; "10 apart" of whole numbers."""
    count = frequency.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = WORDS.get(frequency.removeprefix(count))
    if not count.isdigit() or unit is None:
        return frequency
    return counted(int(count), unit) if unit else f"{count} apart"


# How times are written, as precise as steps are: from so many days a step on, and what is cut off.
FORMS = (
    (365, "%Y", "1y"),
    (28, "%Y-%m", "1mo"),
    (1, "%Y-%m-%d", "1d"),
    (1 / 1440, "%Y-%m-%d %H:%M", "1m"),
    (0, "%Y-%m-%d %H:%M:%S", "1s"),
)
FULL = "%Y-%m-%d %H:%M:%S%.f"


def labels(times: pl.Series, frequency: str | None, *, whole: bool = False) -> pl.Series:
    """Dates or times in words, as precise as steps are: 1959Q1, 1959-01, 1959-01-31 13:00.

    whole: nothing of a time is left out, and a year alone, which would be a number, is not written.
    """
    step = Frequency.parse(frequency) if frequency else None
    days = max(step.days if step else 0, 1 if times.dtype == pl.Date else 0)
    moments = times.dt.replace_time_zone(None) if hasattr(times.dtype, "time_zone") else times
    moments = moments.cast(pl.Datetime("us"))
    if step and step.unit == "month" and step.count % 3 == 0 and step.count % 12:
        begin = moments.dt.truncate("1q")
        month = moments.dt.month() % 3  # of data dated by the first or the last of their quarter
        if (begin == moments).all() or (not whole and month.n_unique() == 1 and month[0] < 2):
            quarter = pl.format("{}Q{}", pl.col("time").dt.year(), pl.col("time").dt.quarter())
            return pl.DataFrame({"time": begin}).select(quarter.alias(times.name)).to_series()
    forms = [form for form in FORMS if days >= form[0] * 0.99]
    if whole:
        forms = [form for form in forms if form[1] != "%Y"]
        forms = [form for form in forms if (moments.dt.truncate(form[2]) == moments).all()]
    return moments.dt.strftime(forms[0][1] if forms else FULL)
