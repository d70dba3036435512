"""Which column plays which part: what people named, checked, and the rest found by looking."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import polars as pl

from gatewright.data.layout import Guess
from gatewright.data.table.reading import Table, in_words, is_plain
from gatewright.errors import InputError, argument
from gatewright.requests import Columns

SEQUENCE_NAMES = (
    "sequence", "sequence_id", "seq", "seq_id", "utterance", "sample", "sample_id", "recording",
    "trial", "episode", "session", "session_id", "case", "case_id", "instance", "example",
    "unique_id", "id", "series", "series_id", "subject", "patient", "patient_id", "unit",
)  # fmt: skip
SERIES_NAMES = (
    "unique_id", "series", "series_id", "id", "item", "item_id", "store", "store_id", "station",
    "product", "product_id", "sku", "sensor", "sensor_id", "location", "city", "country",
    "region", "state", "symbol", "ticker", "household", "meter", "machine", "unit", "name", "key",
)  # fmt: skip
STEP_NAMES = (
    "step", "time_step", "timestep", "position", "frame", "index", "order", "cycle", "time", "t",
    "tick", "ds",
)  # fmt: skip
GROUP_NAMES = ("group", "subject", "subject_id", "patient", "patient_id", "participant", "person",
               "user", "user_id")  # fmt: skip
WHOLE_TIME_NAMES = ("ds", "time", "t", "timestamp", "step", "time_step", "timestep", "index",
                    "period", "year", "date", "week", "day", "month", "hour")  # fmt: skip
MORE_TIME_NAMES = ("yr", "quarter", "qtr", "minute", "season", "weekday")  # never one alone
ID_ENDS = ("_id", " id", "_nbr")
TIME_NAMES = ("ds", "time", "timestamp", "datetime", "date")
SPLIT_NAMES = ("split", "part", "partition", "subset", "fold", "set")
PARTS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip

MOST_CATEGORIES = 1000  # distinct values
STEPS_AT_LEAST = 3  # columns whose names count up, in a wide table


@dataclass(frozen=True, kw_only=True)
class Roles(Columns):
    """What was said of the columns, and the parts that were found so far."""

    unusable: Mapping[str, str] = field(default_factory=dict)  # found to be no input, and why

    @classmethod
    def of(cls, said: Columns) -> Self:
        """Before anything was found."""
        return cls(**{each.name: getattr(said, each.name) for each in dataclasses.fields(said)})

    def replace(self, **changes: Any) -> Self:
        """The same with parts that were found."""
        return dataclasses.replace(self, **changes)

    def parts(self) -> tuple[tuple[str, str], ...]:
        """(argument, column) of those parts that exclude each other."""
        alone = ("time", "series", "sequence", "step", "group", "split")
        single = [(role, getattr(self, role)) for role in alone]
        targets = [("target", name) for name in self.targets]
        ignored = [("ignore", name) for name in self.ignore]
        return (*targets, *(part for part in single if part[1] is not None), *ignored)

    @property
    def taken(self) -> frozenset[str]:
        """The columns that have a part, or are left out."""
        return frozenset(name for _, name in self.parts())

    def of_forecasts(self) -> str | None:
        """One of what was said that only forecasts have."""
        names = ("horizon", "context", "season", "frequency")
        return next((name for name in names if getattr(self, name) is not None), None)

    def check(self, table: Table) -> None:
        """Raise InputError for a column that does not exist or has two parts."""
        columns = list(table.schema)
        inputs = [("known", name) for name in self.known]
        inputs += [("categories", name) for name in self.categories]
        taken: dict[str, str] = {}
        for role, name in [*self.parts(), *inputs]:
            if name not in columns:
                raise InputError(_no_column(table, role, name))
            if not is_plain(table.schema[name]) and role != "ignore":
                raise InputError(
                    f"{argument(role, name)}: expected single numbers, words or times in "
                    f"{table.name}, found {in_words(table.schema[name])}; give another column."
                )
        for role, name in self.parts():
            if name in taken:
                raise InputError(
                    f"column {name!r} is given by {argument(taken[name])} and {argument(role)}; a "
                    "column plays one part: drop one of the two."
                )
            taken[name] = role
        for role, name in inputs:
            # Each series may also be told apart by its name, as an input.
            if taken.get(name, "series") not in ("series", "group"):
                raise InputError(
                    f"column {name!r} is given by {argument(taken[name])} and {argument(role)}, "
                    f"but only inputs can be {role}: drop one of the two."
                )


def _no_column(table: Table, role: str, name: str) -> str:
    if table.unspread and role == "target":
        return f"{argument(role, name)}: {table.name} has no such column; {table.unspread}."
    columns = table.own
    lower = {column.lower(): column for column in [*columns, *table.schema]}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    hint = f"the nearest is {lower[near[0]]!r}, and " if near else ""
    shown = columns if len(columns) <= 30 else [*columns[:29], f"... ({len(columns)} in all)"]
    start = f"{argument(role, name)}: {table.name} has no such column"
    return f"{start}; {hint}its columns are {', '.join(shown)}."


@dataclass(frozen=True)
class Column:
    """What was found out about the values of a column."""

    dtype: pl.DataType
    missing: int = 0
    distinct: int = 0  # roughly where there are many
    constant: bool = False
    plain: bool = True  # not a list or something else that has parts

    @property
    def whole(self) -> bool:
        return self.dtype == pl.Int64

    @property
    def numeric(self) -> bool:
        return self.dtype in (pl.Int64(), pl.Float64(), pl.Boolean())

    @property
    def text(self) -> bool:
        return self.dtype == pl.String


def look(table: Table) -> dict[str, Column]:
    """Count, in one pass, what the columns hold."""
    plain = [name for name, dtype in table.schema.items() if is_plain(dtype)]
    counts = table.frame.select(
        expression.alias(f"{number} {what}")
        for number, name in enumerate(plain)
        for what, expression in (
            ("missing", pl.col(name).null_count()),
            # Numbers with decimals are never names, and to tell them apart takes long.
            (
                "distinct",
                pl.lit(table.rows)
                if table.schema[name] == pl.Float64
                else pl.col(name).drop_nulls().approx_n_unique(),
            ),
            ("constant", pl.col(name).min() == pl.col(name).max()),
        )
    )
    counted = table.collect(counts).row(0)
    columns = {name: Column(dtype, plain=False) for name, dtype in table.schema.items()}
    for number, name in enumerate(plain):
        missing, distinct, constant = counted[3 * number : 3 * number + 3]
        everything = missing == table.rows
        columns[name] = Column(table.schema[name], missing, distinct, bool(constant) or everything)
    return columns


@dataclass
class Notes:
    """The guesses so far, in the order in which they are printed."""

    guesses: list[Guess] = field(default_factory=list)

    def add(self, what: str, value: object, argument: str, why: str) -> None:
        self.guesses.append(Guess(what=what, value=str(value), argument=argument, why=why))


def named(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Those columns that have one of the names, in the order of the names."""
    lower = {column.lower().replace(" ", "_"): column for column in columns}
    return [lower[name] for name in names if name in lower]


def find_time(table: Table, columns: Mapping[str, Column], roles: Roles) -> tuple[str, str] | None:
    """(column of times, why), or None.

    Raises:
        InputError: the column that was given holds no times.
    """
    if roles.time is not None:
        if roles.time in table.faults:
            raise InputError(table.faults[roles.time])
        dtype = columns[roles.time].dtype
        if dtype.is_integer() or dtype == pl.Date() or isinstance(dtype, pl.Datetime):
            return roles.time, "given"
        first = row_of(table, pl.col(roles.time).is_not_null(), pl.col(roles.time))
        holds = f"{first[1]!r} in {table.where(first[0])}" if first else f"no value in {table.name}"
        raise InputError(
            f"{argument('time', roles.time)}: expected times or whole numbers, found {holds}; "
            "write times as 2024-01-31 or 2024-01-31 13:00, or give another column."
        )
    taken = roles.taken | {*roles.known, *roles.categories}
    free = [name for name in columns if name not in taken and name not in table.ignored]
    times = [name for name in free if columns[name].dtype.is_temporal()]
    times = [name for name in times if columns[name].dtype not in (pl.Time(), pl.Duration())]
    if len(times) == 1:
        made = table.derived.get(times[0])
        return times[0], f"made of {made}" if made else "the only column of dates"
    if times:
        best = next(iter(named(times, TIME_NAMES)), times[0])
        return best, f"of the columns of dates {', '.join(times)}, the likeliest by its name"
    for name in named(free, WHOLE_TIME_NAMES):
        if name in table.faults:
            raise InputError(table.faults[name])
        if columns[name].whole and not columns[name].missing and not columns[name].constant:
            return name, "whole numbers and a name of times"
    return None


def find_split(
    table: Table, columns: Mapping[str, Column], roles: Roles, notes: Notes
) -> str | None:
    """The column that says which part of the split a row is in.

    Raises:
        InputError: the column that was given has other values.
    """
    taken = roles.taken | {*roles.known, *roles.categories}
    names = [roles.split] if roles.split else named(columns, SPLIT_NAMES)
    for name in names:
        if (name in taken and name != roles.split) or not columns[name].text:
            if roles.split:
                raise InputError(_no_split(table, name, "numbers or times"))
            continue
        values = table.collect(table.frame.select(pl.col(name).unique().head(50)))[name].to_list()
        parts = {PARTS.get(str(value).lower()) for value in values}
        if roles.split and None in parts:
            odd = next(value for value in values if PARTS.get(str(value).lower()) is None)
            raise InputError(
                _no_split(table, name, "a missing value" if odd is None else repr(odd))
            )
        if roles.split and not {"train", "test"} <= parts:
            raise InputError(
                _no_split(table, name, "only " + " and ".join(sorted(map(str, parts))))
            )
        if None not in parts and {"train", "test"} <= parts:
            if not roles.split:
                values = sorted(values, key=lambda value: list(PARTS).index(value.lower()))
                notes.add("split", name, "split", f"its values are {', '.join(values)}")
            return name
    return None


def part_of(split: str) -> pl.Expr:
    """The part of each row, "train", "validation" or "test"."""
    return pl.col(split).str.to_lowercase().replace(PARTS)


def _no_split(table: Table, name: str, holds: str) -> str:
    return (
        f"{argument('split', name)}: expected the values train, validation and test in "
        f"{table.name}, found {holds}; correct them, or leave {argument('split')} out."
    )


def steps_of(columns: Mapping[str, Column], roles: Roles) -> tuple[str, ...]:
    """The columns of numbers whose names count up: the steps of a wide table.

    A column that has a part of its own, or is left out, is no step, but counts with them.
    """
    families: dict[str, list[tuple[int, str]]] = {}
    for name, column in columns.items():
        match = re.fullmatch(r"(.*?)(\d{1,9})", name)
        if match and column.numeric:
            families.setdefault(match[1], []).append((int(match[2]), name))
    taken = roles.taken | {*roles.known, *roles.categories}
    runs = [_counted(sorted(family), taken) for family in families.values()]
    longest = max(runs, key=len, default=())
    return longest if len(longest) >= STEPS_AT_LEAST else ()


def _counted(family: Sequence[tuple[int, str]], taken: Collection[str]) -> tuple[str, ...]:
    """Those names of a family that are free, if its numbers follow each other without a gap."""
    free = [number for number, (_, name) in enumerate(family) if name not in taken]
    within = family[free[0] : free[-1] + 1] if free else []
    counted = all(after - before == 1 for (before, _), (after, _) in pairwise(within))
    return tuple(family[number][1] for number in free) if counted else ()


def unique_with(table: Table, *columns: str) -> bool:
    """Whether no two rows have the same values in all of these columns."""
    keys = [pl.col(name).alias(f"key {number}") for number, name in enumerate(columns)]
    counts = table.frame.group_by(keys).len("rows").select((pl.col("rows") == 1).all())
    return bool(table.collect(counts).item())


def find_inputs(
    table: Table, columns: Mapping[str, Column], roles: Roles, used: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """(numbers, categories, {other column: why it is not an input}).

    Raises:
        InputError: a column that would be an input has values of several types.
    """
    numbers, categories, ignored = [], [], {}
    taken = set(used)
    if not taken & table.derived.keys():
        table = table.apart()
    for name, column in columns.items():
        if name not in table.schema:
            continue
        chosen = name in roles.categories or name in roles.known
        if name in taken and not chosen:
            continue
        why = (
            argument("ignore")
            if name in roles.ignore
            else {**table.ignored, **roles.unusable}.get(name)
        )
        if not chosen:
            why = why or _useless(table, name, column)
        if why is not None and not (chosen and name in table.ignored):
            ignored[name] = why
            continue
        if name in table.faults and name not in roles.categories:
            raise InputError(table.faults[name])
        if name in roles.categories or column.text:
            categories.append(name)
        else:
            numbers.append(name)
        _check_chosen(table, name, column, roles)
    return tuple(numbers), tuple(categories), ignored


def _check_chosen(table: Table, name: str, column: Column, roles: Roles) -> None:
    role = "categories" if name in roles.categories else "known"
    if not column.plain or column.dtype.is_temporal():
        raise InputError(
            f"{argument(role, name)}: expected numbers or words in {table.name}, found "
            f"{in_words(column.dtype)}; "
            f"leave it out of {argument(role)}."
        )


def _useless(table: Table, name: str, column: Column) -> str | None:
    if not column.plain:
        return f"holds {in_words(column.dtype)}, not single values"
    if column.missing == table.rows:
        return "holds no values"
    if column.constant:
        return "has one value only"
    if column.dtype.is_temporal():
        return "another column of times"
    if name in table.faults:
        return None
    filled = table.rows - column.missing
    if column.text and (column.distinct > MOST_CATEGORIES or column.distinct * 2 > filled > 20):
        return f"words that hardly repeat (about {min(column.distinct, filled)} in {filled} rows)"
    if column.whole and column.distinct > 0.9 * table.rows and counts_up(table, name):
        return "counts the rows"
    return None


def counts_up(table: Table, name: str) -> bool:
    """Whether a column of whole numbers is one more in each row."""
    first = table.collect(table.frame.select(pl.col(name)).head(1000))[name]
    if not bool((first.diff().drop_nulls() == 1).all()):
        return False
    counted = (pl.col(name).diff().drop_nulls() == 1).all()
    return bool(table.collect(table.frame.select(counted)).item())


def some(names: Sequence[str]) -> str:
    """Names in a line, the first of many."""
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:11])}, ... ({len(names)})"


def row_of(table: Table, where: pl.Expr, *values: pl.Expr) -> tuple[Any, ...] | None:
    """(row, values) of the first row for which a condition holds."""
    shown = [value.alias(f"value {number}") for number, value in enumerate(values)]
    query = table.frame.select(where.alias("where"), *shown).with_row_index("row")
    first = table.collect(query.filter(pl.col("where")).drop("where").head(1))
    return first.row(0) if len(first) else None
