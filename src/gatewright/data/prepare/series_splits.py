"""Where the training, validation and test part of each series end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Integers
from gatewright.data.guess.roles import PARTS as PART_NAMES
from gatewright.data.layout import Layout
from gatewright.data.prepare.axis import Axis
from gatewright.data.prepared import PARTS
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.requests import DATES, SERIES
from gatewright.wording.numbers import counted

Cuts = NDArray[np.int64]  # (all items, 3): steps of training, and to the ends of the others


def part_numbers(column: str) -> pl.Expr:
    """A split column as numbers in ``PARTS``; -1 for anything else."""
    numbers = [PARTS.index(PART_NAMES[name]) for name in PART_NAMES]
    text = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.replace_strict(list(PART_NAMES), numbers, default=-1, return_dtype=pl.Int8)


@dataclasses.dataclass(frozen=True)
class Places:
    """Where shares of the steps cut the series."""

    ends: Cuts  # (items, places): steps of each series up to each place
    at_dates: bool  # all at the same times; else each at its own places
    across: int = 0  # series with steps before the first of these times and after the last


def cut_by_shares(
    axis: Axis, lengths: Integers, places: Sequence[float], cut: str | None
) -> Places:
    """Cut the series where such shares of their steps are over.

    Series that are there together are cut at the same times: otherwise training of one would lie
    after a test origin of another, and a network would have seen the future of what they have in
    common. The times are those where the shares of the rows of all series are over. For series
    that follow one another there are no such times: most would be all training or all test. What
    counts is thus not how much of their spans any two share, but how many run across all the
    times, which leaves them something in each part: if these are half of them, and two at least,
    the times cut all series, and those beside are all training or all test; if not, each is cut at
    its own places. ``cut`` of ``Split`` decides where it is given.
    """
    own: Cuts = np.rint(np.outer(lengths, places)).astype(np.int64)
    if cut == SERIES or len(lengths) == 1:
        return Places(own, at_dates=False)
    ends = _at_dates(axis, lengths, places)
    mostly, across = mostly_across(ends, lengths, places)
    at_dates = cut == DATES or (cut is None and mostly)
    return Places(ends if at_dates else own, at_dates, across)


def mostly_across(ends: Cuts, lengths: Integers, places: Sequence[float]) -> tuple[bool, int]:
    """Whether half of the series have steps on both sides of every place; how many have."""
    inner = ends[:, np.array(places) < 1]
    across = int(np.count_nonzero(((inner > 0) & (inner < lengths[:, None])).all(1)))
    return across >= max(2, np.count_nonzero(lengths) / 2), across


def _at_dates(axis: Axis, lengths: Integers, places: Sequence[float]) -> Cuts:
    """Steps of each series up to the times where shares of all rows are over, (items, places)."""
    times = np.array(axis.time)
    if (lengths < axis.lengths).any():
        times = times[axis.step < np.repeat(lengths, np.diff(axis.begins))]
    times.sort()
    ends = np.empty((len(lengths), len(places)), dtype=np.int64)
    for number, place in enumerate(places):
        at = int(np.rint(len(times) * place))
        if at >= len(times):
            ends[:, number] = lengths
            continue
        # The first step of each series at this time or later; a series may end before it.
        before = np.add.reduceat(axis.time < times[at], axis.begins[:-1], dtype=np.int64)
        ends[:, number] = np.minimum(_steps(axis, before), lengths)
    return ends


def _steps(axis: Axis, before: Integers) -> Integers:
    """The step of the row that has so many of its series before it; the end where there is none."""
    at = np.minimum(axis.begins[:-1] + before, axis.rows - 1)
    return np.where(before == np.diff(axis.begins), axis.lengths, axis.step[at])


def cut_by_rows(lengths: Integers, rows: tuple[int, int, int]) -> Cuts:
    """The same lengths for every series, from its start, as far as it goes.

    Raises InputError where all are shorter.
    """
    if (lengths < sum(rows)).all():
        raise InputError(
            f"{rows[0]:,} + {rows[1]:,} + {rows[2]:,} = {sum(rows):,} steps were asked for, but "
            f"the longest series has {lengths.max():,}; give fewer with {argument('rows')}"
        )
    ends: Cuts = np.minimum(np.cumsum(rows), lengths[:, None])
    return ends


def cut_by_column(
    table: Table, layout: Layout, axis: Axis, lengths: Integers, cut: str | None
) -> Cuts:
    """What the split column says, which must be ordered in time within each series.

    Without any validation, the last eighth of training becomes validation.
    """
    split = axis.split
    assert split is not None
    if (split < 0).any():
        row = axis.row(int((split < 0).argmax()))
        raise InputError(
            f"{table.where(row)}: {layout.split} is none of {', '.join(PARTS)}; correct it"
        )
    item = np.repeat(np.arange(len(lengths)), np.diff(axis.begins))
    back = (item[1:] == item[:-1]) & (split[1:] < split[:-1])
    if back.any():
        at = int(back.argmax()) + 1
        raise InputError(
            f"{table.where(axis.row(at))}: {layout.split} says {PARTS[split[at]]}, after a row "
            f"that says {PARTS[split[at - 1]]}; in forecasts, training comes first and test last"
        )
    for number in (0, 2):
        if not (split == number).any():
            raise InputError(f"{layout.split} says {PARTS[number]} nowhere; it needs such rows")
    cuts = np.empty((len(lengths), 3), dtype=np.int64)
    for part in range(3):
        before = np.add.reduceat(split <= part, axis.begins[:-1], dtype=np.int64)
        cuts[:, part] = np.minimum(_steps(axis, before), lengths)
    if not (split == 1).any():
        cuts[:, :1] = cut_by_shares(axis, cuts[:, 0], (7 / 8,), cut).ends
    return cuts


def lend(layout: Layout, cuts: Cuts) -> tuple[Cuts, NDArray[np.bool_]]:
    """The cuts with what is too short to judge on given to training; the series all of which is.

    A series whose test part has no whole horizon is all training; one with none in validation
    trains up to its test part. For series that are cut each at its own places: at dates, training
    would reach beyond the test origins of others.
    """
    cuts = cuts.copy()
    no_test = cuts[:, 2] - cuts[:, 1] < layout.horizon
    no_validation = cuts[:, 1] - cuts[:, 0] < layout.horizon
    cuts[:, 1] = np.where(no_test, cuts[:, 2], cuts[:, 1])
    cuts[:, 0] = np.where(no_test | no_validation, cuts[:, 1], cuts[:, 0])
    return cuts, no_test & ~too_short(layout, cuts)


def check_cuts(layout: Layout, cuts: Cuts, shares: tuple[float, float, float]) -> None:
    """Raise InputError where a part that is to have a share holds no example of any series."""
    context, horizon = layout.context, layout.horizon
    training = cuts[:, 0].max()
    if training < context + horizon:
        raise InputError(
            f"the training part has {counted(training, 'step')}, but a context of {context:,} and "
            f"a horizon of {horizon:,} need {context + horizon:,}; give a shorter "
            f"{argument('context')} or {argument('horizon')}, or more rows"
        )
    for number in [part for part in (1, 2) if shares[part]]:
        steps = (cuts[:, number] - cuts[:, number - 1]).max()
        if steps < horizon:
            raise InputError(
                f"the {PARTS[number]} part has {counted(max(steps, 0), 'step')}, but a horizon of "
                f"{horizon:,} needs as many at least; give a shorter {argument('horizon')}, a "
                f"larger share of {argument('shares')}, or more rows"
            )


def too_short(layout: Layout, cuts: Cuts) -> NDArray[np.bool_]:
    """The series that give no example at all, (items,): half a context is enough of a past."""
    least: NDArray[np.bool_] = cuts[:, 2] < max(1, layout.context // 2) + layout.horizon
    return least
