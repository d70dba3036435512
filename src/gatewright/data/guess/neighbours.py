"""Whether the rows of a table follow each other in time, where no column says so."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Floats
from gatewright.data.guess.labels import few_classes
from gatewright.data.layout import Layout
from gatewright.data.table.reading import Table
from gatewright.errors import argument

VALUES = 1 << 22  # of the first rows that are looked at
ALIKE = 0.6  # correlation of neighbouring rows from which they count as a series,
HARDLY = 0.3  # or from here, where rows further apart are less alike
LESS = 0.8  # times as much as neighbours, at most, two rows apart
FEW = 20  # different whole numbers, at most, that are rather classes than a series
DEVIATIONS = 4.0  # above what rows in no order would have by chance


def likeness(table: Table, columns: tuple[str, ...], targets: tuple[str, ...]) -> float | None:
    """The correlation of each row with the next over these columns, where it tells of a series.

    Rows are often sorted by their label, and are then like their neighbours for that reason alone.
    So labels that are classes are compared with themselves only, around the mean of each, and a
    target that never falls or never rises tells nothing. Rows that stand together because they
    come from one person or one day are somewhat alike too, but the next but one as much as the
    next; in a series that fades. Of a long table the first rows count, ``VALUES`` of them over all
    columns.

    Returns:
        the correlation, or None where it may well be that of rows in no order of time.
    """
    rows = max(2, VALUES // len(columns))
    names = [*targets, *columns]
    query = table.frame.select(pl.col(name).cast(pl.Float64) for name in names).head(rows)
    numbers = table.collect(query).to_numpy()
    labels, values = numbers[:, : len(targets)], numbers[:, len(targets) :]
    group = np.zeros(len(values), dtype=np.int64)
    for label in labels.T:
        known = label[~np.isnan(label)]
        if few_classes(np.unique(known), len(known)):
            codes = np.unique(label, return_inverse=True)[1]
            group = group * (codes.max() + 1) + codes
        elif _sorted(known):
            return None
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers too large to square
        values = _centred(values, group)
        next_one, chance = _correlation(values, group, 1)
        next_but_one, _ = _correlation(values, group, 2)
    fades = next_one >= HARDLY and next_but_one <= LESS * next_one
    return next_one if next_one >= chance and (next_one >= ALIKE or fades) else None


def of_examples(table: Table, layout: Layout) -> list[str]:
    """A note on a forecast whose rows may be labelled examples in any order: no column orders
    them, there are inputs, and each target holds few whole numbers."""
    if layout.time or layout.series or not (layout.numbers or layout.categories):
        return []
    counts = []
    for name in layout.targets:
        values = table.frame.select(pl.col(name).cast(pl.Float64).drop_nulls().drop_nans())
        distinct = table.collect(values.unique().head(FEW + 1)).to_series().to_numpy()
        if len(distinct) > FEW or not few_classes(distinct, table.rows):
            return []
        counts.append(f"{name} holds only {len(distinct)} different whole numbers")
    return [
        f"{' and '.join(counts)}, and no column orders the rows: if each row is an example of its "
        "own, this is no table of sequences, and Gatewright compares networks on sequences; name "
        f"what orders the rows with {argument('time')}, or what makes a sequence with "
        f"{argument('sequence')}"
    ]


def _correlation(values: Floats, group: NDArray[np.int64], apart: int) -> tuple[float, float]:
    """Of rows so far apart and of one group: (correlation, the least that is not by chance)."""
    first = np.flatnonzero(group[apart:] == group[:-apart])
    products = values[first] * values[first + apart]
    pairs = np.count_nonzero(~np.isnan(products).all(axis=1))
    if not pairs or not np.nansum(values**2):
        return 0.0, math.inf
    # As many pairs as if all columns told the same: their number is not known.
    return float(np.nanmean(products) / np.nanmean(values**2)), DEVIATIONS / math.sqrt(pairs)


def _sorted(label: Floats) -> bool:
    steps = np.diff(label)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _centred(values: Floats, group: NDArray[np.int64]) -> Floats:
    """Around the mean of the group, in units of the spread of the column; constants are 0."""
    values = np.where(np.isfinite(values), values, np.nan)
    for number in np.unique(group):
        here = group == number
        values[here] -= _mean(values[here])
    spread = np.sqrt(_mean(values**2))
    return values / np.where(spread > 0, spread, np.inf)


def _mean(values: Floats) -> Floats:
    """Of each column, 0 where it has no value."""
    counts = np.maximum(1, np.count_nonzero(~np.isnan(values), axis=0))
    means: Floats = np.nansum(values, axis=0) / counts
    return means
