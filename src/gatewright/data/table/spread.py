"""Series that are spread over columns: a row a year with a column a month, a row a day by hours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.layout import Guess
from gatewright.data.table.joined import MONTHS, PARTS, free_name
from gatewright.errors import InputError, argument
from gatewright.requests import Columns

VALUE = "value"  # the column of what was measured
LABELS = ("target", "y", "label", "class")  # columns of what is told of a whole row
MARK = "spread "  # before the columns, where a table says how it was read
NUMBER = "\0number"  # of the step in its row
MOST = 0.75  # of the steps: so many columns are called as they are by no chance
ROW = "\0row"  # of the table as it is written; no name in a file of text holds this character


@dataclass(frozen=True)
class Unit:
    """Into what a row is cut: how many columns there are, and what they are called."""

    name: str  # "month"
    whole: str  # what a row is: "year"
    count: int
    first: tuple[int, ...]  # the numbers that the first of them may have
    pattern: str  # of a name, with its number
    begin: Callable[[pl.Expr, pl.Expr], pl.Expr]  # the time of (row, number from 0)
    frequency: str
    names: Mapping[str, int] = field(default_factory=dict)  # others -> number


def _month(year: pl.Expr, number: pl.Expr) -> pl.Expr:
    return pl.date(year, number + 1, 1)


def _quarter(year: pl.Expr, number: pl.Expr) -> pl.Expr:
    return pl.date(year, 3 * number + 1, 1)


def _hour(day: pl.Expr, number: pl.Expr) -> pl.Expr:
    return day.cast(pl.Datetime("us")) + pl.duration(hours=number)


UNITS = (
    Unit("month", "year", 12, (1,), r"(?:m|month)?[ _.-]?0*(\d+)", _month, "1mo", MONTHS),
    Unit("quarter", "year", 4, (1,), r"(?:q|qtr|quarter)[ _.-]?0*(\d)", _quarter, "1q"),
    Unit("hour", "day", 24, (0, 1), r"(?:h|he|hr|hour)?[ _.-]?0*(\d+)(?::00|h)?", _hour, "1h"),
)


@dataclass(frozen=True)
class Spread:
    """A table whose rows hold several steps each, and what it is as one row a step."""

    unit: Unit
    whole: str  # the column of years, or of days
    columns: tuple[str, ...]  # of the values, in their order
    first: int  # the number of the first of them
    keys: tuple[str, ...]  # what tells rows of the same year or day apart
    beside: tuple[str, ...]  # columns with one number for the whole row
    time: str  # the names of the columns that are made
    value: str

    @property
    def reading(self) -> str:
        """How a later table is read by it."""
        return MARK + json.dumps([self.unit.name, self.time])

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Of the columns that are made."""
        hours = self.unit.whole == "day"
        return {self.time: pl.Datetime("us") if hours else pl.Date(), self.value: pl.Float64()}

    @property
    def words(self) -> str:
        """Of what the time is made."""
        return f"{self.whole} and the columns {self.columns[0]} to {self.columns[-1]}"

    def guess(self) -> Guess:
        why = f"{self.columns[0]} to {self.columns[-1]} are called as {self.unit.name}s"
        if self.first > self.unit.first[0]:
            why += f", {self.columns[0]} taken for the one that begins at midnight"
        whole = argument("time", self.whole)
        return Guess(
            what="rows",
            value=f"{self.unit.count} of each: one for every {self.unit.name}",
            argument="time",
            why=f"{why}; {whole} keeps one row a {self.unit.whole}",
        )

    def long(self, frame: pl.LazyFrame) -> tuple[pl.LazyFrame, NDArray[np.int64]]:
        """A row a step, from the first that is known to the last, of each series; and the row of
        the table that each of them comes from."""
        kept = [name for name in frame.collect_schema().names() if name not in self.columns]
        numbers = pl.lit(list(range(self.unit.count)), dtype=pl.List(pl.Int64)).alias(NUMBER)
        values = pl.concat_list(pl.col(name).cast(pl.Float64) for name in self.columns)
        rows = frame.with_row_index(ROW).select(ROW, *kept, numbers, values.alias(self.value))
        rows = rows.explode(NUMBER, self.value)
        begin = self.unit.begin(pl.col(self.whole), pl.col(NUMBER))
        rows = rows.with_columns(begin.alias(self.time))
        known = pl.col(self.value).is_not_null()
        begun, left = known.cum_sum() > 0, known.cum_sum(reverse=True) > 0
        inside = begun & left
        rows = rows.filter(inside.over(self.keys) if self.keys else inside)
        origins = rows.select(ROW).collect(engine="streaming")[ROW].to_numpy().astype(np.int64)
        return rows.select(*kept, self.time, self.value), origins


@dataclass(frozen=True)
class Rows:
    """A table that may be spread, and how its rows are called."""

    frame: pl.LazyFrame
    schema: Mapping[str, pl.DataType]
    faults: Mapping[str, str]  # of columns, which raise an error where they hold values
    words: Callable[[int], str]  # a row from 0: "row 17 (line 18)"

    def first(self, name: str, odd: pl.Expr) -> list[tuple[str, str]]:
        """The first row for which something holds, and the value of a column there, as text."""
        found = self.frame.with_row_index(ROW).filter(odd).select(ROW, name).head(1)
        rows = found.collect(engine="streaming").rows()
        return [(self.words(row), str(value)) for row, value in rows]


def find_spread(rows: Rows, unit: str | None = None) -> tuple[Spread | None, str]:
    """What is spread over the columns of a table, by their names; None where nothing is.

    Of columns that are called as steps and not spread, also why, and what to do; else "".

    unit: the only one that it may be.

    Raises InputError where a column of values has a fault.
    """
    reasons = []
    for each in UNITS:
        if unit in (None, each.name):
            found = _spread(each, rows)
            if isinstance(found, Spread):
                return found, ""
            reasons.append(found)
    return None, next(filter(None, reasons), "")


def _spread(unit: Unit, rows: Rows) -> Spread | str:
    """What is spread over the columns of one unit, or why nothing is; "" where nothing looks so."""
    schema = rows.schema
    called = _called(unit, schema)
    if not called:
        return ""
    columns = tuple(name for name, _ in called)
    named = f"{columns[0]} to {columns[-1]} are called as {unit.name}s, but"
    whole, why = _whole(unit, rows, columns)
    if whole is None:
        return f"{named} {why}" if why else ""
    others = [name for name in schema if name not in (*columns, whole)]
    if any(name.strip().lower() in LABELS for name in others):
        return ""
    if why := _disorder(unit, called):
        return f"{named} {why}"
    for name in columns:
        if name in rows.faults:
            raise InputError(rows.faults[name])
    for name in columns:
        if why := _no_numbers(name, rows):
            return f"{named} {why}"
    keys = _keys(rows, whole, others)
    if keys is None:
        return f"{named} {_repeated(rows, whole, others)}"
    beside = [name for name in others if schema[name].is_numeric() and name not in keys]
    time, value = free_name(schema, "time", "datetime"), free_name(schema, VALUE)
    return Spread(unit, whole, columns, called[0][1], keys, tuple(beside), time, value)


def find_again(rows: Rows, before: Mapping[str, str], table: str) -> Spread | None:
    """As ``find_spread``, in a table that is read as one before it, by its ``readings``.

    None where that was not spread, or where this one is not any more.

    Raises InputError where neither is so.
    """
    for value, reading in before.items():
        if reading.startswith(MARK):
            unit, time = json.loads(reading.removeprefix(MARK))
            found, why = find_spread(rows, unit)
            if found is None and not {value, time} <= rows.schema.keys():
                each = next(each for each in UNITS if each.name == unit)
                why = why or (
                    f"it has no {each.count} columns of {unit}s, which the table of the training "
                    f"had: give such rows, a row a {each.whole}, or the columns {time} and {value} "
                    f"with a row a {unit}"
                )
                raise InputError(f"{table}: {why}.")
            return found
    return None


def otherwise(spread: Spread, said: Columns) -> bool:
    """Whether something that was said reads the table as it stands."""
    named = {*said.known, *said.categories, said.time, said.series, said.split}
    cut = {*spread.columns, spread.whole}
    of_sequences = (said.sequence, said.step, said.group)
    return (
        bool(named & {*cut, *spread.beside} or cut & {*said.ignore})
        or any(name is not None for name in of_sequences)
        or said.targets not in ((), (spread.value,))
        or said.frequency not in (None, spread.unit.frequency)
    )


def _called(unit: Unit, schema: Mapping[str, pl.DataType]) -> list[tuple[str, int]]:
    """The columns that are called as the steps are, and their numbers, as they stand.

    None where most steps have no such column, or where some have a number that no step has.
    """
    numbers = []
    for name in schema:
        plain = name.strip().lower()
        match = re.fullmatch(unit.pattern, plain)
        number = unit.names.get(plain, int(match[1]) if match else None)
        if number is not None:
            numbers.append((name, number))
    different = {number for _, number in numbers}
    steps = range(unit.first[0], unit.first[-1] + unit.count)
    most = len(different) >= MOST * unit.count
    return numbers if most and different <= {*steps} else []


def _disorder(unit: Unit, called: Sequence[tuple[str, int]]) -> str:
    """Why the columns are not one for each step, in the order of time; "" where they are."""
    numbers = [number for _, number in called]
    for at, (name, number) in enumerate(called):
        if number in numbers[:at]:
            same = called[numbers.index(number)][0]
            return f"{same} and {name} are the same {unit.name}: leave one of the two out"
    begins = min(numbers) if min(numbers) in unit.first else unit.first[0]
    missing = sorted({*range(begins, begins + unit.count)} - {*numbers})
    if missing:
        names = [(number, name.capitalize()) for name, number in unit.names.items()]
        first = dict(reversed(names))
        which = ", ".join(first.get(number, f"{unit.name} {number}") for number in missing)
        return f"{which} has no column: add one, empty where nothing is known"
    if len(numbers) > unit.count:
        return f"there are {len(numbers)} of them: leave all but {unit.count} out"
    if numbers != sorted(numbers):
        head = called[numbers.index(begins)][0]
        return (
            f"they do not stand in the order of a {unit.whole}: put them in order, {head} first, "
            f"if each row is one {unit.whole} from there on; where a row begins with another "
            f"{unit.name}, write a row a {unit.name}, with its time"
        )
    return ""


def _whole(unit: Unit, rows: Rows, columns: Sequence[str]) -> tuple[str | None, str]:
    """The one column of days, or of years, that every row has; or None, and why it is not."""
    days = unit.whole == "day"
    called = ("date", "day") if days else PARTS["year"]
    named = [name for name in rows.schema if name.strip().lower() in called]
    if days:
        dates = [name for name, dtype in rows.schema.items() if dtype == pl.Date()]
        named = dates or named
    if len(named) > 1:
        both = " and ".join(named[:2])
        return None, f"both {both} may be the {unit.whole}: leave one of them out"
    if not named:
        sure = not all(name.strip().isdigit() for name in columns)
        add = f"no column holds the {unit.whole}: add one, called {called[0]}"
        return None, add if sure else ""
    name = named[0]
    good = pl.lit(rows.schema[name] == pl.Date()) & pl.col(name).is_not_null()
    if not days:
        good = pl.col(name).cast(pl.Int64, strict=False).is_between(1000, 2999)
    for row, value in rows.first(name, ~good.fill_null(value=False)):
        held = "nothing" if value == "None" else repr(value)
        shape = "a date, as 2024-01-31" if days else "a year of four digits"
        return None, f"{name} holds {held} in {row}: write {shape}"
    fits = rows.schema[name] == (pl.Date() if days else pl.Int64())
    return (name, "") if fits else (None, f"{name} holds no whole numbers: write years as 1999")


def _no_numbers(name: str, rows: Rows) -> str:
    """Why a column holds something other than numbers; "" where it does not, or is empty."""
    dtype = rows.schema[name]
    if dtype.is_numeric():
        return ""
    values = pl.col(name)
    odd = values.is_not_null()
    if dtype == pl.String():
        odd &= values.cast(pl.Float64, strict=False).is_null()
    for row, value in rows.first(name, odd):
        return f"{name} holds {value!r} in {row}: correct it, or leave it empty"
    return ""


def _keys(rows: Rows, whole: str, others: Sequence[str]) -> tuple[str, ...] | None:
    """The columns that tell rows of one year or day apart: none, the words, or a whole number."""
    numbered = [(name,) for name in others if rows.schema[name] == pl.Int64()]
    for keys in ((), _words(rows, others), *numbered):
        counts = rows.frame.group_by([whole, *keys]).len("rows").select((pl.col("rows") == 1).all())
        if counts.collect(engine="streaming").item():
            return keys
    return None


def _words(rows: Rows, others: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in others if rows.schema[name] == pl.String())


def _repeated(rows: Rows, whole: str, others: Sequence[str]) -> str:
    """Which year or day stands in several rows that no words tell apart."""
    told = [whole, *_words(rows, others)]
    numbered = rows.frame.with_row_index(ROW).group_by(told).agg(pl.col(ROW).sort())
    again = numbered.filter(pl.col(ROW).list.len() > 1).sort(pl.col(ROW).list.get(1)).head(1)
    *values, same = again.collect(engine="streaming").row(0)
    held = " with ".join(f"{name} {value}" for name, value in zip(told, values, strict=True))
    first, second = (rows.words(row) for row in same[:2])
    return (
        f"{held} stands in {first} and {second}: leave one of them, or add a column of words that "
        "tells the series apart"
    )
