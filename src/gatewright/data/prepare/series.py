"""Windows of series: which rows are used, and where the parts of each series end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from gatewright.data.calendar import Integers
from gatewright.data.guess.neighbours import of_examples
from gatewright.data.guess.roles import some
from gatewright.data.layout import Layout
from gatewright.data.prepare.axis import Axis, axis_of
from gatewright.data.prepare.blocks import Rows, long_blocks, source_row
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.series_splits import (
    Cuts,
    check_cuts,
    cut_by_column,
    cut_by_rows,
    cut_by_shares,
    part_numbers,
    too_short,
)
from gatewright.data.table.reading import Table
from gatewright.errors import InputError
from gatewright.requests import Split
from gatewright.wording.numbers import counted


def partition_series(table: Table, layout: Layout, folder: Path, split: Split) -> Partition:
    """Cut each series into training, validation and test part, in this order of time.

    Raises InputError where a part is too short for an example.
    """
    column = part_numbers(layout.split) if layout.split and split.rows is None else None
    axis = axis_of(table, layout, folder, column, _any_target(layout))
    lengths = _with_targets(axis)
    if not lengths.any():
        raise InputError(f"{table.name} has no value of {', '.join(layout.targets)}")
    if split.rows is not None:
        cuts: Cuts = cut_by_rows(lengths, split.rows)
    elif column is not None:
        cuts = cut_by_column(table, layout, axis, lengths)
    else:
        together = layout.time is not None
        first, second = cut_by_shares(axis, lengths, split.shares[:2], together)
        if not split.shares[2]:
            second = lengths
        cuts = np.stack([first, second, lengths], axis=1)
    check_cuts(layout, cuts, test=split.shares[2] > 0)
    keep = np.where(too_short(layout, cuts), 0, cuts[:, 2])
    notes = _forecast_notes(layout, axis, lengths, keep)
    notes += [*_untested(layout, axis, cuts, keep), *of_examples(table, layout)]
    used = Rows(keep)
    starts = used.starts[used.kept]
    bounds = np.concatenate([starts[:, None], starts[:, None] + cuts[used.kept]], axis=1)
    return _partition(table, layout, axis, used, bounds, bounds[:, 3], notes)


def partition_new_series(table: Table, layout: Layout, folder: Path) -> Partition:
    """All rows of all series as test part, to predict."""
    axis = axis_of(table, layout, folder, None, _any_target(layout))
    used = Rows(axis.lengths)
    starts, ends = used.starts[:-1], used.starts[1:]
    bounds = np.stack([starts, starts, starts, ends], axis=1)
    return _partition(table, layout, axis, used, bounds, starts + _with_targets(axis), [])


def _partition(
    table: Table,
    layout: Layout,
    axis: Axis,
    rows: Rows,
    bounds: Integers,
    future: Integers,
    notes: list[str],
) -> Partition:
    nothing = np.empty(0, dtype=np.int64)
    if axis.beside:
        notes.append(
            f"{counted(axis.beside, 'row')} beside the steps of {layout.frequency}: each counts as "
            "the nearest step"
        )
    columns = (*layout.targets, *layout.numbers)
    return Partition(
        items=tuple(axis.items[at] for at in rows.kept),
        bounds=bounds,
        part=nothing,
        group=nothing,
        training=bounds[:, 1],
        future=future,
        blocks=lambda: long_blocks(table, layout, columns, axis, rows),
        where=lambda row: source_row(table, axis, rows, row),
        notes=tuple(notes),
    )


def _any_target(layout: Layout) -> pl.Expr:
    present = (pl.col(name).cast(pl.Float64, strict=False).is_finite() for name in layout.targets)
    return pl.any_horizontal(*present).fill_null(value=False)


def _with_targets(axis: Axis) -> Integers:
    """The steps of each series up to the last that has any target, (items,)."""
    assert axis.seen is not None
    lengths = axis.lengths.copy()
    for item in np.flatnonzero(~axis.seen[axis.begins[1:] - 1].astype(bool)):
        begin, end = axis.begins[item : item + 2]
        seen = np.flatnonzero(axis.seen[begin:end])
        lengths[item] = axis.step[begin + seen[-1]] + 1 if len(seen) else 0
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
