"""Labelled sequences: which rows or columns are one, and what kind of label it has."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from gatewright.data.guess.labels import LabelCounts
from gatewright.data.guess.roles import (
    GROUP_NAMES,
    SEQUENCE_NAMES,
    STEP_NAMES,
    WHOLE_TIME_NAMES,
    Column,
    Notes,
    Roles,
    find_inputs,
    named,
    row_of,
    steps_of,
    unique_with,
)
from gatewright.data.guess.shapes import LONG, SERIES, WIDE
from gatewright.data.layout import Layout
from gatewright.data.question import TaskChoice
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument


def find_sequence(table: Table, columns: Mapping[str, Column], roles: Roles) -> str | None:
    """A column of names within each of which the targets keep their values."""
    taken = roles.taken | {*roles.known, *roles.categories}
    free = {
        name: column
        for name, column in columns.items()
        if name not in taken and (column.text or column.whole) and not column.constant
    }
    hinted = named(free, SEQUENCE_NAMES)
    # Rows of several series that share a time are no sequence either.
    times = named(free, WHOLE_TIME_NAMES)
    others = [name for name in free if name not in hinted and name not in times]
    for name in [*hinted, *others]:
        column = columns[name]
        # Words that repeat by chance determine nothing: one run of rows for each name is needed
        # where the name of the column does not say enough.
        if column.missing or column.distinct * 1.5 > table.rows:
            continue
        if name not in hinted and not _one_run_each(table, name):
            continue
        if _changing(table, name, roles.targets) is None:
            return name
    return None


def _one_run_each(table: Table, name: str) -> bool:
    values = pl.col(name)
    # The first rows alone rule out most columns.
    for frame in (table.frame.head(1000), table.frame):
        counts = frame.select(
            runs=(values != values.shift()).sum() + 1, distinct=values.n_unique(), rows=pl.len()
        )
        runs, distinct, rows = table.collect(counts).row(0)
        if runs != distinct:
            return False
    return bool(distinct * 2 <= rows and distinct > 1)


def _changing(table: Table, sequence: str, targets: tuple[str, ...]) -> str | None:
    """The target that changes within a sequence, if one does."""
    by = table.frame.group_by(sequence).agg(
        (pl.col(name).min() != pl.col(name).max()).alias(name) for name in targets
    )
    changes = table.collect(by.select(pl.col(name).any() for name in targets)).row(0, named=True)
    return next((name for name in targets if changes[name]), None)


def guess_sequences(
    table: Table,
    columns: Mapping[str, Column],
    roles: Roles,
    notes: Notes,
    choice: TaskChoice,
    *,
    every_step: bool,
) -> Layout:
    """The layout of sequences in long or wide form.

    every_step: each step has a label of its own; else a sequence has one.

    Raises:
        InputError: the columns that were given make no such sequences, or no label can be learnt.
    """
    if roles.known:
        raise InputError(
            f"{argument('known', roles.known[0])}: only forecasts have inputs that are known "
            f"ahead; leave it out, or say {choice.to_say(SERIES)}."
        )
    if (length := roles.of_forecasts()) is not None:
        raise InputError(
            f"{argument(length)}: only forecasts have it, and {roles.targets[0]} of {table.name} "
            f"is the label of a sequence; leave it out, or say {choice.to_say(SERIES)}."
        )
    shape = choice.shape
    steps: tuple[str, ...] = ()
    wide = () if every_step else steps_of(columns, roles)
    if shape == LONG and roles.sequence and columns[roles.sequence].distinct >= 0.9 * table.rows:
        rows = table.frame.select(pl.col(roles.sequence).n_unique() == pl.len())
        if bool(table.collect(rows).item()):
            if not wide:
                raise InputError(
                    f"{argument('sequence', roles.sequence)}: each of its values has one row in "
                    f"{table.name}, and a sequence has several; give the column that says which "
                    "rows belong together."
                )
            shape = WIDE
    if shape == WIDE:
        steps = wide
        why = f"{len(steps)} columns of numbers whose names count up"
        notes.add("sequences", f"a row each, {steps[0]} to {steps[-1]}", "sequence", why)
        roles = roles.replace(sequence=None, step=None)
    elif shape == LONG:
        roles = _long(table, columns, roles, notes, every_step=every_step)
    else:
        raise InputError(
            f"{table.name} has no column that says which rows make one sequence with one "
            f"{roles.targets[0]}; name it with {argument('sequence')}."
        )
    labels = _labels(table, roles, every_step=every_step)
    counts = LabelCounts.of(table, columns, roles, labels, every_step=every_step)
    task = choice.by_labels(counts, notes)
    return _layout(table, columns, roles, steps, task)


def _long(
    table: Table,
    columns: Mapping[str, Column],
    roles: Roles,
    notes: Notes,
    *,
    every_step: bool,
) -> Roles:
    if roles.sequence is None:
        sequence = find_sequence(table, columns, roles)
        assert sequence is not None  # the shape is long
        targets = " and ".join(roles.targets)
        notes.add("sequence", sequence, "sequence", f"{targets} keeps its value within each")
        roles = roles.replace(sequence=sequence)
    else:
        _check_sequence(table, roles, every_step=every_step)
    sequence = roles.sequence
    assert sequence is not None
    if roles.step is None and roles.time is not None:
        roles = roles.replace(step=roles.time, time=None)
    if roles.step is None:
        step = _find_step(table, columns, roles)
        if step is not None:
            notes.add("step", step, "step", "it numbers the rows of each sequence")
            roles = roles.replace(step=step)
    else:
        _check_step(table, columns, sequence, roles.step)
    if roles.group is None:
        for name in named(columns, GROUP_NAMES):
            free = name not in roles.taken | {*roles.categories}
            if free and not columns[name].missing and _coarser(table, columns, roles, name):
                notes.add("group", name, "group", "its sequences stay in one part of the split")
                return roles.replace(group=name)
    elif _changing(table, sequence, (roles.group,)) is not None:
        raise InputError(
            f"{argument('group', roles.group)}: it changes within a sequence of {sequence} in "
            f"{table.name}; give a column that is the same in all rows of a sequence."
        )
    return roles


def _coarser(table: Table, columns: Mapping[str, Column], roles: Roles, name: str) -> bool:
    assert roles.sequence is not None
    fewer = 1 < columns[name].distinct < columns[roles.sequence].distinct
    return fewer and _changing(table, roles.sequence, (name,)) is None


def _check_sequence(table: Table, roles: Roles, *, every_step: bool) -> None:
    sequence = roles.sequence
    assert sequence is not None
    missing = row_of(table, pl.col(sequence).is_null())
    if missing is not None:
        raise InputError(
            f"{argument('sequence', sequence)}: {table.where(missing[0])} has no value; say which "
            "sequence the row belongs to."
        )
    name = None if every_step else _changing(table, sequence, roles.targets)
    if name is None:
        return
    # A streamed group is in no order, so the first of the odd sequences is looked up by rows.
    odd = (pl.col(name) != pl.col(name).drop_nulls().first()).over(sequence)
    row, value, label = row_of(table, odd, pl.col(name), pl.col(sequence)) or (0, None, None)
    raise InputError(
        f"{argument('sequence', sequence)}: {name} changes within sequence {label!r} "
        f"({table.where(row)} has {value!r}), and a sequence has one label; give another column, "
        f"or say {argument('series', sequence)} to forecast {name}."
    )


def _find_step(table: Table, columns: Mapping[str, Column], roles: Roles) -> str | None:
    assert roles.sequence is not None
    taken = roles.taken | {*roles.categories}
    free = {
        name: column
        for name, column in columns.items()
        if name not in taken and not column.missing and not column.constant
    }
    hinted = [name for name in named(free, STEP_NAMES) if free[name].whole]
    times = [name for name, column in free.items() if column.dtype.is_temporal()]
    for name in (*hinted, *times):
        if unique_with(table, roles.sequence, name):
            return name
    whole = [name for name in free if free[name].whole and name not in hinted]
    return next((name for name in whole if _numbers_rows(table, roles.sequence, name)), None)


def _numbers_rows(table: Table, sequence: str, name: str) -> bool:
    """Whether a column has 0 to n - 1, or 1 to n, in the n rows of each sequence."""
    values = pl.col(name)
    by = table.frame.group_by(sequence).agg(
        first=values.min(), last=values.max(), distinct=values.n_unique(), rows=pl.len()
    )
    each = by.select(
        first=pl.col("first").n_unique() == 1,
        begins=pl.col("first").is_in([0, 1]).all(),
        counts=(pl.col("last") - pl.col("first") + 1 == pl.col("rows")).all(),
        apart=(pl.col("distinct") == pl.col("rows")).all(),
        several=(pl.col("rows") > 1).any(),
    )
    return all(table.collect(each).row(0))


def _check_step(table: Table, columns: Mapping[str, Column], sequence: str, step: str) -> None:
    column = columns[step]
    if not (column.dtype.is_temporal() or column.dtype in (pl.Int64(), pl.Float64())):
        raise InputError(
            f"{argument('step', step)}: expected numbers or times in {table.name}, found words; "
            "give the column of the positions within each sequence."
        )
    missing = row_of(table, pl.col(step).is_null())
    if missing is not None:
        raise InputError(
            f"{argument('step', step)}: {table.where(missing[0])} has no value; fill it in."
        )
    if not unique_with(table, sequence, step):
        twice = pl.struct(sequence, step).is_first_distinct().not_()
        row, value, name = row_of(table, twice, pl.col(step), pl.col(sequence)) or (0, None, None)
        raise InputError(
            f"{argument('step', step)}: {table.where(row)} has {value} for the second time in "
            f"sequence {name!r}; number the rows of a sequence with different values."
        )


def _labels(table: Table, roles: Roles, *, every_step: bool) -> pl.LazyFrame:
    """The labels, a row an example. Raises InputError where a whole sequence has none."""
    if every_step:
        return table.frame.select(roles.targets).drop_nulls()
    labels = table.frame
    if roles.sequence is not None:
        labels = labels.group_by(roles.sequence).agg(pl.col(*roles.targets).drop_nulls().first())
    _check_labelled(table, labels, roles)
    return labels


def _check_labelled(table: Table, labels: pl.LazyFrame, roles: Roles) -> None:
    for target in roles.targets:
        if roles.sequence is None:
            missing = row_of(table, pl.col(target).is_null())
            where = table.where(missing[0]) if missing is not None else None
        else:
            empty = labels.filter(pl.col(target).is_null()).select(pl.col(roles.sequence).min())
            name = table.collect(empty).item()
            where = f"sequence {name!r} of {table.name}" if name is not None else None
        if where is not None:
            raise InputError(f"{where} has no {target}; give it a label, or leave it out.")


def _layout(
    table: Table,
    columns: Mapping[str, Column],
    roles: Roles,
    steps: tuple[str, ...],
    task: str,
) -> Layout:
    used = [name for role, name in roles.parts() if role != "ignore"]
    numbers, categories, ignored = find_inputs(table, columns, roles, [*used, *steps])
    if steps:
        wide = "is not one of the steps"
        # What has a part of its own, as the group has, was perhaps named as an input too.
        left = [name for name in (*numbers, *categories) if name not in used]
        ignored |= {name: ignored.get(name, wide) for name in left}
        numbers, categories = (), ()
    elif not numbers and not categories:
        raise InputError(
            f"{table.name} has no columns of inputs besides {', '.join(used)}; add a column of "
            "what was measured at each step."
        )
    return Layout(
        task=task,
        targets=roles.targets,
        numbers=numbers,
        categories=categories,
        split=roles.split,
        ignored=ignored,
        sequence=roles.sequence,
        step=roles.step,
        steps=steps,
        group=roles.group,
    )
