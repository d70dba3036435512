"""What the columns of a table mean, guessed from the table where nobody said it.

Every guess is returned with its reason and the flag that overrides it. What was said is checked
against the table and never overridden.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import polars as pl

from gatewright.data.calendar import Frequency
from gatewright.data.guess.choice import Tasks
from gatewright.data.guess.neighbours import likeness
from gatewright.data.guess.roles import (
    GROUP_NAMES,
    ID_ENDS,
    MORE_TIME_NAMES,
    SEQUENCE_NAMES,
    SERIES_NAMES,
    WHOLE_TIME_NAMES,
    Column,
    Notes,
    Roles,
    counts_up,
    find_split,
    find_time,
    look,
    named,
    some,
    steps_of,
)
from gatewright.data.guess.sequences import find_sequence
from gatewright.data.guess.shapes import LONG, SERIES, UNKNOWN, WIDE
from gatewright.data.layout import Guess, Layout
from gatewright.data.question import Question
from gatewright.data.table.joined import several
from gatewright.data.table.reading import NOTHING, Table, in_words
from gatewright.errors import InputError, argument
from gatewright.requests import Columns, Split

USUAL = Split()
NO_TARGETS = (*SEQUENCE_NAMES, *SERIES_NAMES, *GROUP_NAMES, *WHOLE_TIME_NAMES, *MORE_TIME_NAMES)
TARGET_NAMES = ("target", "y", "label", "class", "value")


def guess(
    table: Table,
    questions: Mapping[str, Question],
    said: Columns = NOTHING,
    split: Split = USUAL,
) -> tuple[Layout, tuple[Guess, ...]]:
    """Find the part of each column, the task, and how far to look back and ahead.

    Args:
        table: what ``read`` gave.
        questions: the tasks that there are, by name.
        said: what is not to be guessed.
        split: how the table will be cut: every part is to hold what a forecast needs.

    Returns:
        the layout, and the guesses that led to it in the order in which they are best read.

    Raises:
        InputError: something said does not fit the table, or the table fits no shape.
    """
    said = _with_time(table, said)
    choice, roles = Tasks.of(questions, said, split), Roles.of(said)
    roles.check(table)
    if said.frequency is not None:
        Frequency.parse(said.frequency)
    columns = look(table)
    notes = Notes(list(table.guesses))
    if not roles.targets:
        roles = roles.replace(targets=(_find_target(table, columns, roles, notes),))
    _check_targets(table, columns, roles, choice)
    roles = _parts(table, columns, roles, notes, split)
    choice = choice.reading(*_shape(table, columns, roles, choice))
    layout = choice.first().examples.layout(table, columns, roles, notes, choice)
    _note_inputs(layout, roles, notes)
    if said.limits is not None and not questions[layout.task].target.numeric:
        raise InputError(
            f"{argument('limits')} are for targets that are numbers, and {layout.targets[0]} of "
            f"{table.name} holds labels: leave it out"
        )
    limits = said.limits_of(layout.targets)
    return layout.model_copy(update={"limits": limits}), tuple(notes.guesses)


def _with_time(table: Table, said: Columns) -> Columns:
    """With the one column of the time that was said as several: "year,month"."""
    named = several(said.time, table.schema)
    made = next(iter(table.derived), None)
    return dataclasses.replace(said, time=made) if named and {*named} == {*table.joined} else said


def _parts(
    table: Table, columns: Mapping[str, Column], roles: Roles, notes: Notes, split: Split
) -> Roles:
    """With the column that says the part, unless lengths of the parts were asked for.

    Raises InputError where both were.
    """
    asked = split.asked
    if asked is None:
        return roles.replace(split=find_split(table, columns, roles, notes))
    if roles.split is not None:
        raise InputError(
            f"{argument('split', roles.split)} says the part of each row, and {argument(asked)} "
            "how long the parts are: give one of the two."
        )
    name = find_split(table, columns, roles, Notes())
    if name is None:
        return roles
    why = f"{argument(asked)} says how long the parts are"
    notes.add("split", f"by {asked}", "split", f"the column {name} is not used, as {why}")
    return roles.replace(unusable={name: why})


def _find_target(table: Table, columns: Mapping[str, Column], roles: Roles, notes: Notes) -> str:
    taken = roles.taken | {*table.ignored, *roles.known, *roles.categories}
    free = {
        name: column
        for name, column in columns.items()
        if name not in taken and column.plain and not column.constant
        if not column.dtype.is_temporal()
    }
    for name in named(free, TARGET_NAMES)[:1]:
        notes.add("target", name, "target", "by its name")
        return name
    # What a column is called by tells that it is there to tell rows apart.
    odd = {*named(free, NO_TARGETS), *(name for name in free if name.lower().endswith(ID_ENDS))}
    odd = {name for name in odd if free[name].whole or free[name].text}
    likely = [name for name in free if name not in odd and not _counts(table, free, name)]
    numbers = [name for name in likely if free[name].numeric]
    candidates = numbers or likely or list(free)
    if len(candidates) == 1:
        why = "the only column of numbers" if numbers else "the only column that changes"
        notes.add("target", candidates[0], "target", why)
        return candidates[0]
    if not free:
        still = [name for name, column in columns.items() if column.constant and name not in taken]
        which = f" ({some(still)})" if still else ""
        raise InputError(
            f"{table.name} has no column to predict: each holds times or one value only{which}, or "
            "has another part; add a column of values that change, and name it with "
            f"{argument('target')}."
        )
    if table.unspread:
        raise InputError(
            f"{table.name}: {table.unspread}. To predict one of the columns, name it with "
            f"{argument('target')}."
        )
    raise InputError(
        f"{table.name} has several columns that could be predicted ({some(candidates)}); say which "
        f"one with {argument('target')}."
    )


def _counts(table: Table, columns: Mapping[str, Column], name: str) -> bool:
    """Whether a column numbers the rows."""
    column = columns[name]
    return column.whole and column.distinct > 0.9 * table.rows and counts_up(table, name)


def _check_targets(
    table: Table, columns: Mapping[str, Column], roles: Roles, choice: Tasks
) -> None:
    numeric = choice.asked is None or choice.asked.target.numeric
    for name in roles.targets:
        column = columns[name]
        if name in table.faults and numeric:
            raise InputError(table.faults[name])
        if column.missing == table.rows:
            raise InputError(
                f"{argument('target', name)}: all values in {table.name} are missing; give a "
                "column of values."
            )
        if not column.plain or column.dtype.is_temporal():
            raise InputError(
                f"{argument('target', name)}: expected numbers or labels in {table.name}, found "
                f"{in_words(column.dtype)}; give another column{_of_numbers(columns)}."
            )
        if column.constant:
            raise InputError(
                f"{argument('target', name)}: all values in {table.name} are the same; there is "
                "nothing to learn: give a column that changes."
            )


def _of_numbers(columns: Mapping[str, Column]) -> str:
    """The columns of numbers that change, where an error may name them."""
    names = [name for name, column in columns.items() if column.numeric and not column.constant]
    return f", of numbers {some(names)}" if names else ""


def _shape(
    table: Table, columns: Mapping[str, Column], roles: Roles, choice: Tasks
) -> tuple[str, str]:
    """The shape of the table, and what speaks for it where that is not plain."""
    asked = choice.asked
    if asked is not None and SERIES in asked.examples.shapes:
        if roles.sequence is not None:
            raise InputError(
                f"{argument('sequence', roles.sequence)} names labelled sequences, but "
                f"{argument('task', roles.task)} was given; say "
                f"{argument('series', roles.sequence)} for several series, or drop one of the two."
            )
        return SERIES, ""
    if roles.sequence is not None:
        return LONG, ""
    if roles.series is not None:
        if asked is not None:
            raise InputError(
                f"{argument('series', roles.series)} names series to forecast, but "
                f"{argument('task', roles.task)} was given; say "
                f"{argument('sequence', roles.series)} for labelled sequences, or drop one of the "
                "two."
            )
        return SERIES, ""
    if asked is None and roles.time is not None:
        return SERIES, ""
    if find_sequence(table, columns, roles) is not None:
        return LONG, ""
    if find_time(table, columns, roles) is None and _wide(columns, roles):
        why = _in_order(table, columns, roles, choice) if asked is None else ""
        return (SERIES, why) if why else (WIDE, "")
    return (SERIES if asked is None else UNKNOWN), ""


def _wide(columns: Mapping[str, Column], roles: Roles) -> bool:
    steps = steps_of(columns, roles)
    numbers = [name for name, column in columns.items() if column.numeric]
    numbers = [name for name in numbers if name not in roles.ignore]
    return len(roles.targets) * 2 + len(steps) * 2 > len(numbers) and bool(steps)


def _in_order(table: Table, columns: Mapping[str, Column], roles: Roles, choice: Tasks) -> str:
    """Why the rows of a wide table are one series and no sequences; empty where they may be."""
    otherwise = f"{choice.to_say(WIDE)} makes each row a sequence"
    if (length := roles.of_forecasts()) is not None:
        return f"only forecasts have a {argument(length)}; {otherwise}"
    if any(columns[name].text or columns[name].dtype == pl.Boolean for name in roles.targets):
        return ""
    alike = likeness(table, steps_of(columns, roles), roles.targets)
    if alike is None:
        return ""
    return f"each row is like the one before it (correlation {alike:.2f}); {otherwise}"


def _note_inputs(layout: Layout, roles: Roles, notes: Notes) -> None:
    numbers = [name for name in layout.numbers if name not in roles.known]
    if numbers:
        notes.add("inputs", some(numbers), "ignore", "columns of numbers")
    categories = [name for name in layout.categories if name not in roles.categories]
    if categories:
        notes.add("categories", some(categories), "ignore", "columns of words that repeat")
    reasons: dict[str, list[str]] = {}
    told = {each.why for each in notes.guesses}
    for name, why in layout.ignored.items():
        if name not in roles.ignore and why not in told:
            reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        notes.add("ignored", some(names), "categories", why)
