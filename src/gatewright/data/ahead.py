"""The rows of a forecast's future: what was seen before, what is given now, and what is to come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from gatewright.data.calendar import Frequency, from_integers, steps_after
from gatewright.data.layout import Layout
from gatewright.data.reading import Table, read
from gatewright.errors import InputError


def history_of(table: Table, layout: Layout) -> pl.DataFrame:
    """The last rows of each series, as many as any forecast looks back."""
    frame = table.frame.select(_columns(layout))
    count = 2 * max(layout.context, layout.season) + layout.horizon
    if layout.series is None:
        return table.collect(frame.tail(count))
    kept = frame.group_by(layout.series, maintain_order=True).tail(count)
    return table.collect(kept.select(_columns(layout)))


def join_history(table: Table | None, history: pl.DataFrame | None, layout: Layout) -> Table:
    """History, the rows of a table that go on from it, and rows without targets up to the horizon.

    A row of the table stands for one of the same series and time in the history.

    Raises InputError where inputs that are known ahead are given for fewer steps than the horizon.
    """
    parts = [] if history is None else [history]
    if table is not None:
        parts.append(_fitting(table, layout, history))
    frame = _merged(parts, layout)
    frame = pl.concat(list(_extended(frame, layout, table)), how="vertical_relaxed")
    return read(frame)


def _columns(layout: Layout) -> list[str]:
    places = (layout.series, layout.time)
    return [*(name for name in places if name), *layout.targets, *layout.inputs]


def _fitting(table: Table, layout: Layout, history: pl.DataFrame | None) -> pl.DataFrame:
    """The table's own rows, with absent targets as nulls and the types of the history."""
    needed = [name for name in _columns(layout) if name not in layout.targets]
    for name in needed:
        if name not in table.schema:
            raise InputError(
                f"{table.name} has no column {name!r}, which the model was trained with: it has "
                f"{', '.join(table.schema)}"
            )
    wanted = [
        pl.col(name) if name in table.schema else pl.lit(None, pl.Float64).alias(name)
        for name in _columns(layout)
    ]
    frame = table.collect(table.frame.select(wanted))
    if history is None:
        return frame
    try:
        return frame.with_columns(
            pl.col(name).cast(kind)
            for name, kind in history.schema.items()
            if _differs(frame, name, kind)
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"a column of {table.name} is of another type than in training ({reason}): write it as "
            "it was written there"
        ) from None


def _differs(frame: pl.DataFrame, name: str, kind: pl.DataType) -> bool:
    return frame.schema[name] != kind and not (
        frame.schema[name].is_numeric() and kind.is_numeric()
    )


def _merged(parts: list[pl.DataFrame], layout: Layout) -> pl.DataFrame:
    if layout.time is None:
        return pl.concat(parts, how="vertical_relaxed")
    keys = [layout.series, layout.time] if layout.series else [layout.time]
    frame = pl.concat(parts, how="vertical_relaxed")
    if len(parts) > 1:
        frame = frame.unique(keys, keep="last", maintain_order=True)
    return frame.sort(keys, maintain_order=True)


def _extended(frame: pl.DataFrame, layout: Layout, table: Table | None) -> Iterator[pl.DataFrame]:
    """Each series with as many rows after its last target as the horizon has steps."""
    pieces = (
        [frame] if layout.series is None else frame.partition_by(layout.series, maintain_order=True)
    )
    seen = pl.any_horizontal(pl.col(name).is_not_null() for name in layout.targets)
    for piece in pieces:
        with_target = piece.select(seen.alias("seen"))["seen"].arg_true()
        if len(with_target) == 0:
            yield piece  # nothing to go on from; the predictor says so
            continue
        end = int(with_target[-1]) + 1
        given = len(piece) - end
        missing = layout.horizon - given
        if missing <= 0:
            yield piece.head(end + layout.horizon)
            continue
        if layout.known:
            name = "the table" if table is None else table.name
            raise InputError(
                f"{', '.join(layout.known)} is known ahead, but {name} gives it for {given} of the "
                f"{layout.horizon} steps to forecast: add {missing} more rows with it and an empty "
                "target"
            )
        yield pl.concat([piece, _rows_to_come(piece, layout, missing)], how="diagonal_relaxed")


def _rows_to_come(piece: pl.DataFrame, layout: Layout, count: int) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    if layout.series:
        columns[layout.series] = pl.repeat(piece[layout.series][0], count, eager=True)
    if layout.time:
        columns[layout.time] = _times_to_come(piece[layout.time], layout, count)
    if not columns:  # rows are steps: a null target makes one
        columns[layout.targets[0]] = pl.repeat(None, count, dtype=pl.Float64, eager=True)
    return pl.DataFrame(columns)


def _times_to_come(times: pl.Series, layout: Layout, count: int) -> pl.Series:
    """The times of the steps after the last one, in the type of the column."""
    steps = np.arange(1, count + 1, dtype=np.int64)
    if times.dtype.is_integer():
        step = int(layout.frequency.removesuffix("i")) if layout.frequency else 1
        return pl.Series(int(times[-1]) + step * steps).cast(times.dtype)
    moments = times.cast(pl.Datetime("us")).to_physical().to_numpy()
    last = np.full(count, moments[-1], dtype=np.int64)
    if layout.frequency is None:
        return from_integers(last + int(np.median(np.diff(moments))) * steps).cast(times.dtype)
    ahead = steps_after(last, steps, Frequency.parse(layout.frequency))
    return from_integers(ahead).cast(times.dtype)
