"""Forecasts: the time axis, the series, how far to look back and ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gatewright.data.guess.ahead import MOST, held_ahead
from gatewright.data.guess.lengths import horizon_and_context, training_rows
from gatewright.data.guess.order import (
    candidates_of,
    check_order,
    free_columns,
    hinted_of,
    say_repeated,
    unsorted,
)
from gatewright.data.guess.roles import (
    Column,
    Notes,
    Roles,
    find_inputs,
    find_time,
    part_of,
    row_of,
    some,
    unique_with,
)
from gatewright.data.guess.seasons import Floats, frequency_of, season_of
from gatewright.data.guess.shapes import LONG
from gatewright.data.layout import Layout
from gatewright.data.question import TaskChoice
from gatewright.data.table.reading import Table
from gatewright.data.table.times import looks_like_time
from gatewright.errors import InputError, argument
from gatewright.limits import LONGEST_QUOTE
from gatewright.requests import Split

LEAST_ROWS = 20  # of each series on average, where only their names and their order tell them
ROWS = 100_000  # read to find the frequency and the season
SERIES = 50  # looked at, of many


def guess_forecast(
    table: Table,
    columns: Mapping[str, Column],
    roles: Roles,
    notes: Notes,
    choice: TaskChoice,
) -> Layout:
    """The layout of one series, or of many in long form.

    Raises:
        InputError: no such series can be made of the table, or they are too short.
    """
    _check_numbers(table, columns, roles, choice)
    no_time = _no_time(table, columns, roles)
    if table.joined and roles.time is None and not _tells_apart(table, columns, roles):
        no_time = f"{' and '.join(table.joined)} together are the same in several rows"
        table = table.apart()
        columns = {name: columns[name] for name in table.schema}
    roles = _axis(table, columns, roles, notes, no_time)
    change = "change" if len(roles.targets) > 1 else "changes"
    axis = f"{roles.time} orders the rows" if roles.time else "the rows are in order"
    what = "each series" if roles.series else "the series"
    task = choice.usual(notes, f"{axis} and {some(roles.targets)} {change} along {what}")
    roles = _split(table, roles, notes, said=choice.said.split is not None)
    sample = _sample(table, roles, choice.split)
    frequency = _frequency(roles, sample, notes)
    season = _season(roles, frequency, sample, notes)
    horizon, context = horizon_and_context(table, roles, choice.split, frequency, season, notes)
    used = [name for role, name in roles.parts() if role != "ignore"]
    numbers, categories, ignored = find_inputs(table, columns, roles, used)
    ahead = held_ahead(table, columns, roles, numbers, min(horizon + context, max(horizon, MOST)))
    numbers = tuple(name for name in numbers if name not in ahead)
    for name, why in ahead.items():
        notes.add("left out", name, "known", why)
    return Layout(
        task=task,
        targets=roles.targets,
        numbers=numbers,
        categories=categories,
        known=roles.known,
        split=roles.split,
        ignored=ignored | ahead,
        time=roles.time,
        series=roles.series,
        frequency=frequency,
        season=season,
        horizon=horizon,
        context=context,
    )


def _no_time(table: Table, columns: Mapping[str, Column], roles: Roles) -> str:
    """Why there may be no column of times: one that is called so may hold other words."""
    for name, column in columns.items():
        if column.text and looks_like_time(name) and name not in roles.taken:
            first = row_of(table, pl.col(name).is_not_null(), pl.col(name))
            if first is not None:
                holds = f"{name} holds {str(first[1])[:LONGEST_QUOTE]!r}"
                return f"{holds}, which is not read as a time: write 2024-01-31 or 2024-01-31 13:00"
    return "no column of dates"


def _tells_apart(table: Table, columns: Mapping[str, Column], roles: Roles) -> bool:
    """Whether the time that several columns hold together is what orders the rows.

    It is if a part of it is a date, or no series has the same one twice.
    """
    (made,) = table.derived
    if any(columns[name].dtype.is_temporal() for name in table.joined):
        return True
    if unique_with(table, *([roles.series] if roles.series else []), made):
        return True
    with_time = roles.replace(time=made)
    return roles.series is None and _find_series(table, columns, with_time)[0] is not None


def _check_numbers(
    table: Table, columns: Mapping[str, Column], roles: Roles, choice: TaskChoice
) -> None:
    for role in ("sequence", "step", "group"):
        if (name := getattr(roles, role)) is not None:
            raise InputError(
                f"{argument(role, name)} is for labelled sequences, and {', '.join(roles.targets)} "
                f"of {table.name} would be forecast; leave it out, or say {choice.to_say(LONG)}."
            )
    for name in roles.targets:
        if columns[name].dtype not in (pl.Int64(), pl.Float64()):
            kind = "words" if columns[name].text else "true and false"
            raise InputError(
                f"{argument('target', name)}: it holds {kind}, and a forecast of {table.name} "
                f"needs numbers; give a column of numbers, or say {argument('sequence')} with the "
                f"column that tells which rows have one {name} together."
            )


def _axis(
    table: Table, columns: Mapping[str, Column], roles: Roles, notes: Notes, no_time: str
) -> Roles:
    """With the columns of times and of series, checked; ``no_time``: why there may be none."""
    time_and_why = find_time(table, columns, roles)
    if time_and_why is None:
        if roles.series is None:
            notes.add("time column", "none", "time", f"{no_time}; the rows are in order")
        return roles
    time, why = time_and_why
    missing = row_of(table, pl.col(time).is_null()) if columns[time].missing else None
    if missing is not None:
        raise InputError(f"{table.where(missing[0])} has no {time}; fill in the time of the row.")
    whole = columns[time].whole and roles.time is None
    with_time = roles.replace(time=time)
    series, reason = roles.series, ""
    increasing = series is None and _increasing(table, time)
    if increasing:
        series, reason = _find_stacked(table, columns, with_time, increasing=True)
    elif series is None:
        repeats = table.frame.select(pl.col(time).n_unique() < pl.len())
        if bool(table.collect(repeats).item()):
            series, reason = _find_series(table, columns, with_time)
            if series is None and whole:
                # Whole numbers that repeat, as the months of years do, are no times.
                notes.add("time column", "none", "time", no_time)
                return roles
            if series is None:
                say_repeated(table, columns, with_time)
        else:
            series, reason = _find_stacked(table, columns, with_time, increasing=False)
            if series is None and whole:
                notes.add("time column", "none", "time", no_time)
                return roles
    if roles.time is None:
        notes.add("time column", time, "time", why)
    if series is not None and roles.series is None:
        notes.add("series column", series, "series", reason)
    roles = with_time.replace(series=series)
    if not increasing:
        check_order(table, roles)
    return roles


def _increasing(table: Table, time: str) -> bool:
    steps = pl.col(time).diff().to_physical()
    return not bool(table.collect(table.frame.select((steps <= 0).any())).item())


def _find_series(
    table: Table, columns: Mapping[str, Column], roles: Roles
) -> tuple[str | None, str]:
    assert roles.time is not None
    for name in candidates_of(free_columns(table, columns, roles)):
        if unique_with(table, name, roles.time):
            count = table.collect(table.frame.select(pl.col(name).n_unique())).item()
            return name, f"times repeat, but not within one of its {count} values"
    return None, ""


def _find_stacked(
    table: Table, columns: Mapping[str, Column], roles: Roles, *, increasing: bool
) -> tuple[str | None, str]:
    """The column of series that stand one below another, with no time in two of them.

    Where time goes back, only from one of its values to the next; where it is ``increasing`` over
    all rows, the values may be those of an input too, and the name has to tell.
    """
    find = hinted_of if increasing else candidates_of
    for name in find(free_columns(table, columns, roles)):
        stretches = (pl.col(name) != pl.col(name).shift()).sum() + 1
        counts = table.frame.select(stretches, pl.col(name).n_unique().alias("values"))
        stretched, values = table.collect(counts).row(0)
        if stretched != values or (increasing and name in roles.categories):
            continue
        otherwise = f"{argument('categories', name)} makes it an input of one series"
        if increasing and table.rows >= LEAST_ROWS * values:
            return name, f"its {values} values follow one another; {otherwise}"
        if not increasing and unsorted(table, roles.replace(series=name)) is None:
            return name, f"time goes back, but not within one of its {values} values"
    return None, ""


def _split(table: Table, roles: Roles, notes: Notes, *, said: bool) -> Roles:
    """Without a column of parts that does not cut the series in time."""
    if roles.split is None:
        return roles
    number = part_of(roles.split).replace_strict(
        {"train": 0, "validation": 1, "test": 2}, return_dtype=pl.Int8
    )
    by = pl.lit(0) if roles.series is None else pl.col(roles.series)
    parts = table.frame.select(by.alias("series"), number=number)
    back = pl.col("number").diff() < 0
    if roles.series is not None:
        back &= pl.col("series") == pl.col("series").shift()
    cut = parts.group_by("series").agg(
        ((pl.col("number") == 0).any() & (pl.col("number") == 2).any()).alias("cut")
    )
    in_order = not bool(table.collect(parts.select(back.any())).item())
    if in_order and bool(table.collect(cut.select(pl.col("cut").any())).item()):
        return roles
    why = "does not cut the series in time, training first and test last"
    if said:
        raise InputError(
            f"{argument('split', roles.split)}: it {why}, in {table.name}; correct it, or leave "
            f"{argument('split')} out."
        )
    notes.guesses[:] = [guess for guess in notes.guesses if guess.what != "split"]
    notes.add("split", "by time", "split", f"the column {roles.split} {why}")
    return roles.replace(split=None, unusable={roles.split: why})


@dataclass(frozen=True)
class _Sample:
    times: list[pl.Series]
    values: list[Floats]


def _sample(table: Table, roles: Roles, split: Split) -> _Sample:
    """The first rows of the training part, of one series or of some of many; targets gap-free."""
    targets = [pl.col(name).cast(pl.Float64) for name in roles.targets]
    names = [name for name in (roles.series, roles.time) if name is not None]
    rows = max(2, min(ROWS, training_rows(split, table.rows)))
    frame = table.frame
    if roles.series is not None:
        ids = table.collect(frame.select(pl.col(roles.series).unique().sort().head(SERIES)))
        frame = frame.filter(pl.col(roles.series).is_in(ids[roles.series].to_list()))
        rows = ROWS
    sample = table.collect(frame.select(*names, *targets).head(rows))
    parts = [sample] if roles.series is None else sample.partition_by(roles.series)
    if roles.series is not None:
        parts = [part.head(max(2, training_rows(split, len(part)))) for part in parts]
    filled = pl.col(*roles.targets).interpolate().forward_fill().backward_fill()
    values = [
        part.select(filled)[name].to_numpy()
        for part in parts
        for name in roles.targets
        if part[name].count() > 1
    ]
    # What lies between two numbers near the largest that there is may be infinite.
    values = [each for each in values if np.isfinite(each).all()]
    times = [] if roles.time is None else [part[roles.time] for part in parts]
    return _Sample(times, values)


def _frequency(roles: Roles, sample: _Sample, notes: Notes) -> str | None:
    if roles.frequency is not None or roles.time is None:
        return roles.frequency
    finding = frequency_of(sample.times)
    if finding is None:
        return None
    notes.add("frequency", finding.value, "frequency", finding.why)
    return finding.value


def _season(roles: Roles, frequency: str | None, sample: _Sample, notes: Notes) -> int:
    if roles.season is not None:
        return roles.season
    finding = season_of(frequency, sample.values, _workdays(frequency, sample.times))
    value = finding.value if finding.value != "1" else "none"
    notes.add("season", value, "season", finding.why)
    return int(finding.value)


def _workdays(frequency: str | None, times: Sequence[pl.Series]) -> bool:
    """Whether there are no rows on Saturdays and Sundays."""
    return frequency == "1d" and all(int(days.dt.weekday().max()) < 6 for days in times)  # type: ignore[arg-type]
