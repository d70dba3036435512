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


def find_spread(
    frame: pl.LazyFrame,
    schema: Mapping[str, pl.DataType],
    faults: Mapping[str, str],
    unit: str | None = None,
) -> Spread | None:
    """What is spread over the columns of a table, by their names; None where nothing is.

    unit: the only one that it may be.

    Raises InputError where a column of values has a fault.
    """
    for each in UNITS:
        if unit not in (None, each.name):
            continue
        columns, first = _family(each, schema)
        whole = _whole(each, frame, schema)
        if not columns or whole is None:
            continue
        for name in columns:
            if name in faults:
                raise InputError(faults[name])
        if not all(_numbers(name, frame, schema) for name in columns):
            continue
        others = [name for name in schema if name not in (*columns, whole)]
        keys = _keys(frame, schema, whole, others)
        if keys is None or any(name.strip().lower() in LABELS for name in others):
            continue
        beside = [name for name in others if schema[name].is_numeric() and name not in keys]
        time, value = free_name(schema, "time", "datetime"), free_name(schema, VALUE)
        return Spread(each, whole, columns, first, keys, tuple(beside), time, value)
    return None


def find_again(
    frame: pl.LazyFrame,
    schema: Mapping[str, pl.DataType],
    faults: Mapping[str, str],
    before: Mapping[str, str],
    table: str,
) -> Spread | None:
    """As ``find_spread``, in a table that is read as one before it, by its ``readings``.

    None where that was not spread, or where this one is not any more.

    Raises InputError where neither is so.
    """
    for value, reading in before.items():
        if reading.startswith(MARK):
            unit, time = json.loads(reading.removeprefix(MARK))
            found = find_spread(frame, schema, faults, unit)
            if found is None and not {value, time} <= schema.keys():
                each = next(each for each in UNITS if each.name == unit)
                raise InputError(
                    f"{table} has no {each.count} columns of {unit}s, which the table of the "
                    f"training had: give such rows, a row a {each.whole}, or the columns {time} "
                    f"and {value} with a row a {unit}."
                )
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


def _family(unit: Unit, schema: Mapping[str, pl.DataType]) -> tuple[tuple[str, ...], int]:
    """The columns that are called as the steps are, in their order, and the first number."""
    numbers: dict[int, str] = {}
    for name in schema:
        plain = name.strip().lower()
        match = re.fullmatch(unit.pattern, plain)
        number = unit.names.get(plain, int(match[1]) if match else None)
        if number is not None:
            if number in numbers:
                return (), 0
            numbers[number] = name
    for first in unit.first:
        if sorted(numbers) == list(range(first, first + unit.count)):
            return tuple(numbers[number] for number in sorted(numbers)), first
    return (), 0


def _whole(unit: Unit, frame: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> str | None:
    """The one column of days, or of years, that every row has."""
    if unit.whole == "day":
        names = [name for name, dtype in schema.items() if dtype == pl.Date()]
        good = pl.col(names).is_not_null() if names else pl.lit(True)
    else:
        names = [
            name
            for name, dtype in schema.items()
            if name.strip().lower() in PARTS["year"] and dtype == pl.Int64()
        ]
        good = pl.col(names[:1]).is_between(1000, 2999) if names else pl.lit(True)
    if len(names) != 1:
        return None
    all_good = frame.select(good.fill_null(value=False).all()).collect(engine="streaming").item()
    return names[0] if all_good else None


def _numbers(name: str, frame: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> bool:
    """Whether a column holds numbers, or nothing at all."""
    if schema[name].is_numeric():
        return True
    empty = schema[name] == pl.String()
    return empty and frame.select(pl.col(name).count()).collect(engine="streaming").item() == 0


def _keys(
    frame: pl.LazyFrame, schema: Mapping[str, pl.DataType], whole: str, others: Sequence[str]
) -> tuple[str, ...] | None:
    """The columns that tell rows of one year or day apart: none, the words, or a whole number."""
    words = tuple(name for name in others if schema[name] == pl.String())
    numbered = [(name,) for name in others if schema[name] == pl.Int64()]
    for keys in ((), words, *numbered):
        counts = frame.group_by([whole, *keys]).len("rows").select((pl.col("rows") == 1).all())
        if counts.collect(engine="streaming").item():
            return keys
    return None
