"""Where each row of a long table belongs: its series or sequence, and the step it is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Frequency, Integers
from gatewright.data.layout import Layout
from gatewright.data.prepare.columns import frequency_of
from gatewright.data.prepare.keys import BATCH, Keys, read_keys
from gatewright.data.prepare.storage import Spool
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument

# More filled rows than this for each row of the table are no gaps but a wrong frequency.
MOST_FILLED = 20


@dataclasses.dataclass(frozen=True)
class Axis:
    """The rows of a table in order: by item as they appear, then by time.

    An item is a series or a sequence. Its steps are numbered from 0; where a row is missing in a
    regular time axis, a step is without a row.
    """

    items: tuple[str, ...]
    order: Integers | None  # (rows,): the row of the table; None where they stand in order
    begins: Integers  # (items + 1,): where the rows of an item begin, in order
    step: Integers  # (rows,)
    lengths: Integers  # (items,): steps, those without a row too
    time: Integers  # (rows,): microseconds since 1970 in UTC, or integers
    beside: int = 0  # rows that lie beside the regular axis, by less than half a step
    split: NDArray[Any] | None = None  # (rows,): the number of the part, where a column says so
    seen: NDArray[Any] | None = None  # (rows,): whether any target is there; forecasts only

    @property
    def rows(self) -> int:
        return len(self.step)

    def row(self, position: int) -> int:
        """The row of the table that stands at a position in order."""
        return position if self.order is None else int(self.order[position])


def by_workdays(table: Table, layout: Layout) -> Layout:
    """The layout with steps of workdays, where a table of days has no row on a weekend.

    Its weekends are no gaps: filled, a week would have seven steps and two of them always missing.
    """
    if layout.frequency != "1d" or layout.time is None:
        return layout
    day = pl.col(layout.time)
    query = table.frame.select(
        weekend=(day.dt.weekday() > 5).any(),
        weeks=(day.max().cast(pl.Date) - day.min().cast(pl.Date)).dt.total_days() >= 14,
    )
    days = table.collect(query).row(0, named=True)
    workdays = days["weeks"] and not days["weekend"]
    return layout.model_copy(update={"frequency": "1bd"}) if workdays else layout


def axis_of(
    table: Table, layout: Layout, folder: Path, split: pl.Expr | None, seen: pl.Expr | None
) -> Axis:
    """Read the columns that order a table; ``folder`` takes files while it works.

    ``split`` and ``seen`` are expressions kept for every row. Raises InputError where a time is
    missing, does not increase within its series, or stands twice.
    """
    kept = {name: each for name, each in (("split", split), ("seen", seen)) if each is not None}
    keys = read_keys(table, layout, folder, kept)
    order = _order(keys.item, keys.time, by_time=layout.sequence is not None)
    if order is not None:
        keys = keys.sorted(order)
    ends = np.flatnonzero(keys.item[1:] != keys.item[:-1]) + 1
    begins = np.concatenate([[0], ends, [len(keys.item)]])
    step, beside = _steps(keys, begins, frequency_of(layout), folder)
    column = layout.step if layout.sequence else layout.time
    axis = Axis(
        items=keys.items,
        order=order,
        begins=begins,
        step=step,
        lengths=step[begins[1:] - 1] + 1,
        time=keys.time if column else step,
        beside=beside,
        split=keys.kept.get("split"),
        seen=keys.kept.get("seen"),
    )
    if column:
        _check_increasing(table, layout, axis, keys.item, column)
    _check_gaps(table, layout, axis)
    return axis


def _steps(
    keys: Keys, begins: Integers, frequency: Frequency | None, folder: Path
) -> tuple[Integers, int]:
    """The step of each row in its item, kept on disk, and how many lie beside the regular axis."""
    beside = 0
    first = keys.units[begins[:-1]]
    with Spool(folder, "step") as spool:
        for begin in range(0, len(keys.item), BATCH):
            item = keys.item[begin : begin + BATCH]
            if frequency is None:
                step = np.arange(begin, begin + len(item)) - begins[item]
            else:
                away = keys.units[begin : begin + BATCH] - first[item]
                step = (away + frequency.count // 2) // frequency.count
                beside += int(np.count_nonzero(step * frequency.count != away))
            spool.append(step)
    return spool.array(), beside


def _order(item: Integers, time: Integers, by_time: bool) -> Integers | None:
    same = item[1:] == item[:-1]
    if by_time:
        if (item[1:] >= item[:-1]).all() and (time[1:] >= time[:-1])[same].all():
            return None
        return np.lexsort((time, item)).astype(np.int64)
    # Numbers were given in order of appearance: items that do not fall stand together.
    if (item[1:] >= item[:-1]).all():
        return None
    return np.argsort(item, kind="stable")


def _check_increasing(
    table: Table, layout: Layout, axis: Axis, item: Integers, column: str
) -> None:
    same = item[1:] == item[:-1]
    back = same & (axis.time[1:] <= axis.time[:-1])
    if back.any():
        at = int(back.argmax()) + 1
        within = f" within {layout.series or layout.sequence}" * bool(len(axis.items) > 1)
        twice = axis.time[at] == axis.time[at - 1]
        problem = "stands twice" if twice else "is earlier than the one before it"
        raise InputError(
            f"{table.where(axis.row(at))}: {column} {problem}{within}; "
            + ("keep one row of each time" if twice else "sort the rows by time")
            + ("" if layout.series or layout.sequence else ", or name the column of the series")
        )
    together = same & (axis.step[1:] <= axis.step[:-1])
    if together.any():
        at = int(together.argmax()) + 1
        raise InputError(
            f"{table.where(axis.row(at))}: {column} falls on the same step of "
            f"{layout.frequency} as the row before; give a shorter frequency, or one row a step"
        )


def _check_gaps(table: Table, layout: Layout, axis: Axis) -> None:
    rows = np.diff(axis.begins)
    most = int((axis.lengths - rows * (MOST_FILLED + 1)).argmax())
    if axis.lengths[most] > rows[most] * (MOST_FILLED + 1):
        begin, end = axis.begins[most : most + 2]
        at = int(begin) + 1 + int(np.diff(axis.step[begin:end]).argmax())
        raise InputError(
            f"{table.where(axis.row(at))}: with a step of {layout.frequency} the "
            f"{rows[most]:,} rows of {axis.items[most]!r} would become "
            f"{axis.lengths[most]:,}, most of them missing between the row before and this one; "
            f"give another {argument('frequency')}, or correct the time"
        )
