"""Text that is a time, and times that several columns hold together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y-%m",
    "%Y/%m",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %Y",
    "%B %Y",
    "%b-%Y",
)
# The two readings of each: only one of them may hold, see ``order``.
DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d.%m.%y")
CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H.%M.%S")
ZONED = ("%H:%M:%S%.f%#z", "%H:%M:%S%.f %#z", "%H:%M%#z")
COMPACT = "%Y%m%d"
QUARTER = "quarter"
QUARTERS = r"^(\d{4})[ -]?[Qq]([1-4])$"

TIME_NAMES = ("ds", "time", "date", "datetime", "timestamp", "date_time", "day", "month", "t")


@dataclass(frozen=True)
class TimeFormat:
    """One way to write times, as chrono writes formats."""

    text: str

    @property
    def dtype(self) -> pl.DataType:
        if "%#z" in self.text:
            return pl.Datetime("us", "UTC")
        return pl.Datetime("us") if "%H" in self.text or "%I" in self.text else pl.Date()

    @property
    def day_first(self) -> bool | None:
        """Whether the day comes before the month; None where the format cannot be mistaken."""
        if self.other_order is None:
            return None
        return self.text.startswith("%d")

    @property
    def other_order(self) -> TimeFormat | None:
        """The same with the month before the day, or the day before the month."""
        for day_first in DAY_FIRST:
            month_first = _month_first(day_first)
            if self.text.startswith(day_first):
                return TimeFormat(self.text.replace(day_first, month_first))
            if self.text.startswith(month_first):
                return TimeFormat(self.text.replace(month_first, day_first))
        return None

    def parse(self, text: pl.Expr) -> pl.Expr:
        """Times, those with offsets in UTC; null where the text is not of this format."""
        if self.text == QUARTER:
            year = text.str.extract(QUARTERS, 1).cast(pl.Int32)
            quarter = text.str.extract(QUARTERS, 2).cast(pl.Int8)
            return pl.date(year, quarter * 3 - 2, 1)
        if self.text == COMPACT:
            text = text.str.extract(r"^(\d{8})$", 1)
        if self.dtype == pl.Date():
            times = text.str.to_date(self.text, strict=False)
        else:
            zone = "UTC" if "%#z" in self.text else None
            times = text.str.to_datetime(self.text, strict=False, time_unit="us", time_zone=zone)
        # A year of four digits also reads two of them, as one of the first century.
        return pl.when(times.dt.year() >= 1000).then(times) if "%Y" in self.text else times


def _month_first(day_first: str) -> str:
    return day_first.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m")


def formats(name: str) -> list[TimeFormat]:
    """The formats that text may have in a column of this name, the likeliest first."""
    orders = [text for day_first in DAY_FIRST for text in (day_first, _month_first(day_first))]
    dates = [*DATES[:3], *orders, *DATES[3:]]
    full = [date for date in dates if "%d" in date]
    moments = [f"{date}{gap}{clock}" for date in full for gap in " T" for clock in CLOCKS]
    zoned = [f"{date}{gap}{clock}" for date in DATES[:3] for gap in "T " for clock in ZONED]
    # Eight digits are a date only where the name says so.
    compact = [COMPACT] if looks_like_time(name) else []
    return [TimeFormat(text) for text in [*dates, *zoned, *moments, *compact, QUARTER]]


def looks_like_time(name: str) -> bool:
    """Whether a column of this name is one of times, as people name them."""
    words = re.split(r"[^a-z]+", name.lower())
    return name.lower() in TIME_NAMES or any(word in TIME_NAMES[1:6] for word in words)


def order(frame: pl.LazyFrame, text: pl.Expr, read: TimeFormat) -> TimeFormat | None:
    """Whether the day or the month comes first, if all rows together say so.

    They do if some number is past 12, or if one of the two is the same in every row: the day of
    monthly data. ``read`` is the order that all rows can be read in.
    """
    other = read.other_order
    if other is None:
        return read
    one, two = read.parse(text), other.parse(text)
    counts = frame.select(
        rows=text.count(),
        other=two.count(),
        days=one.dt.day().n_unique(),
        other_days=two.dt.day().n_unique(),
    ).collect(engine="streaming")
    rows, others, days, other_days = counts.row(0)
    if others < rows or days == 1:
        return read
    return other if other_days == 1 else None


# Names of the columns that a time is sometimes spread over, from the largest unit down.
PARTS = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mon", "mm"),
    "day": ("day", "dd", "day_of_month", "dom"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"),
}
CLOCK_TEXT = r"^\d{1,2}[:.]\d{2}([:.]\d{2})?$"


@dataclass(frozen=True)
class Derived:
    """A column of times that is made of others."""

    name: str
    columns: tuple[str, ...]
    dtype: pl.DataType
    expression: pl.Expr


def derive(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> Derived | None:
    """A time that several columns hold together: year, month, day, hour, or a date and a clock."""
    times = [name for name, dtype in schema.items() if dtype.is_temporal()]
    derived = _from_date(schema, times[0]) if len(times) == 1 else None
    if derived is None and not times:
        derived = _from_parts(schema)
    if derived is None:
        return None
    missing = frame.select(derived.expression.is_null().any()).collect(engine="streaming").item()
    return None if missing else derived


def _free(schema: Mapping[str, pl.DataType], *names: str) -> str:
    lower = {name.lower() for name in schema}
    return next(name for name in (*names, "the time") if name not in lower)


def _from_parts(schema: Mapping[str, pl.DataType]) -> Derived | None:
    parts: list[str] = []
    for names in PARTS.values():
        name = next((name for name in schema if name.lower() in names), None)
        if name is None or schema[name] not in (pl.Int64(), pl.String()):
            break
        parts.append(name)
    if len(parts) < 2:
        return None
    numbers = [pl.col(name).cast(pl.Int64, strict=False) for name in parts]
    year = numbers[0]
    year = pl.when(year.is_between(1000, 2999)).then(year)
    month, day, hour, minute = (*numbers[1:], *[pl.lit(1), pl.lit(0), pl.lit(0)][len(parts) - 2 :])
    # Through text, because polars raises an error for a day that does not exist.
    text = pl.format("{}-{}-{}", year, month, day)
    day_of_year = text.str.to_date("%Y-%m-%d", strict=False)
    moment = day_of_year.cast(pl.Datetime("us")) + pl.duration(hours=hour, minutes=minute)
    whole = len(parts) <= 3
    valid = hour.is_between(0, 24) & minute.is_between(0, 59)
    return Derived(
        name=_free(schema, "time", "datetime"),
        columns=tuple(parts),
        dtype=pl.Date() if whole else pl.Datetime("us"),
        expression=day_of_year if whole else pl.when(valid).then(moment),
    )


def _from_date(schema: Mapping[str, pl.DataType], date: str) -> Derived | None:
    if schema[date] != pl.Date():
        return None
    for name, dtype in schema.items():
        clock = None
        if dtype == pl.String() and name.lower() in ("time", "clock", "hour", "time_of_day"):
            text = pl.when(pl.col(name).str.contains(CLOCK_TEXT)).then(pl.col(name))
            parts = text.str.replace_all(".", ":", literal=True).str.split(":")
            hour, minute, second = (parts.list.get(i, null_on_oob=True) for i in range(3))
            clock = pl.duration(
                hours=hour.cast(pl.Int64),
                minutes=minute.cast(pl.Int64),
                seconds=second.cast(pl.Int64).fill_null(0),
            )
        elif dtype == pl.Int64() and name.lower() in PARTS["hour"]:
            hour = pl.col(name)
            clock = pl.duration(hours=pl.when(hour.is_between(0, 24)).then(hour))
        if clock is not None:
            return Derived(
                name=_free(schema, "time", "datetime"),
                columns=(date, name),
                dtype=pl.Datetime("us"),
                expression=pl.col(date).cast(pl.Datetime("us")) + clock,
            )
    return None
