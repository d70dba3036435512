"""The order of the rows of a forecast, and the columns that may tell series apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import polars as pl

from gatewright.data.guess.roles import (
    ID_ENDS,
    SERIES_NAMES,
    Column,
    Roles,
    named,
    row_of,
    unique_with,
)
from gatewright.data.table.joined import derive
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument


def candidates_of(free: Mapping[str, Column]) -> list[str]:
    """Those of them that are likely to, the likeliest first."""
    hinted = hinted_of(free)
    # Other whole numbers make the times unique by chance.
    words = [name for name in free if name not in hinted and not free[name].whole]
    return hinted + sorted(words, key=lambda name: free[name].distinct)


def free_columns(table: Table, columns: Mapping[str, Column], roles: Roles) -> dict[str, Column]:
    """The columns that may tell series apart."""
    taken = roles.taken | {*roles.known, *table.ignored}
    return {
        name: column
        for name, column in columns.items()
        if name not in taken and (column.text or column.whole or column.dtype == pl.Boolean)
        if not column.constant and not column.missing and column.distinct * 2 <= table.rows
    }


def hinted_of(names: Iterable[str]) -> list[str]:
    """Those that are called as columns of series are."""
    hinted = named(names, SERIES_NAMES)
    ends = [name for name in names if name.lower().endswith(ID_ENDS) and name not in hinted]
    return hinted + ends


def say_repeated(table: Table, columns: Mapping[str, Column], roles: Roles) -> None:
    time = roles.time
    assert time is not None
    again = pl.col(time).is_first_distinct().not_()
    row, value = row_of(table, again, pl.col(time).cast(pl.String)) or (0, None)
    hint = "leave one row for each time"
    if parts := _more_parts(table, time):
        hint = f"{' and '.join(parts)} together are a time: say {argument('time', ','.join(parts))}"
    candidates = candidates_of(free_columns(table, columns, roles))[:8]
    for one, two in combinations(candidates, 2):
        if unique_with(table, one, two, time):
            hint = f"{one} and {two} together tell the rows apart: join them into one column and "
            hint += f"name it with {argument('series')}"
            break
    raise InputError(
        f"{table.where(row)} has the {time} {value} for the second time; {hint}, or name the "
        f"column that tells series apart with {argument('series')}."
    )


def _more_parts(table: Table, time: str) -> tuple[str, ...]:
    """The columns that hold a time together, where the time that repeats is fewer of them."""
    if time not in table.derived:
        return table.joined
    apart = table.apart()
    whole = derive(apart.frame, apart.schema)
    return whole.columns if whole is not None and {*whole.columns} > {*table.joined} else ()


def check_order(table: Table, roles: Roles) -> None:
    assert roles.time is not None
    time = pl.col(roles.time)
    steps = time.diff().to_physical()
    within, repeated, stacked = "", False, ""
    if roles.series is None:
        stacked = "; if another series begins there, name the column that tells series apart with "
        stacked += argument("series")
        step_back = unsorted(table, roles)
    else:
        missing = row_of(table, pl.col(roles.series).is_null())
        if missing is not None:
            raise InputError(
                f"{table.where(missing[0])} has no {roles.series}; say which series it belongs to."
            )
        within = f" within one {roles.series}"
        same = pl.col(roles.series) == pl.col(roles.series).shift()
        counts = table.frame.select(
            back=(same & (steps < 0)).any(),
            apart=(~same).sum() + 1 != pl.col(roles.series).n_unique(),
        )
        back, apart = table.collect(counts).row(0)
        # The rows of a series are seldom apart; if they are, a pass in memory finds their order.
        step_back = unsorted(table, roles) if back or apart else None
        repeated = not unique_with(table, roles.series, roles.time)
    if step_back is not None:
        row, value, before, other = step_back
        raise InputError(
            f"{table.where(row)} has the {roles.time} {value} after {before} in "
            f"{table.row_in_words(other)}{within}; sort the rows by {roles.time}, or correct it "
            f"where it is wrong{stacked}."
        )
    if repeated and roles.series is not None:
        again = pl.struct(roles.series, roles.time).is_first_distinct().not_()
        shown = (time.cast(pl.String), pl.col(roles.series))
        row, value, name = row_of(table, again, *shown) or (0, None, None)
        raise InputError(
            f"{table.where(row)} has the {roles.time} {value} for the second time in series "
            f"{name!r}; leave one row for each time."
        )


def unsorted(table: Table, roles: Roles) -> tuple[Any, ...] | None:
    """(row, its time, the time before, the row of that) where time goes back for the first time."""
    assert roles.time is not None
    by = pl.lit(0) if roles.series is None else pl.col(roles.series)
    frame = table.frame.select(row=pl.int_range(pl.len()), time=pl.col(roles.time), by=by)
    back = frame.with_columns(pl.col("time", "row").shift().over("by").name.suffix(" before"))
    shown = (pl.col(name).cast(pl.String) for name in ("time", "time before"))
    query = back.filter(pl.col("time") < pl.col("time before")).head(1)
    first = table.collect(query.select("row", *shown, "row before"))
    return first.row(0) if len(first) else None
