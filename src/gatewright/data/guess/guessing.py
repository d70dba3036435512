"""What the columns of a table mean, guessed from the table where nobody said it.

Every guess is returned with its reason and the flag that overrides it. What was said is checked
against the table and never overridden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from gatewright.data.calendar import Frequency
from gatewright.data.guess.forecasts import guess_forecast
from gatewright.data.guess.lengths import Lengths
from gatewright.data.guess.neighbours import likeness
from gatewright.data.guess.roles import (
    Column,
    Given,
    Notes,
    find_split,
    find_time,
    look,
    named,
    some,
    steps_of,
)
from gatewright.data.guess.sequences import CLASSIFY, find_sequence, guess_sequences
from gatewright.data.layout import Guess, Layout
from gatewright.data.table.reading import Table, in_words
from gatewright.errors import InputError

FORECAST = "forecast"
TARGET_NAMES = ("target", "y", "label", "class", "value")


def guess(
    table: Table,
    *,
    targets: Sequence[str] = (),
    task: str | None = None,
    time: str | None = None,
    series: str | None = None,
    sequence: str | None = None,
    step: str | None = None,
    known: Sequence[str] = (),
    categories: Sequence[str] = (),
    ignore: Sequence[str] = (),
    group: str | None = None,
    split: str | None = None,
    horizon: int | None = None,
    context: int | None = None,
    season: int | None = None,
    frequency: str | None = None,
) -> tuple[Layout, tuple[Guess, ...]]:
    """Find the part of each column, the task, and how far to look back and ahead.

    Args:
        table: what ``read`` gave.
        targets: the columns to predict; without them the one column that can be meant.
        task: "forecast", or a task on labelled sequences: "classify" or "regress".
        time, series: of forecasts, the columns of times and of the names of the series.
        sequence, step: of labelled sequences, the columns of names and of positions.
        known: inputs whose values are known ahead of time.
        categories: inputs that are names even if they are written as numbers.
        ignore: columns to leave out.
        group: sequences with the same value here stay in one part of the split.
        split: the column that says train, validation or test.
        horizon, context, season: in steps.
        frequency: how far apart the rows are, as polars writes durations: "1h", "1mo".

    Returns:
        the layout, and the guesses that led to it in the order in which they are best read.

    Raises:
        InputError: something given does not fit the table, or the table fits no shape.
    """
    given = Given(
        targets=tuple(targets),
        time=time,
        series=series,
        sequence=sequence,
        step=step,
        group=group,
        split=split,
        known=tuple(known),
        categories=tuple(categories),
        ignore=tuple(ignore),
    )
    given.check(table)
    lengths = Lengths(horizon, context, season, frequency)
    if frequency is not None:
        Frequency.parse(frequency)
    columns = look(table)
    notes = Notes(list(table.guesses))
    if not given.targets:
        given = given.replace(targets=(_find_target(table, columns, given, notes),))
    _check_targets(table, columns, given, task)
    given = given.replace(split=find_split(table, columns, given, notes))

    shape, why = _shape(table, columns, given, task), ""
    if shape == "wide" and task is None:
        why = _in_order(table, columns, given, lengths)
        shape = FORECAST if why else shape
    if shape == FORECAST:
        layout = guess_forecast(
            table,
            columns,
            given,
            lengths,
            notes,
            said=task is not None,
            why=why,
            given_split=split is not None,
        )
    else:
        layout = guess_sequences(table, columns, given, shape, lengths, notes, task)
    _note_inputs(layout, given, notes)
    return layout, tuple(notes.guesses)


def _find_target(table: Table, columns: Mapping[str, Column], given: Given, notes: Notes) -> str:
    taken = given.taken | {*table.ignored, *given.known, *given.categories}
    free = {
        name: column
        for name, column in columns.items()
        if name not in taken and column.plain and not column.constant
        if not column.dtype.is_temporal()
    }
    numbers = [name for name, column in free.items() if column.numeric]
    for name in named(free, TARGET_NAMES)[:1]:
        notes.add("target", name, "--target", "by its name")
        return name
    candidates = numbers or list(free)
    if len(candidates) == 1:
        why = "the only column of numbers" if numbers else "the only column that changes"
        notes.add("target", candidates[0], "--target", why)
        return candidates[0]
    if not free:
        raise InputError(
            f"{table.name} has no column to predict: each holds times or one value only, or has "
            "another part; add a column of values that change, and name it with --target."
        )
    raise InputError(
        f"{table.name} has several columns that could be predicted ({some(list(free))}); say which "
        "one with --target."
    )


def _check_targets(
    table: Table, columns: Mapping[str, Column], given: Given, task: str | None
) -> None:
    for name in given.targets:
        column = columns[name]
        if name in table.faults and task != CLASSIFY:
            raise InputError(table.faults[name])
        if column.missing == table.rows:
            raise InputError(
                f"--target {name}: all values in {table.name} are missing; give a column of values."
            )
        if not column.plain or column.dtype.is_temporal():
            raise InputError(
                f"--target {name}: expected numbers or labels in {table.name}, found "
                f"{in_words(column.dtype)}; give another column."
            )
        if column.constant:
            raise InputError(
                f"--target {name}: all values in {table.name} are the same; there is nothing to "
                "learn: give a column that changes."
            )


def _shape(table: Table, columns: Mapping[str, Column], given: Given, task: str | None) -> str:
    """ "forecast", or the column or columns that make the sequences: "long" or "wide"."""
    if task == FORECAST:
        if given.sequence is not None:
            raise InputError(
                f"--sequence {given.sequence} names labelled sequences, but --task forecast was "
                f"given; say --series {given.sequence} for several series, or drop one of the two."
            )
        return FORECAST
    if given.sequence is not None:
        return "long"
    if given.series is not None:
        if task is not None:
            raise InputError(
                f"--series {given.series} names series to forecast, but --task {task} was given; "
                f"say --sequence {given.series} for labelled sequences, or drop one of the two."
            )
        return FORECAST
    if task is None and given.time is not None:
        return FORECAST
    if find_sequence(table, columns, given) is not None:
        return "long"
    if find_time(table, columns, given) is None and _wide(columns, given):
        return "wide"
    return FORECAST if task is None else "none"


def _wide(columns: Mapping[str, Column], given: Given) -> bool:
    steps = steps_of(columns, given)
    numbers = [name for name, column in columns.items() if column.numeric]
    numbers = [name for name in numbers if name not in given.ignore]
    return len(given.targets) * 2 + len(steps) * 2 > len(numbers) and bool(steps)


def _in_order(table: Table, columns: Mapping[str, Column], given: Given, lengths: Lengths) -> str:
    """Why the rows of a wide table are one series and no sequences; empty where they may be."""
    otherwise = "--task classify or regress makes each row a sequence"
    if (flag := lengths.given()) is not None:
        return f"only forecasts have a --{flag}; {otherwise}"
    if any(columns[name].text or columns[name].dtype == pl.Boolean for name in given.targets):
        return ""
    alike = likeness(table, steps_of(columns, given), given.targets)
    if alike is None:
        return ""
    return f"each row is like the one before it (correlation {alike:.2f}); {otherwise}"


def _note_inputs(layout: Layout, given: Given, notes: Notes) -> None:
    numbers = [name for name in layout.numbers if name not in given.known]
    if numbers:
        notes.add("inputs", some(numbers), "--ignore", "columns of numbers")
    categories = [name for name in layout.categories if name not in given.categories]
    if categories:
        notes.add("categories", some(categories), "--ignore", "columns of words that repeat")
    reasons: dict[str, list[str]] = {}
    for name, why in layout.ignored.items():
        if name not in given.ignore:
            reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        notes.add("ignored", some(names), "--categories", why)
