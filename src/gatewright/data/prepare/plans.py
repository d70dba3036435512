"""Which rows of a table are used, and the part of the split that each belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from gatewright.data.calendar import Integers
from gatewright.data.guess.neighbours import of_examples
from gatewright.data.guess.roles import some
from gatewright.data.layout import Layout
from gatewright.data.prepare.axis import Axis, axis_of
from gatewright.data.prepare.blocks import Block, Rows, long_blocks, wide_blocks, wide_lengths
from gatewright.data.prepare.columns import number_columns
from gatewright.data.prepare.labels import Labels, class_numbers, classes_of, read_labels
from gatewright.data.prepare.sequence_splits import split_sequences
from gatewright.data.prepare.series_splits import (
    Cuts,
    check_cuts,
    cut_by_column,
    cut_by_rows,
    cut_by_shares,
    part_numbers,
    too_short,
)
from gatewright.data.prepared import PARTS
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, counted

TEST = PARTS.index("test")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The rows of the arrays before any number is looked at; of the items that are kept."""

    items: tuple[str, ...]
    bounds: Integers  # as in ``ARRAYS``
    part: Integers
    group: Integers
    training: Integers  # (items,): the row at which the training rows of an item end
    future: Integers  # (items,): the row from which on all targets are missing; the end: nowhere
    blocks: Callable[[], Iterator[Block]]
    where: Callable[[int], str]  # a row of the arrays, in words
    labels: Labels | None = None  # of all items
    kept: Integers | None = None  # (items,): numbers of the items among all
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return int(self.bounds[-1, 3]) if len(self.bounds) else 0


def plan_forecast(
    table: Table,
    layout: Layout,
    folder: Path,
    shares: tuple[float, float, float],
    rows: tuple[int, int, int] | None,
) -> Plan:
    """Cut each series into training, validation and test part, in this order of time.

    Raises InputError where a part is too short for an example.
    """
    split = part_numbers(layout.split) if layout.split and rows is None else None
    axis = axis_of(table, layout, folder, split, _any_target(layout))
    lengths = _with_targets(axis)
    if not lengths.any():
        raise InputError(f"{table.name} has no value of {', '.join(layout.targets)}")
    if rows is not None:
        cuts: Cuts = cut_by_rows(lengths, rows)
    elif split is not None:
        cuts = cut_by_column(table, layout, axis, lengths)
    else:
        together = layout.time is not None
        first, second = cut_by_shares(axis, lengths, shares[:2], together)
        cuts = np.stack([first, second, lengths], axis=1)
    check_cuts(layout, cuts)
    keep = np.where(too_short(layout, cuts), 0, cuts[:, 2])
    notes = _forecast_notes(layout, axis, lengths, keep)
    notes += [*_untested(layout, axis, cuts, keep), *of_examples(table, layout)]
    used = Rows(keep)
    starts = used.starts[used.kept]
    bounds = np.concatenate([starts[:, None], starts[:, None] + cuts[used.kept]], axis=1)
    return _series_plan(table, layout, axis, used, bounds, bounds[:, 3], notes)


def plan_series(table: Table, layout: Layout, folder: Path) -> Plan:
    """All rows of all series as test part, to predict."""
    axis = axis_of(table, layout, folder, None, _any_target(layout))
    used = Rows(axis.lengths)
    starts, ends = used.starts[:-1], used.starts[1:]
    bounds = np.stack([starts, starts, starts, ends], axis=1)
    return _series_plan(table, layout, axis, used, bounds, starts + _with_targets(axis), [])


def _series_plan(
    table: Table,
    layout: Layout,
    axis: Axis,
    rows: Rows,
    bounds: Integers,
    future: Integers,
    notes: list[str],
) -> Plan:
    nothing = np.empty(0, dtype=np.int64)
    if axis.beside:
        notes.append(
            f"{counted(axis.beside, 'row')} beside the steps of {layout.frequency}: each counts as "
            "the nearest step"
        )
    return Plan(
        items=tuple(axis.items[at] for at in rows.kept),
        bounds=bounds,
        part=nothing,
        group=nothing,
        training=bounds[:, 1],
        future=future,
        blocks=lambda: long_blocks(table, layout, number_columns(layout), axis, rows),
        where=lambda row: _where(table, axis, rows, row),
        notes=tuple(notes),
    )


def _where(table: Table, axis: Axis | None, rows: Rows, row: int) -> str:
    """A row of the arrays as the row of the table that it comes from, in words."""
    starts = rows.starts[rows.kept]
    item = int(np.searchsorted(starts, row, side="right")) - 1
    kept = int(rows.kept[item])
    if axis is None:  # of a wide table, where a row is a sequence
        return table.where(kept)
    begin, end = axis.begins[kept : kept + 2]
    # The row itself, or in a gap the one after it.
    at = begin + np.searchsorted(axis.step[begin:end], row - starts[item])
    return table.where(axis.row(int(min(at, end - 1))))


def _any_target(layout: Layout) -> pl.Expr:
    present = (pl.col(name).cast(pl.Float64, strict=False).is_finite() for name in layout.targets)
    return pl.any_horizontal(*present).fill_null(value=False)


def _with_targets(axis: Axis) -> Integers:
    """The steps of each series up to the last that has any target, (items,)."""
    assert axis.seen is not None
    lengths = axis.lengths.copy()
    for item in np.flatnonzero(~axis.seen[axis.begins[1:] - 1].astype(bool)):
        begin, end = axis.begins[item : item + 2]
        places = np.flatnonzero(axis.seen[begin:end])
        lengths[item] = axis.step[begin + places[-1]] + 1 if len(places) else 0
    return lengths


def _forecast_notes(layout: Layout, axis: Axis, lengths: Integers, keep: Integers) -> list[str]:
    notes = []
    future = int((axis.lengths - lengths).sum())
    if future:
        notes.append(f"left out: {counted(future, 'step')} at the end without a target yet")
    dropped = int(np.count_nonzero(keep == 0))
    if dropped:
        notes.append(
            f"left out: {dropped:,} of {len(keep):,} series, too short for a context of "
            f"{layout.context:,} and a horizon of {layout.horizon:,} in their parts"
        )
    beyond = int((lengths - keep)[keep > 0].sum())
    if beyond:
        notes.append(
            f"left out: {beyond:,} of {int(lengths[keep > 0].sum()):,} steps, beyond the "
            f"{int(keep.max()):,} asked for"
        )
    return notes


def _untested(layout: Layout, axis: Axis, cuts: Cuts, keep: Integers) -> list[str]:
    """A note where series that are used have no whole horizon to be judged on."""
    short = np.flatnonzero((keep > 0) & (cuts[:, 2] - cuts[:, 1] < layout.horizon))
    if not len(short):
        return []
    return [
        f"not judged: {len(short):,} of {np.count_nonzero(keep):,} series, with fewer than "
        f"{counted(layout.horizon, 'step')} (a horizon) in the test part: "
        f"{some([axis.items[at] for at in short])}"
    ]


def plan_sequences(
    table: Table, layout: Layout, folder: Path, shares: tuple[float, float, float], seed: int
) -> Plan:
    """Give each labelled sequence its part.

    Raises InputError for two labels in one sequence, or a label with too few sequences.
    """
    whole = _all_sequences(table, layout, folder)
    lengths, labels = whole.lengths, read_labels(table, layout, whole.items)
    known = labels.known
    keep = np.where(known, lengths, 0)
    notes = whole.notes()
    if not known.all():
        notes.append(
            f"left out: {int((~known).sum()):,} of {counted(len(known), 'sequence')}, without "
            f"{', '.join(layout.targets)}"
        )
    kept = np.flatnonzero(keep)
    classes: tuple[str, ...] = ()
    label = np.zeros(len(kept), dtype=np.int64)
    if labels.labels is not None:
        classes = classes_of(labels.labels.gather(kept))
        label = class_numbers(labels.labels.gather(kept), classes).astype(np.int64)
    given = None if labels.part is None else labels.part[kept].astype(np.int64)
    group = labels.group[kept]
    parts = split_sequences(layout, classes, label, group, given, shares, seed)
    return whole.plan(table, layout, keep, labels, parts, classes, notes)


def plan_labelled_or_not(table: Table, layout: Layout, folder: Path) -> Plan:
    """All sequences as test part, to predict."""
    whole = _all_sequences(table, layout, folder)
    labels = read_labels(table, layout.model_copy(update={"split": None}), whole.items)
    parts = np.full(np.count_nonzero(whole.lengths), TEST)
    return whole.plan(table, layout, whole.lengths, labels, parts, (), whole.notes())


@dataclasses.dataclass(frozen=True)
class _Sequences:
    """All sequences of a table: ``axis`` of a long one, None of a wide one."""

    items: tuple[str, ...]
    lengths: Integers
    axis: Axis | None

    def notes(self) -> list[str]:
        empty = int(np.count_nonzero(self.lengths == 0))
        return [f"left out: {counted(empty, 'sequence')} without a step"] if empty else []

    def plan(
        self,
        table: Table,
        layout: Layout,
        keep: Integers,
        labels: Labels,
        parts: Integers,
        classes: tuple[str, ...],
        notes: list[str],
    ) -> Plan:
        rows, axis = Rows(keep), self.axis
        if not rows.total:
            raise InputError(f"{table.name} has no sequence to use")
        starts = rows.starts[rows.kept]
        ends = starts + keep[rows.kept]
        columns = number_columns(layout)

        def blocks() -> Iterator[Block]:
            if axis is None:
                return wide_blocks(table, layout, columns, rows)
            return long_blocks(table, layout, columns, axis, rows)

        return Plan(
            items=tuple(self.items[at] for at in rows.kept),
            bounds=np.stack([starts, ends, ends, ends], axis=1),
            part=parts,
            group=labels.group[rows.kept],
            training=np.where(parts == PARTS.index("train"), ends, starts),
            future=ends,
            blocks=blocks,
            where=lambda row: _where(table, axis, rows, row),
            labels=labels,
            kept=rows.kept,
            classes=classes,
            notes=tuple(notes),
        )


def _all_sequences(table: Table, layout: Layout, folder: Path) -> _Sequences:
    if not layout.steps:
        axis = axis_of(table, layout, folder, None, None)
        return _Sequences(axis.items, axis.lengths, axis)
    lengths = wide_lengths(table, layout)
    if layout.sequence:
        names = table.collect(table.frame.select(pl.col(layout.sequence).cast(pl.String)))
        items = tuple(map(str, names.to_series().to_list()))
    else:
        items = tuple(str(row + 1) for row in range(len(lengths)))
    return _Sequences(items, lengths, None)
