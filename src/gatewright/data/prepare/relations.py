"""What ties a column to a target so that it gives it away; looked for block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatewright.data.calendar import Floats

EVIDENCE = 10  # examples with another answer; with fewer, chance would make ordinary columns fit
DECIMALS = 9  # after the decimal point; numbers with more are taken for unrounded
RELATED = 0.999  # of the variance, at least, however coarsely numbers are rounded
CLOSE = 1e-5  # of the spread: what the arithmetic of 32-bit numbers leaves


Mask = NDArray[np.bool_]


class LinearMap:
    """Whether a target is a linear map of a column, but for the rounding of both."""

    words = "on all rows it is a linear map of"

    def __init__(self, targets: int, columns: int) -> None:
        self.count, self.changes = np.zeros((2, targets, columns))
        self.x, self.y, self.xx, self.yy, self.xy = np.zeros((5, targets, columns))
        self.decimals_x, self.decimals_y = np.zeros(columns), np.zeros(targets)

    def add(self, columns: Floats, target: Floats, first: Mask) -> None:
        self.decimals_x = decimal_places(columns, self.decimals_x)
        self.decimals_y = decimal_places(target, self.decimals_y)
        for at in range(target.shape[1]):
            both = ~np.isnan(columns) & ~np.isnan(target[:, at, None])
            differ = np.diff(target[:, at])[:, None] != 0
            self.changes[at] += (differ & both[1:] & both[:-1]).sum(axis=0)
            self._merge(at, both, columns, target[:, at, None])

    def _merge(self, at: int, both: Mask, x: Floats, y: Floats) -> None:
        """Add sums of squares about the means of the block, as ``Moments`` does."""
        count = both.sum(axis=0)
        of = np.maximum(count, 1)
        mean_x, mean_y = (np.where(both, each, 0.0).sum(axis=0) / of for each in (x, y))
        away_x, away_y = np.where(both, x - mean_x, 0.0), np.where(both, y - mean_y, 0.0)
        apart_x, apart_y = mean_x - self.x[at], mean_y - self.y[at]
        share = self.count[at] * count / np.maximum(self.count[at] + count, 1)
        self.xx[at] += (away_x**2).sum(axis=0) + apart_x**2 * share
        self.yy[at] += (away_y**2).sum(axis=0) + apart_y**2 * share
        self.xy[at] += (away_x * away_y).sum(axis=0) + apart_x * apart_y * share
        self.count[at] += count
        weight = count / np.maximum(self.count[at], 1)
        self.x[at] += apart_x * weight
        self.y[at] += apart_y * weight

    def related(self) -> Mask:
        with np.errstate(all="ignore"):
            slope = self.xy / self.xx
            left = self.yy - slope * self.xy
            # Rounding to a unit moves a number by a twelfth of its square in the mean square;
            # twice that, as it is estimated from few rows.
            rounded = (
                _unit(self.decimals_y)[:, None] ** 2 + (slope * _unit(self.decimals_x)) ** 2
            ) / 6
            near = left <= self.count * rounded + CLOSE**2 * self.yy
            related: Mask = near & (left <= (1 - RELATED) * self.yy) & (self.changes >= EVIDENCE)
        return related


class OneForEach:
    """Whether a column has one value for each class, and another for every other."""

    words = "on all rows it has one value for each value of"

    def __init__(self, classes: int, columns: int) -> None:
        self.low, self.high = np.full((2, classes, columns), np.nan)
        self.examples = np.zeros((classes, columns))
        self.left = np.arange(columns)  # those that have one value for each class so far

    def add(self, columns: Floats, target: Floats, first: Mask) -> None:
        known, left = ~np.isnan(target[:, 0]), self.left
        if not len(left) or not known.any():
            return
        if not known.all():
            columns, target, first = columns[known], target[known], first[known]
        label = target[:, 0].astype(np.int64)
        order = np.argsort(label, kind="stable")
        begins = np.flatnonzero(np.diff(label[order], prepend=-1))
        here, values = label[order][begins], columns[:, left][order]
        cells = np.ix_(here, left)
        self.low[cells] = np.fmin(self.low[cells], np.fmin.reduceat(values, begins))
        self.high[cells] = np.fmax(self.high[cells], np.fmax.reduceat(values, begins))
        counted = ~np.isnan(values) & first[order][:, None]
        self.examples[cells] += np.add.reduceat(counted, begins, dtype=np.float64)
        self.left = left[~(self.low[:, left] < self.high[:, left]).any(axis=0)]

    def related(self) -> Mask:
        evident = self.examples.sum(axis=0) - self.examples.max(axis=0) >= EVIDENCE
        related = np.zeros((1, self.low.shape[1]), dtype=bool)
        for column in self.left:
            values = self.low[:, column]
            apart = len(np.unique(values)) == len(values) and not np.isnan(values).any()
            related[0, column] = apart and evident[column]
        return related


def decimal_places(numbers: Floats, decimals: Floats) -> Floats:
    """The decimal places of columns (rows, columns), at least those given; DECIMALS + 1: more."""
    while True:
        scaled = numbers * 10.0**decimals
        away = np.abs(scaled - np.rint(scaled))
        more = ~(np.isnan(scaled) | (away <= 1e-9 + 1e-12 * np.abs(scaled))).all(axis=0)
        more &= decimals <= DECIMALS
        if not more.any():
            return decimals
        decimals = decimals + more


def _unit(decimals: Floats) -> Floats:
    """What numbers are rounded to; 0 for those that are not."""
    return np.where(decimals <= DECIMALS, 10.0**-decimals, 0.0)
