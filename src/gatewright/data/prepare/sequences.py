"""Whole sequences: which are used, and the part of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Integers
from gatewright.data.layout import Layout
from gatewright.data.prepare.axis import Axis, axis_of
from gatewright.data.prepare.blocks import (
    Block,
    Rows,
    long_blocks,
    source_row,
    wide_blocks,
    wide_lengths,
)
from gatewright.data.prepare.labels import Labels, read_labels
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.sequence_splits import split_sequences
from gatewright.data.prepared import PARTS
from gatewright.data.table.reading import Table
from gatewright.errors import InputError
from gatewright.wording.numbers import counted

TRAIN, TEST = PARTS.index("train"), PARTS.index("test")


class LabelReader(Protocol):
    """What the split asks of a target that goes with a whole sequence."""

    def known(self, values: pl.DataFrame) -> NDArray[np.bool_]: ...

    def strata(self, values: pl.DataFrame) -> tuple[tuple[str, ...], Integers]: ...


def partition_sequences(
    table: Table,
    layout: Layout,
    folder: Path,
    shares: tuple[float, float, float],
    seed: int,
    reader: LabelReader | None,
) -> Partition:
    """Give each sequence its part.

    reader: of targets that go with a whole sequence; None where each step has its own.

    Raises InputError for two labels in one sequence, or a label with too few sequences.
    """
    whole = _all_sequences(table, layout, folder)
    labels = read_labels(table, layout, whole.items, layout.targets if reader else ())
    keep, notes = whole.lengths, whole.notes()
    classes: tuple[str, ...] = ()
    if reader is not None:
        known = reader.known(labels.values)
        keep = np.where(known, keep, 0)
        if not known.all():
            notes.append(
                f"left out: {int((~known).sum()):,} of {counted(len(known), 'sequence')}, without "
                f"{', '.join(layout.targets)}"
            )
    kept = np.flatnonzero(keep)
    label = np.zeros(len(kept), dtype=np.int64)
    if reader is not None:
        classes, label = reader.strata(labels.values[kept])
    stated_parts = None if labels.part is None else labels.part[kept].astype(np.int64)
    parts = split_sequences(layout, classes, label, labels.group[kept], stated_parts, shares, seed)
    return whole.partition(table, layout, keep, labels, parts, notes, every_step=reader is None)


def partition_new_sequences(
    table: Table, layout: Layout, folder: Path, *, every_step: bool
) -> Partition:
    """All sequences as test part, to predict. Targets may be absent."""
    whole = _all_sequences(table, layout, folder)
    without_split = layout.model_copy(update={"split": None})
    labels = read_labels(table, without_split, whole.items, () if every_step else layout.targets)
    parts = np.full(np.count_nonzero(whole.lengths), TEST)
    notes = whole.notes()
    return whole.partition(
        table, layout, whole.lengths, labels, parts, notes, every_step=every_step
    )


@dataclasses.dataclass(frozen=True)
class _Sequences:
    """All sequences of a table: ``axis`` of a long one, None of a wide one."""

    items: tuple[str, ...]
    lengths: Integers
    axis: Axis | None

    def notes(self) -> list[str]:
        empty = int(np.count_nonzero(self.lengths == 0))
        return [f"left out: {counted(empty, 'sequence')} without a step"] if empty else []

    def partition(
        self,
        table: Table,
        layout: Layout,
        keep: Integers,
        labels: Labels,
        parts: Integers,
        notes: list[str],
        *,
        every_step: bool,
    ) -> Partition:
        rows, axis = Rows(keep), self.axis
        if not rows.total:
            raise InputError(f"{table.name} has no sequence to use")
        starts = rows.starts[rows.kept]
        ends = starts + keep[rows.kept]
        own = [name for name in layout.targets if every_step and name in table.schema]

        def blocks() -> Iterator[Block]:
            if axis is None:
                return wide_blocks(table, layout, layout.numbers, rows)
            return long_blocks(table, layout, layout.numbers, axis, rows, tuple(own))

        return Partition(
            items=tuple(self.items[at] for at in rows.kept),
            bounds=np.stack([starts, ends, ends, ends], axis=1),
            part=parts,
            group=labels.group[rows.kept],
            training=np.where(parts == TRAIN, ends, starts),
            future=ends,
            blocks=blocks,
            where=lambda row: source_row(table, axis, rows, row),
            labels=None if every_step else labels.values[rows.kept],
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
