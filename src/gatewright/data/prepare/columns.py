"""The columns that a layout asks of a table, checked and cast to what the arrays need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from gatewright.data.calendar import Frequency
from gatewright.data.layout import Layout
from gatewright.data.table.reading import Table, in_words
from gatewright.errors import InputError, argument

# Put before the name of a categorical column, and of one that each row has a target in, as a column
# may be a number and a category. No name in a file of text holds this character.
TEXT, TARGET = "\0text:", "\0target:"


def check_columns(
    table: Table, layout: Layout, *, numbers: Iterable[str], targets: bool, parts: bool
) -> None:
    """Raise InputError for a column that the table lacks, or that is of another type.

    numbers: the columns that have to hold numbers; targets, parts: whether the targets, and the
    columns of the split and the groups, have to be there.
    """
    needed = [*_order(layout), *layout.steps, *layout.categories]
    if parts:
        needed += [("the split", layout.split), ("the group", layout.group)]
    if targets:
        needed += [("the target", name) for name in layout.targets]
    needed += list(layout.numbers)
    for each in needed:
        part, name = each if isinstance(each, tuple) else ("an input", each)
        if name is not None and name not in table.schema:
            raise InputError(
                f"column {name!r} ({part}) is not in {table.name}; its columns are "
                f"{', '.join(table.own)}"
            )
    for name in numbers:
        _check_number(table, name)
    for name in (layout.time, layout.step):
        dtype = table.schema[name] if name else None
        if dtype is not None and not (dtype.is_integer() or dtype in (pl.Date, pl.Datetime)):
            raise InputError(
                f"column {name!r} of {table.name} holds {in_words(dtype)}; expected dates, times "
                "or whole numbers to order the rows by"
            )
    frequency = frequency_of(layout)
    if frequency and (frequency.unit == "number") != table.schema[str(layout.time)].is_integer():
        raise InputError(
            f"{argument('frequency', layout.frequency)} does not fit column {layout.time!r} of "
            f"{table.name}, which holds {in_words(table.schema[str(layout.time)])}; write 1i for "
            "whole numbers, 1d for dates"
        )


def check_readings(table: Table, layout: Layout, more: Iterable[str] = ()) -> None:
    """Raise InputError for a value that cannot be read as its column was in training.

    more: columns beside those that order the rows and the inputs.
    """
    # Names of sequences are new in every table.
    used = [layout.time, layout.series, layout.step, *layout.steps, *layout.inputs, *more]
    for name in used:
        if name is not None and name in table.misfits:
            raise InputError(table.misfits[name])


def frequency_of(layout: Layout) -> Frequency | None:
    """The distance between steps of a forecast's time column; None where rows are steps."""
    return Frequency.parse(layout.frequency) if layout.frequency and layout.time else None


def _order(layout: Layout) -> Iterator[tuple[str, str | None]]:
    yield "the time", layout.time
    yield "the series", layout.series
    yield "the sequence", layout.sequence
    yield "the step", layout.step


def _check_number(table: Table, name: str) -> None:
    dtype = table.schema[name]
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        return
    # A column without any value is read as text.
    if dtype == pl.String and table.collect(table.frame.select(pl.col(name).count())).item() == 0:
        return
    raise InputError(
        f"column {name!r} of {table.name} holds {in_words(dtype)}; expected numbers; "
        "correct its values, or say that it is a category"
    )


def selection(
    table: Table,
    numbers: tuple[str, ...],
    categories: tuple[str, ...],
    targets: tuple[str, ...] = (),
) -> list[pl.Expr]:
    """Numbers as Float64, categories as text, targets as they are; ``TEXT`` and ``TARGET`` before
    the names of the last two."""
    expressions = [
        pl.col(name).cast(pl.Float64, strict=table.schema[name] != pl.String) for name in numbers
    ]
    expressions += [pl.col(name).cast(pl.String).alias(TEXT + name) for name in categories]
    expressions += [pl.col(name).alias(TARGET + name) for name in targets]
    # Of no columns polars would not know the number of rows.
    return expressions or [pl.col(next(iter(table.schema))).is_null().alias(TEXT)]
