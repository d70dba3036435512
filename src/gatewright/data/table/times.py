"""Text that is a time, and times that several columns hold together."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

ISO_DAY = "%G-W%V-%u"
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
    ISO_DAY,
)
# With the name of the day; the long names are read where the short ones are written too.
WITH_DAYS = tuple(
    f"{day}{gap}{date.replace('%b', month)}"
    for day, month in (("%a", "%b"), ("%A", "%B"))
    for gap in (" ", ", ")
    for date in ("%d %b %Y", "%b %d %Y", "%b %d, %Y")
)
# The two readings of each: only one of them may hold, see ``order``.
DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d.%m.%y")
CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H.%M.%S")
ZONED = ("%H:%M:%S%.f%#z", "%H:%M:%S%.f %#z", "%H:%M%#z")
COMPACT = "%Y%m%d"
QUARTERS = tuple(
    form
    for letter in "Qq"
    for gap in ("", "-", " ", "/")
    for form in (f"%Y{gap}{letter}%q", f"{letter}%q{gap}%Y", f"%q{letter}{gap}%Y")
)  # %q: the number of the quarter
QUARTER = "quarter"  # in any of these forms
WEEK = "week"
WEEKS = r"^(\d{4})-?[Ww](\d{1,2})$"

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
        if self.text in (QUARTER, *QUARTERS):
            return _quarter(text, self.text)
        if self.text == WEEK:  # its Monday
            monday = text.str.replace(WEEKS, "${1}-W${2}-1").str.to_date(ISO_DAY, strict=False)
            return pl.when(text.str.contains(WEEKS)).then(monday)
        if self.text == COMPACT:
            text = text.str.extract(r"^(\d{8})$", 1)
        if self.dtype == pl.Date():
            times = text.str.to_date(self.text, strict=False)
        else:
            zone = "UTC" if "%#z" in self.text else None
            times = text.str.to_datetime(self.text, strict=False, time_unit="us", time_zone=zone)
        # A year of four digits also reads two of them, as one of the first century.
        return pl.when(times.dt.year() >= 1000).then(times) if "%Y" in self.text else times

    def write(self, times: pl.Series) -> pl.Series:
        """Dates or times without a zone, as text of this format."""
        if self.text in (QUARTER, *QUARTERS):
            form = QUARTERS[0] if self.text == QUARTER else self.text
            parts = {"%Y": times.dt.year(), "%q": times.dt.quarter()}
            ordered = [pl.lit(parts[part]) for part in sorted(parts, key=form.index)]
            text = pl.format(re.sub("%[Yq]", "{}", form), *ordered)
            return pl.select(text.alias(times.name)).to_series()
        return times.dt.strftime({WEEK: "%G-W%V"}.get(self.text, self.text))


def _quarter(text: pl.Expr, form: str) -> pl.Expr:
    """The first day of a quarter that is written in one of the forms."""
    if form == QUARTER:
        text = text.str.replace(r"^(\d{4})[ /-]?[Qq]([1-4])$", "${1}Q${2}")
        text = text.str.replace(r"^(?:[Qq]([1-4])|([1-4])[Qq])[ /-]?(\d{4})$", "${3}Q${1}${2}")
        form = QUARTERS[0]
    pattern = form.replace("%Y", r"(\d{4})").replace("%q", "([1-4])")
    pattern = f"^{pattern}$"
    year, quarter = (1, 2) if form.index("%Y") < form.index("%q") else (2, 1)
    number = text.str.extract(pattern, quarter).cast(pl.Int8)
    year_of = text.str.extract(pattern, year).cast(pl.Int32)
    return pl.date(year_of, number * 3 - 2, 1)


def _month_first(day_first: str) -> str:
    return day_first.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m")


def formats(name: str) -> list[TimeFormat]:
    """The formats that text may have in a column of this name, the likeliest first."""
    orders = [text for day_first in DAY_FIRST for text in (day_first, _month_first(day_first))]
    dates = [*DATES[:3], *orders, *DATES[3:]]
    full = [date for date in dates if "%d" in date]
    moments = [f"{date}{gap}{clock}" for date in full for gap in " T" for clock in CLOCKS]
    moments += [f"{date} {clock}" for date in WITH_DAYS for clock in CLOCKS[:2]]
    zoned = [f"{date}{gap}{clock}" for date in DATES[:3] for gap in "T " for clock in ZONED]
    # Eight digits are a date only where the name says so.
    compact = [COMPACT] if looks_like_time(name) else []
    return [
        TimeFormat(text) for text in [*dates, *WITH_DAYS, *zoned, *moments, *compact, QUARTER, WEEK]
    ]


def looks_like_time(name: str) -> bool:
    """Whether a column of this name is one of times, as people name them."""
    words = re.split(r"[^a-z]+", name.lower())
    return name.lower() in TIME_NAMES or any(word in TIME_NAMES[1:6] for word in words)


def order(frame: pl.LazyFrame, text: pl.Expr, read: TimeFormat) -> TimeFormat | None:
    """Whether the day or the month comes first, if all rows together say so.

    They do if some number is past 12, or if one of the two is the same in every row: the day of
    monthly data. ``read`` is the order that all rows can be read in; of quarters,
    their one form is found, if they have one.
    """
    if read.text == QUARTER:
        return _form(frame, text)
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


def _form(frame: pl.LazyFrame, text: pl.Expr) -> TimeFormat:
    """The form that all quarters of a column are written in, or the one of several."""
    read = {form: _quarter(text, form).count() for form in QUARTERS}
    counts = frame.select(rows=text.count(), **read).collect(engine="streaming")
    rows, *found = counts.row(0)
    forms = (form for form, count in zip(QUARTERS, found, strict=True) if count == rows)
    return TimeFormat(next(forms, QUARTER))
