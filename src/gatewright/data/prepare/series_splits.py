"""Where the training, validation and test part of each series end."""

from __future__ import annotations

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
from gatewright.wording.numbers import counted

Cuts = NDArray[np.int64]  # (all items, 3): steps of training, and to the ends of the others


def part_numbers(column: str) -> pl.Expr:
    """A split column as numbers in ``PARTS``; -1 for anything else."""
    numbers = [PARTS.index(PART_NAMES[name]) for name in PART_NAMES]
    text = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.replace_strict(list(PART_NAMES), numbers, default=-1, return_dtype=pl.Int8)


def cut_by_shares(
    axis: Axis, lengths: Integers, shares: tuple[float, float], together: bool
) -> tuple[Integers, Integers]:
    """Steps up to two cuts, each (items,), so that shares of the steps lie before and between.

    ``together``: the series share their times, and are cut at the same two times: else the
    training part of one would lie after a test origin of another, and a network would have seen
    the future of what they have in common. The times are chosen by the rows of all series.
    """
    if not together or len(lengths) == 1:
        first = np.rint(lengths * shares[0]).astype(np.int64)
        second = np.rint(lengths * (shares[0] + shares[1])).astype(np.int64)
        return first, second
    times = np.array(axis.time)
    if (lengths < axis.lengths).any():
        times = times[axis.step < np.repeat(lengths, np.diff(axis.begins))]
    times.sort()
    cuts = []
    for share in (shares[0], shares[0] + shares[1]):
        time = times[min(int(np.rint(len(times) * share)), len(times) - 1)]
        # The first step of each series at this time or later; a series may end before it.
        before = np.add.reduceat(axis.time < time, axis.begins[:-1], dtype=np.int64)
        cuts.append(np.minimum(_steps(axis, before), lengths))
    return cuts[0], cuts[1]


def _steps(axis: Axis, before: Integers) -> Integers:
    """The step of the row that has so many of its series before it; the end where there is none."""
    at = np.minimum(axis.begins[:-1] + before, axis.rows - 1)
    return np.where(before == np.diff(axis.begins), axis.lengths, axis.step[at])


def cut_by_rows(lengths: Integers, rows: tuple[int, int, int]) -> Cuts:
    """The same lengths for every series, from its start; 0 for those that are shorter.

    Raises InputError where all are shorter.
    """
    if (lengths < sum(rows)).all():
        raise InputError(
            f"{rows[0]:,} + {rows[1]:,} + {rows[2]:,} = {sum(rows):,} steps were asked for, but "
            f"the longest series has {lengths.max():,}; give fewer with {argument('rows')}"
        )
    return np.cumsum(rows) * (lengths >= sum(rows))[:, None]


def cut_by_column(table: Table, layout: Layout, axis: Axis, lengths: Integers) -> Cuts:
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
        together = layout.time is not None
        cuts[:, 0], _ = cut_by_shares(axis, cuts[:, 0], (7 / 8, 1 / 8), together)
    return cuts


def check_cuts(layout: Layout, cuts: Cuts, *, test: bool = True) -> None:
    """Raise InputError where the parts hold no example of any series; ``test``: it needs some."""
    context, horizon = layout.context, layout.horizon
    training = cuts[:, 0].max()
    if training < context + horizon:
        raise InputError(
            f"the training part has {counted(training, 'step')}, but a context of {context:,} and "
            f"a horizon of {horizon:,} need {context + horizon:,}; give a shorter "
            f"{argument('context')} or {argument('horizon')}, or more rows"
        )
    for number in (1, 2) if test else (1,):
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
