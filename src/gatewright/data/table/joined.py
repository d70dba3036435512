"""Times that several columns hold together: a year and a quarter, a date and a clock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from gatewright.errors import InputError, argument

# Names of the columns that a time is sometimes spread over, from the largest unit down.
PARTS = {
    "year": ("year", "yr", "yyyy"),
    "quarter": ("quarter", "qtr", "q"),
    "week": ("week", "iso_week", "isoweek", "week_of_year", "wk"),
    "month": ("month", "mon", "mm"),
    "day_of_year": ("day_of_year", "dayofyear", "doy", "yday"),
    "day": ("day", "dd", "day_of_month", "dom"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"),
}
# What may follow one another after a year, the finest that there are.
CLOCK = ("hour", "minute")
WAYS = (
    ("month", "day", *CLOCK),
    ("day_of_year", *CLOCK),
    ("quarter",),
    ("week",),
)
_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
MONTHS = {
    spelled: number
    for number, name in enumerate(_NAMES, 1)
    for spelled in (name, name[:3], f"{name[:3]}.", *(["sept", "sept."] if number == 9 else []))
}  # as people write them in English, in small letters
NUMBERED = r"^[A-Za-z]{0,2}0*(\d{1,4})$"  # as "5", "05", "Q1", "W05" or "M05"
CLOCKS = ("time", "clock", "hour", "time_of_day")  # names
CLOCK_TEXT = r"^\d{1,2}[:.]\d{2}([:.]\d{2})?$"
NAMES = ("time", "datetime")  # of the time that is made
MARK = "joined "  # before the columns, where a table says how its columns were read


@dataclass(frozen=True, eq=False)
class Derived:
    """A column of times that is made of others."""

    name: str
    columns: tuple[str, ...]
    dtype: pl.DataType
    expression: pl.Expr
    unit: str  # the smallest part: "quarter"

    @property
    def words(self) -> str:
        """Of what it is made: "year, month and day"."""
        return f"{', '.join(self.columns[:-1])} and {self.columns[-1]}"

    @property
    def reading(self) -> str:
        """How a later table is read by it."""
        return MARK + json.dumps([self.unit, *self.columns])


def whole_parts(frame: pl.LazyFrame) -> pl.LazyFrame:
    """With whole numbers in columns of times and their parts that are written as 1959.0."""
    called = {"time", "t", "step", *(name for names in PARTS.values() for name in names)}
    some = [
        name
        for name, dtype in frame.collect_schema().items()
        if dtype == pl.Float64() and _plain(name) in called
    ]
    if not some:
        return frame
    size, column = 2**53, pl.col(some)
    whole = frame.select(((column == column.round()) & (column.abs() < size)).all())
    found = whole.collect(engine="streaming").row(0, named=True)
    return frame.with_columns(pl.col([name for name in some if found[name]]).cast(pl.Int64))


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def several(time: str | None, schema: Mapping[str, pl.DataType]) -> tuple[str, ...]:
    """The columns that are named together as the time, as "year,month"; none where it is one."""
    names = tuple(name.strip() for name in (time or "").split(","))
    named = time not in schema and len(names) > 1 and {*names} <= schema.keys()
    return names if named else ()


def derive(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> Derived | None:
    """The time that columns hold together, by their names, in whatever order they stand.

    Of several, the one that tells most rows apart; None where some row would have none.
    """
    times = [name for name, dtype in schema.items() if dtype.is_temporal()]
    found = _from_date(schema, times[0]) if len(times) == 1 else None
    ways = [found] if found is not None else [] if times else _from_names(schema)
    told = {each: _told_apart(frame, each, alone=len(ways) == 1) for each in ways}
    best = max(told, key=lambda each: told[each], default=None)
    return best if best is not None and told[best] else None


def _told_apart(frame: pl.LazyFrame, derived: Derived, *, alone: bool) -> int:
    """How many times there are, of one that is alone 1; 0 where a row has none."""
    values = derived.expression
    times = pl.lit(1) if alone else values.n_unique()
    counts = frame.select(missing=values.is_null().any(), times=times)
    missing, times = counts.collect(engine="streaming").row(0)
    return 0 if missing else int(times)


def derive_from(
    frame: pl.LazyFrame,
    schema: Mapping[str, pl.DataType],
    names: Sequence[str],
    table: str,
    unit: str | None = None,
) -> Derived:
    """The time of columns that were named; ``unit``: the smallest part, if it is known.

    Raises InputError where they hold none.
    """
    asked = argument("time", ",".join(names))
    ways = [each for each in _from_named(schema, names) if unit in (None, each.unit)]
    if not ways:
        raise InputError(
            f"{asked}: {' and '.join(names)} of {table} are not the parts of a time; give a year "
            "with a month, a quarter or a week (then a day, an hour and a minute), or a date with "
            "an hour."
        )
    odd = frame.select(ways[0].expression.is_null().alias("odd")).with_row_index("row")
    first = odd.filter("odd").head(1).collect(engine="streaming")
    if len(first):
        raise InputError(
            f"{asked}: row {first['row'][0] + 1} of {table} holds no time there; correct "
            "it, or name the columns with the year first, then the month, the day, and so on."
        )
    return dataclasses.replace(ways[0], name=free_name(schema, *NAMES))


def derive_again(
    frame: pl.LazyFrame,
    schema: Mapping[str, pl.DataType],
    before: Mapping[str, str],
    table: str,
) -> Derived | None:
    """The time that an earlier table was given, by its ``readings``.

    None where that had none, or where this one holds it as a column of its own.

    Raises InputError where the columns are not there, or hold no time.
    """
    for name, reading in before.items():
        if not reading.startswith(MARK):
            continue
        unit, *columns = json.loads(reading.removeprefix(MARK))
        missing = [column for column in columns if column not in schema]
        if missing and name in schema:
            return None
        if missing:
            raise InputError(
                f"{table} has no column {missing[0]!r}, and the time is made of "
                f"{' and '.join(columns)}, as in training; add it."
            )
        derived = derive_from(frame, schema, columns, table, unit)
        return dataclasses.replace(derived, name=name)
    return None


def free_name(schema: Mapping[str, pl.DataType], *names: str) -> str:
    """The first of some names that no column has."""
    lower = {name.lower() for name in schema}
    return next(name for name in (*names, f"the {names[0]}") if name not in lower)


def _from_names(schema: Mapping[str, pl.DataType]) -> list[Derived]:
    """By what the columns are called."""
    found = {part: _called(schema, names) for part, names in PARTS.items()}
    parts = {part: name for part, name in found.items() if name is not None}
    ways = [way for way in (_leading(way, parts) for way in WAYS) if way]
    return [_from_parts(schema, parts, way) for way in ways] if "year" in parts else []


def _called(names: Mapping[str, pl.DataType], wanted: Sequence[str]) -> str | None:
    """The first column with one of some names, that holds what can be a part of a time."""
    kinds = (pl.Int64(), pl.Float64(), pl.String())
    good = (name for name in names if _plain(name) in wanted and names[name] in kinds)
    return next(good, None)


def _from_named(schema: Mapping[str, pl.DataType], names: Sequence[str]) -> list[Derived]:
    """Of all the columns named: by what they are called, or else by their places."""
    some = {name: schema[name] for name in names}
    dates = [name for name in names if schema[name].is_temporal()]
    if dates:
        found = _from_date(some, dates[0], anything=True)
        return [found] if found is not None else []
    ways = [each for each in _from_names(some) if len(each.columns) == len(names)]
    places = ("year", *WAYS[0])[: len(names)]
    if ways or len(places) < len(names):
        return ways
    return [_from_parts(some, dict(zip(places, names, strict=True)), places[1:])]


def _from_parts(
    schema: Mapping[str, pl.DataType], parts: Mapping[str, str], way: Sequence[str]
) -> Derived:
    """Of a year and what follows it; ``parts``: the column of each."""
    numbers = {part: _number(pl.col(parts[part]), schema[parts[part]], part) for part in way}
    year = _number(pl.col(parts["year"]), schema[parts["year"]], "year")
    year = pl.when(year.is_between(1000, 2999)).then(year)
    # Through text, because polars raises an error for a day that does not exist.
    day = _day(year, numbers).str.to_date(DAYS.get(way[0], "%Y-%m-%d"), strict=False)
    hour, minute = (numbers.get(part, pl.lit(0)) for part in CLOCK)
    moment = day.cast(pl.Datetime("us")) + pl.duration(hours=hour, minutes=minute)
    valid = hour.is_between(0, 24) & minute.is_between(0, 59)
    whole = "hour" not in way
    return Derived(
        name=free_name(schema, *NAMES),
        columns=(parts["year"], *(parts[part] for part in way)),
        dtype=pl.Date() if whole else pl.Datetime("us"),
        expression=day if whole else pl.when(valid).then(moment),
        unit=way[-1],
    )


def _leading(way: Sequence[str], parts: Mapping[str, str]) -> tuple[str, ...]:
    """As much of a way as there are parts for."""
    missing = next((at for at, part in enumerate(way) if part not in parts), len(way))
    return tuple(way[:missing])


DAYS = {"week": "%G-W%V-%u", "day_of_year": "%Y-%j"}  # as chrono reads them


def _day(year: pl.Expr, numbers: Mapping[str, pl.Expr]) -> pl.Expr:
    """The text of the day on which a year and what follows it begin."""
    if "week" in numbers:
        return pl.format("{}-W{}-1", year, numbers["week"])
    if "day_of_year" in numbers:
        return pl.format("{}-{}", year, numbers["day_of_year"].cast(pl.String).str.zfill(3))
    month = numbers["month"] if "month" in numbers else numbers["quarter"] * 3 - 2
    return pl.format("{}-{}-{}", year, month, numbers.get("day", pl.lit(1)))


def _number(column: pl.Expr, dtype: pl.DataType, part: str) -> pl.Expr:
    """A part as a whole number: of 1959.0, "05", "Q1" or "January"; null where it is none."""
    if dtype != pl.String():
        whole = column.cast(pl.Int64, strict=False)
        return pl.when(whole == column).then(whole)
    text = column.str.strip_chars()
    number = text.str.extract(NUMBERED, 1).cast(pl.Int64, strict=False)
    if part != "month":
        return number
    named = text.str.to_lowercase().replace_strict(MONTHS, default=None, return_dtype=pl.Int64)
    return pl.coalesce(number, named)


def _from_date(
    schema: Mapping[str, pl.DataType], date: str, *, anything: bool = False
) -> Derived | None:
    """Of a date and a clock or an hour beside it; ``anything``: whatever that is called."""
    if schema[date] != pl.Date():
        return None
    for name, dtype in schema.items():
        clock = None
        called = name.lower()
        if dtype == pl.String() and (anything or called in CLOCKS):
            clock = _clock(name)
        elif dtype == pl.Int64() and (anything or called in PARTS["hour"]):
            hour = pl.col(name)
            clock = pl.duration(hours=pl.when(hour.is_between(0, 24)).then(hour))
        if clock is not None:
            return Derived(
                name=free_name(schema, *NAMES),
                columns=(date, name),
                dtype=pl.Datetime("us"),
                expression=pl.col(date).cast(pl.Datetime("us")) + clock,
                unit="clock",
            )
    return None


def _clock(name: str) -> pl.Expr:
    """The time since midnight of text as 13:00 or 13.00.00."""
    text = pl.when(pl.col(name).str.contains(CLOCK_TEXT)).then(pl.col(name))
    parts = text.str.replace_all(".", ":", literal=True).str.split(":")
    hour, minute, second = (parts.list.get(i, null_on_oob=True) for i in range(3))
    return pl.duration(
        hours=hour.cast(pl.Int64),
        minutes=minute.cast(pl.Int64),
        seconds=second.cast(pl.Int64).fill_null(0),
    )
