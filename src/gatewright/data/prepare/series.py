"""Windows of series: which rows are used, and where the parts of each series end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Integers
from gatewright.data.guess.neighbours import of_examples
from gatewright.data.guess.roles import some
from gatewright.data.layout import Layout
from gatewright.data.prepare.axis import Axis, axis_of
from gatewright.data.prepare.blocks import Rows, long_blocks, source_row
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.series_splits import (
    Cuts,
    Places,
    check_cuts,
    cut_by_column,
    cut_by_rows,
    cut_by_shares,
    lend,
    part_numbers,
    too_short,
)
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.requests import DATES, SERIES, Split
from gatewright.wording.numbers import counted


def partition_series(table: Table, layout: Layout, folder: Path, split: Split) -> Partition:
    """Cut each series into training, validation and test part, in this order of time.

    Raises InputError where a part is too short for an example.
    """
    _check_cut(table, layout, split.cut)
    column = part_numbers(layout.split) if layout.split and split.rows is None else None
    axis = axis_of(table, layout, folder, column, _any_target(layout))
    lengths = _with_targets(axis)
    if not lengths.any():
        raise InputError(f"{table.name} has no value of {', '.join(layout.targets)}")
    cut = split.cut if layout.time else SERIES
    places = None
    if split.rows is not None:
        cuts: Cuts = cut_by_rows(lengths, split.rows)
    elif column is not None:
        cuts = cut_by_column(table, layout, axis, lengths, cut)
    else:
        places = cut_by_shares(axis, lengths, np.cumsum(split.shares[:2]).tolist(), cut)
        cuts = np.column_stack([places.ends, lengths])
    check_cuts(layout, cuts, split.shares)
    tested = split.shares[2] > 0
    training_only = np.zeros(len(cuts), dtype=bool)
    if places is not None and not places.at_dates and tested:
        cuts, training_only = lend(layout, cuts)
    keep = np.where(too_short(layout, cuts), 0, cuts[:, 2])
    notes = _forecast_notes(layout, axis, lengths, keep)
    if places is not None and len(lengths) > 1 and layout.time is not None and split.shares[1]:
        notes += _places_note(places, len(lengths), cut)
    notes += _untested(layout, axis, cuts, keep, training_only) if tested else []
    notes += of_examples(table, layout)
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
    dropped = np.flatnonzero(keep == 0)
    if len(dropped):
        notes.append(
            f"left out: {len(dropped):,} of {len(keep):,} series, too short for half a context of "
            f"{layout.context:,} and a horizon of {layout.horizon:,}: {_named(axis, dropped)}"
        )
    beyond = int((lengths - keep)[keep > 0].sum())
    if beyond:
        notes.append(
            f"left out: {beyond:,} of {int(lengths[keep > 0].sum()):,} steps, beyond the "
            f"{int(keep.max()):,} asked for"
        )
    return notes


def _check_cut(table: Table, layout: Layout, cut: str | None) -> None:
    """Raise InputError where nothing can be cut as ``cut`` says."""
    if cut is not None and layout.series is None:
        raise InputError(
            f"{argument('cut', cut)} is for many series, and {table.name} is read as one: leave it "
            f"out, or name the column of the series with {argument('series')}"
        )
    if cut == DATES and layout.time is None:
        raise InputError(
            f"{argument('cut', cut)} needs a column of times, and {table.name} is read without: "
            f"name it with {argument('time')}, or say {argument('cut', SERIES)}"
        )


def _places_note(places: Places, every: int, cut: str | None) -> list[str]:
    """Whether many series were cut at the same times; why, and how to say otherwise, if guessed."""
    guessed, count = cut is None, f"{places.across:,}" if places.across else "none"
    across = f"{count} of them {'runs' if places.across < 2 else 'run'} across both"
    if places.at_dates:
        why = f", as {across}; {argument('cut', SERIES)} cuts each at its own places" * guessed
        return [f"cut at the same two times: all {every:,} series{why}"]
    why = f", as {across} of the times that would cut all" * guessed
    otherwise = f"; {argument('cut', DATES)} cuts all at the same two times" * guessed
    return [
        f"cut at its own places: each of {every:,} series{why}; training of one may lie after the "
        "test part of another, and a network has then seen the future of what they have in common"
        f"{otherwise}"
    ]


def _untested(
    layout: Layout,
    axis: Axis,
    cuts: Cuts,
    keep: Integers,
    training_only: NDArray[np.bool_],
) -> list[str]:
    """Notes where series that are used have no whole horizon to be judged on."""
    short = (keep > 0) & (cuts[:, 2] - cuts[:, 1] < layout.horizon)
    horizon = f"{counted(layout.horizon, 'step')} (a horizon)"
    notes = []
    for what, which, why in (
        ("training only", training_only, f"too short for {horizon} in a test part"),
        ("not judged", ~training_only, f"with fewer than {horizon} in the test part"),
    ):
        found = np.flatnonzero(short & which)
        if len(found):
            count = f"{len(found):,} of {np.count_nonzero(keep):,} series"
            notes.append(f"{what}: {count}, {why}: {_named(axis, found)}")
    return notes


def _named(axis: Axis, which: Integers) -> str:
    return some([axis.items[at] for at in which])
