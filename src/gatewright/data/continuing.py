"""The rows of a forecast: what was seen before, what is given now, and what is to come.

A forecast goes on from the last known target of the rows that are given, wherever that lies. Rows
of the training are what was seen before them; nothing of the training that lies later is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Frequency, as_integers, as_units, from_integers, steps_after
from gatewright.data.layout import Layout
from gatewright.data.prepare.columns import check_readings, frequency_of
from gatewright.data.table.reading import Table
from gatewright.errors import InputError

NUMBER = "the number of the row given"  # null of any other row
ALL = "all series"  # one group of rows where there are no series


@dataclasses.dataclass(frozen=True)
class Joined(Table):
    """Rows of a table with others before and after them; told by their numbers in that table."""

    original: Table | None = None  # None: there is no table, only the rows of the training
    numbers: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))

    def where(self, row: int) -> str:
        """A row in words: one of the table as that tells it."""
        number = int(self.numbers[row])
        if self.original is None or number < 0:
            return f"a row beside those of {self.name}"
        return self.original.where(number)


def history_of(table: Table, layout: Layout, *, whole: bool = False) -> pl.DataFrame:
    """The last rows of each series, as many as a context or a season looks back, or all of them."""
    frame, count = table.frame.select(_columns(layout)), table.rows if whole else _reach(layout)
    if layout.series is None:
        return table.collect(frame.tail(count))
    kept = frame.group_by(layout.series, maintain_order=True).tail(count)
    return table.collect(kept.select(_columns(layout)))


def join_history(table: Table | None, history: pl.DataFrame | None, layout: Layout) -> Joined:
    """The rows that a forecast is made from, and rows without targets up to its horizon.

    The rows given are those of the table, or without one those of the history. Before them come
    those of the history that are of the same series: up to their last known target, or where there
    is no column of times all of them. Where the table has no target of a series, its rows are the
    future, and have to begin right after the last known target of the history.

    Raises InputError where they do not, where a column is missing or of another type, or where
    inputs that are known ahead are given for fewer steps than the horizon.
    """
    if table is None:
        assert history is not None, "there are rows to go on from"
        rows, name = history.with_columns(pl.lit(None, pl.Int64).alias(NUMBER)), "the training"
    else:
        rows, name = _fitting(table, layout, history), table.name
    if table is not None and history is not None:
        rows = pl.concat([_seen_before(rows, history, layout, name), rows], how="diagonal_relaxed")
    if layout.time:
        rows = rows.sort([*_by(layout), layout.time], maintain_order=True)
    joined = pl.concat(list(_extended(rows, layout, name)), how="vertical_relaxed")
    frame = joined.drop(NUMBER)
    return Joined(
        name=name,
        frame=frame.lazy(),
        schema=frame.schema,
        rows=len(frame),
        original=table,
        numbers=joined[NUMBER].fill_null(-1).to_numpy(),
    )


def earlier(history: pl.DataFrame, table: Table, layout: Layout) -> pl.DataFrame:
    """The history as it was before the first row of a table, in each of its series; all of it
    where there is no column of times."""
    if layout.time is None:
        return history
    rows = _fitting(table, layout, history)
    spans = _of_each(rows, layout, begin=pl.col(layout.time).min())
    after = pl.col(layout.time) >= pl.col("begin")
    before = _with(history, spans, layout, "left").filter(~after.fill_null(value=False))
    return before.select(history.columns)


def any_target(layout: Layout) -> pl.Expr:
    """Whether a row knows any of the targets."""
    return pl.any_horizontal(pl.col(name).is_not_null() for name in layout.targets)


def _reach(layout: Layout) -> int:
    """Steps that a context or a season looks back, and some for gaps."""
    return 2 * max(layout.context, layout.season) + layout.horizon


def _by(layout: Layout) -> list[str]:
    return [layout.series] if layout.series else []


def _columns(layout: Layout) -> list[str]:
    return [*_by(layout), *([layout.time] if layout.time else []), *layout.targets, *layout.inputs]


def _of_each(frame: pl.DataFrame, layout: Layout, **values: pl.Expr) -> pl.DataFrame:
    """Some aggregates of each series, or of all rows where there are none."""
    one = pl.lit(1).alias(ALL)
    return frame.with_columns(one).group_by([*_by(layout), ALL], maintain_order=True).agg(**values)


def _with(frame: pl.DataFrame, values: pl.DataFrame, layout: Layout, how: str) -> pl.DataFrame:
    """Rows beside the aggregates of their series."""
    keys = [*_by(layout), ALL]
    return frame.with_columns(pl.lit(1).alias(ALL)).join(values, on=keys, how=how, nulls_equal=True)  # type: ignore[arg-type]


# What is given ----------------------------------------------------------------------------------


def _fitting(table: Table, layout: Layout, history: pl.DataFrame | None) -> pl.DataFrame:
    """The table's own rows with their numbers, absent targets as nulls, as the history has them."""
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
    check_readings(table, layout, layout.targets)
    frame = table.collect(table.frame.select(wanted))
    if history is not None:
        kinds = {name: kind for name, kind in history.schema.items() if name in frame.columns}
        frame = frame.with_columns(
            _as_in_training(frame[name], kind, table.name, exactly=name not in _numbers(layout))
            for name, kind in kinds.items()
        )
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(NUMBER))


def _numbers(layout: Layout) -> set[str]:
    """The columns whose values are read as numbers, whatever their type."""
    return {*layout.targets, *layout.numbers}


def _as_in_training(values: pl.Series, kind: pl.DataType, name: str, *, exactly: bool) -> pl.Series:
    """A column in the type that it had in training, every value the same as before.

    "1.0" is not the name of series "1", and 10:30 on a day does not become that day.
    """
    dtype = values.dtype
    alike = dtype.is_numeric() and kind.is_numeric() and not exactly
    if dtype == kind or alike or values.null_count() == len(values):
        return values if alike else values.cast(kind)
    zones = [getattr(each, "time_zone", None) for each in (dtype, kind)]
    if (zones[0] is None) == (zones[1] is None):
        try:
            cast = values.cast(kind)
            if (cast.cast(dtype) == values).all():
                return cast
        except pl.exceptions.PolarsError:
            pass
    raise InputError(
        f"column {values.name!r} of {name} holds {_kind(dtype)}, and held {_kind(kind)} in "
        "training: write it as it was written there"
    )


def _kind(kind: pl.DataType) -> str:
    """A type in words."""
    if isinstance(kind, pl.Datetime):
        return f"times in the zone {kind.time_zone}" if kind.time_zone else "times without a zone"
    words = {pl.Date: "dates", pl.String: "text", pl.Boolean: "true or false"}
    whole = "whole numbers" if kind.is_integer() else "numbers" if kind.is_numeric() else str(kind)
    return words.get(type(kind), whole)


# What was seen before ---------------------------------------------------------------------------


def _seen_before(
    rows: pl.DataFrame, history: pl.DataFrame, layout: Layout, name: str
) -> pl.DataFrame:
    """The rows of the history that a forecast from the rows given may look back at."""
    seen, keys = any_target(layout), [*_by(layout), ALL]
    if layout.time is None:
        # Rows have no place but their order: what is given goes on from what was seen.
        number = pl.int_range(pl.len())
        ends = _of_each(history, layout, end=number.filter(seen).max())
        bounds = _of_each(rows, layout).join(ends, on=keys, nulls_equal=True)
        before = _with(history, bounds, layout, "inner")
        return before.filter(number.over(keys) <= pl.col("end")).select(history.columns)
    time = pl.col(layout.time)
    bounds = _of_each(rows, layout, begin=time.min(), known=time.filter(seen).max())
    end = _of_each(history, layout, end=time.filter(seen).max())
    spans = bounds.join(end, on=keys, nulls_equal=True)
    _check_begin(spans.filter(pl.col("known").is_null()), layout, name)
    spans = spans.with_columns(
        origin=pl.coalesce("known", "end"), end=pl.coalesce("end", "begin")
    ).drop_nulls("origin")
    frequency = frequency_of(layout)
    if frequency is not None:
        # Beyond a gap longer than any window nothing is seen: it is not to be filled.
        begin, last = (
            spans.select(as_integers(pl.col(name), spans.schema[name])).to_series().to_numpy()
            for name in ("begin", "end")
        )
        far = last < steps_after(begin, np.full(len(spans), -_reach(layout)), frequency)
        spans = spans.filter(~far)
    before = _with(history, spans, layout, "inner").filter(time <= pl.col("origin"))
    before = before.select(history.columns)
    return before.join(rows, on=[*_by(layout), layout.time], how="anti", nulls_equal=True)


def _check_begin(spans: pl.DataFrame, layout: Layout, name: str) -> None:
    """Raise InputError where rows of the future begin elsewhere than after the history."""
    spans, frequency = spans.drop_nulls(["begin", "end"]), frequency_of(layout)
    kind = spans.schema["begin"]
    end, begin = (as_units(pl.col(each), kind, frequency) for each in ("end", "begin"))
    count = frequency.count if frequency else 1
    step = (begin - end + count // 2) // count
    wrong = spans.filter(step != 1 if frequency else step < 1)
    if len(wrong):
        row = wrong.row(0, named=True)
        which = f" of {row[layout.series]!r}" if layout.series else ""
        raise InputError(
            f"rows without a target go on from the last one known, but those{which} in {name} "
            f"begin at {row['begin']}, and the training rows end at {row['end']}: begin right "
            "after these, or give the rows with targets that lead up to the forecast"
        )


# What is to come --------------------------------------------------------------------------------


def _extended(frame: pl.DataFrame, layout: Layout, name: str) -> Iterator[pl.DataFrame]:
    """Each series with as many rows after its last target as the horizon has steps."""
    pieces = (
        [frame] if layout.series is None else frame.partition_by(layout.series, maintain_order=True)
    )
    for piece in pieces:
        with_target = piece.select(any_target(layout).alias("seen"))["seen"].arg_true()
        if len(with_target) == 0:
            yield piece  # nothing to go on from; the predictor says so
            continue
        end = int(with_target[-1]) + 1
        future_rows = len(piece) - end
        missing = layout.horizon - future_rows
        if missing <= 0:
            yield piece.head(end + layout.horizon)
            continue
        if layout.known:
            which = f" of {piece[layout.series][0]!r}" if layout.series else ""
            raise InputError(
                f"{', '.join(layout.known)} is known ahead, but {name} gives it for {future_rows} "
                f"of the {layout.horizon} steps{which} to forecast: add {missing} more rows with "
                "it and an empty target"
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
    frequency = Frequency.parse(layout.frequency) if layout.frequency else None
    zone = getattr(times.dtype, "time_zone", None)
    if zone is None or frequency is None or frequency.unit == "microsecond":
        return _after(times.cast(pl.Datetime("us")), steps, frequency).cast(times.dtype)
    # Days and months are those of the clock on the wall, which summer time moves.
    wall = _after(times.dt.replace_time_zone(None), steps, frequency)
    there = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return there.fill_null(wall.dt.replace_time_zone("UTC").dt.convert_time_zone(zone))


def _after(times: pl.Series, steps: NDArray[np.int64], frequency: Frequency | None) -> pl.Series:
    """The times some steps after the last one of a series."""
    moments = times.to_physical().to_numpy()
    last = np.full(len(steps), moments[-1], dtype=np.int64)
    if frequency is None:
        return from_integers(last + int(np.median(np.diff(moments))) * steps)
    future_times = from_integers(steps_after(last, steps, frequency))
    month_ends = frequency.unit == "month" and (times.dt.month_end() == times).all()
    return future_times.dt.month_end() if month_ends else future_times
