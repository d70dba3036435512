"""The rows of a table as consecutive blocks of rows of the arrays, in order and of bounded size."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import polars as pl

from gatewright.data.calendar import Floats, Frequency, Integers, steps_after
from gatewright.data.layout import Layout
from gatewright.data.prepare.axis import Axis
from gatewright.data.prepare.columns import TARGET, TEXT, frequency_of, selection
from gatewright.data.prepare.keys import BATCH, batches
from gatewright.data.table.reading import Table


@dataclasses.dataclass(frozen=True)
class Block:
    """Some consecutive rows of the arrays, not yet scaled or imputed."""

    start: int  # the number of the first row
    item: Integers  # (rows,): the number of the series or sequence
    present: Integers  # (n,): which of the rows the table has; the others are gaps
    numbers: Floats  # (rows, columns): NaN where missing
    texts: dict[str, pl.Series]  # category -> (n,)
    time: Integers  # (rows,)
    targets: pl.DataFrame | None = (
        None  # (n, targets) as the table has them, where each row has its own
    )

    @property
    def stop(self) -> int:
        return self.start + len(self.item)

    @property
    def rows(self) -> Integers:
        """The numbers of the rows, (rows,)."""
        return np.arange(self.start, self.stop)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Which rows of the arrays each item fills: ``keep`` steps from its first on, or none."""

    keep: Integers  # (all items,)

    @property
    def kept(self) -> Integers:
        """The numbers of the items that have any rows, (items,)."""
        return np.flatnonzero(self.keep)

    @property
    def starts(self) -> Integers:
        """Where each item's rows start, those of the next after the last, (all items + 1,)."""
        return np.concatenate([[0], np.cumsum(self.keep)])

    @property
    def total(self) -> int:
        return int(self.keep.sum())

    def numbers(self) -> Integers:
        """The number of each item among those kept, (all items,)."""
        return np.cumsum(self.keep > 0) - 1


def long_blocks(
    table: Table,
    layout: Layout,
    columns: tuple[str, ...],
    axis: Axis,
    rows: Rows,
    targets: tuple[str, ...] = (),
) -> Iterator[Block]:
    """The blocks of a long table; ``columns`` are the numbers, NaN in the rows of gaps.

    ``targets``: columns that each row has a target in, beside its numbers.
    """
    frequency = frequency_of(layout)
    starts = rows.starts
    kept_starts, kept = starts[rows.kept], np.arange(len(rows.kept))
    lengths = np.diff(axis.begins)
    done, last_time, begin = 0, np.int64(0), 0
    for frame in _ordered(table, columns, layout.categories, axis.order, targets=targets):
        end = begin + len(frame)
        # The items of these rows, without an array of all items a row.
        first, last = np.searchsorted(axis.begins, [begin, end - 1], side="right") - 1
        sizes = lengths[first : last + 1].copy()
        sizes[0] = axis.begins[first + 1] - begin
        sizes[-1] = end - max(begin, axis.begins[last])
        item = np.repeat(np.arange(first, last + 1), sizes)
        step = axis.step[begin:end]
        used = step < rows.keep[item]
        whole = end == axis.rows
        at = (starts[item] + step)[used]
        stop = rows.total if whole else int(at[-1]) + 1 if len(at) else done
        if stop > done:
            present = at - done
            numbers = np.full((stop - done, len(columns)), np.nan)
            numbers[present] = _numbers(frame, columns)[used]
            time = np.zeros(stop - done, dtype=np.int64)
            time[present] = axis.time[begin:end][used]
            if len(present) < len(time):
                assert frequency is not None
                time = _fill_times(time, present, last_time, frequency)
            of = np.searchsorted(kept_starts, np.arange(done, stop), side="right") - 1
            mask = pl.Series(used, dtype=pl.Boolean)
            texts = {name: frame[TEXT + name].filter(mask) for name in layout.categories}
            own = _targets(frame, targets).filter(mask) if targets else None
            yield Block(done, kept[of], present, numbers, texts, time, own)
            done, last_time = stop, time[-1]
        begin = end


def _fill_times(
    time: Integers, present: Integers, before: np.int64, frequency: Frequency
) -> Integers:
    """Give the rows of gaps the times that lie on the axis after the last one before them."""
    padded = np.concatenate([[before], time])
    here = np.zeros(len(padded), dtype=np.int64)
    here[present + 1] = present + 1
    last = np.maximum.accumulate(here)
    gaps = np.flatnonzero(last != np.arange(len(padded)))
    padded[gaps] = steps_after(padded[last[gaps]], gaps - last[gaps], frequency)
    return padded[1:]


def wide_blocks(
    table: Table, layout: Layout, columns: tuple[str, ...], rows: Rows
) -> Iterator[Block]:
    """The blocks of a wide table: each of its rows becomes the steps of a sequence.

    The first column of ``numbers`` is "value"; ``columns`` follow, the same at every step.
    """
    size = max(1, BATCH // len(layout.steps))
    wanted = (*layout.steps, *columns)
    numbers_of = rows.numbers()
    done, begin = 0, 0
    for frame in _ordered(table, wanted, layout.categories, None, size):
        keep = rows.keep[begin : begin + len(frame)]
        inside = np.arange(len(layout.steps)) < keep[:, None]
        values = _numbers(frame, layout.steps)[inside]
        of = np.repeat(np.arange(len(frame)), keep)
        time = np.broadcast_to(np.arange(len(layout.steps)), inside.shape)[inside]
        if len(of):
            constant = _numbers(frame, columns)[of]
            yield Block(
                start=done,
                item=numbers_of[begin + of],
                present=np.arange(len(of)),
                numbers=np.concatenate([values[:, None], constant], axis=1),
                texts={name: frame[TEXT + name].gather(of) for name in layout.categories},
                time=time,
            )
        done += len(of)
        begin += len(frame)


def wide_lengths(table: Table, layout: Layout) -> Integers:
    """The steps of each row of a wide table up to the last that is there, (rows,)."""
    lengths = [np.empty(0, dtype=np.int64)]
    size = max(1, BATCH // len(layout.steps))
    for frame in _ordered(table, layout.steps, (), None, size):
        present = ~np.isnan(_numbers(frame, layout.steps))
        trailing = present[:, ::-1].argmax(axis=1)
        lengths.append(np.where(present.any(axis=1), len(layout.steps) - trailing, 0))
    return np.concatenate(lengths)


def _ordered(
    table: Table,
    numbers: tuple[str, ...],
    categories: tuple[str, ...],
    order: Integers | None,
    size: int = BATCH,
    targets: tuple[str, ...] = (),
) -> Iterator[pl.DataFrame]:
    """Numbers as 64-bit floats, categories as texts and targets as they are, by batches in order.

    Rows that do not stand in order are held in memory to be sorted, these columns only.
    """
    frame = table.frame.select(selection(table, numbers, categories, targets))
    if order is None:
        yield from batches(table, frame, size)
        return
    whole = table.collect(frame)
    for begin in range(0, len(order), size):
        yield whole[order[begin : begin + size]]


def _targets(frame: pl.DataFrame, targets: tuple[str, ...]) -> pl.DataFrame:
    return frame.select(pl.col(TARGET + name).alias(name) for name in targets)


def _numbers(frame: pl.DataFrame, columns: tuple[str, ...]) -> Floats:
    """Columns as (rows, columns), NaN where missing or infinite."""
    numbers = np.empty((len(frame), len(columns)))
    for at, column in enumerate(columns):
        numbers[:, at] = frame[column].to_numpy()
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def source_row(table: Table, axis: Axis | None, rows: Rows, row: int) -> str:
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
