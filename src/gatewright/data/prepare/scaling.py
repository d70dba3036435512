"""Means and standard deviations in one pass, and what takes the place of missing values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatewright.data.calendar import Floats, Integers

LARGEST = float(np.finfo(np.float32).max)  # number that the arrays hold


class Moments:
    """Counts, means and deviations of columns, for each item, from rows given in blocks.

    The sums of squares are taken about the mean of each block and merged (Chan, Golub and LeVeque
    1983): numbers far from 0 lose no digits. Of numbers too large to square the deviation is
    infinite, and nothing is printed of it.
    """

    def __init__(self, items: int, columns: int) -> None:
        self.count = np.zeros((items, columns))
        self.mean = np.zeros((items, columns))
        self.squares = np.zeros((items, columns))
        self.low = np.full((items, columns), np.inf)
        self.high = np.full((items, columns), -np.inf)

    @np.errstate(over="ignore", invalid="ignore")
    def add(self, item: Integers, numbers: Floats) -> None:
        """Add rows: ``item`` (rows,), ascending; ``numbers`` (rows, columns), NaN where missing."""
        if not len(item):
            return
        begins = np.flatnonzero(np.diff(item, prepend=item[0] - 1))
        here = item[begins]
        missing = np.isnan(numbers)
        count = np.add.reduceat(~missing, begins, axis=0, dtype=np.float64)
        total = np.add.reduceat(np.where(missing, 0.0, numbers), begins, axis=0)
        mean = total / np.maximum(count, 1)
        away = np.where(missing, 0.0, numbers - np.repeat(mean, _sizes(begins, len(item)), axis=0))
        squares = np.add.reduceat(away**2, begins, axis=0)
        low = np.minimum.reduceat(np.where(missing, np.inf, numbers), begins, axis=0)
        high = np.maximum.reduceat(np.where(missing, -np.inf, numbers), begins, axis=0)

        both = np.maximum(self.count[here] + count, 1)
        apart = mean - self.mean[here]
        # In this order, because the square of a large number is infinite, and no share of it is 0.
        self.squares[here] += squares + apart * (apart * (self.count[here] * count / both))
        self.mean[here] += apart * count / both
        self.count[here] += count
        self.low[here] = np.minimum(self.low[here], low)
        self.high[here] = np.maximum(self.high[here], high)

    @np.errstate(over="ignore", invalid="ignore")
    def pooled(self) -> Moments:
        """Those of all items together, as one item."""
        result = Moments(1, self.count.shape[1])
        result.count = self.count.sum(axis=0, keepdims=True)
        of = np.maximum(result.count, 1)
        result.mean = (self.mean * self.count).sum(axis=0, keepdims=True) / of
        away = (self.mean - result.mean) ** 2 * self.count
        result.squares = (self.squares + away).sum(axis=0, keepdims=True)
        if len(self.low):
            result.low = self.low.min(axis=0, keepdims=True)
            result.high = self.high.max(axis=0, keepdims=True)
        return result

    def deviation(self) -> Floats:
        """Standard deviations, (items, columns): exactly 0 where all values are the same.

        The spread decides, because rounding leaves a tiny sum of squares for a constant.
        """
        root = np.sqrt(self.squares / np.maximum(self.count, 1))
        # What overflows on both sides has no sum.
        deviations: Floats = np.where(np.isnan(root), np.inf, root)
        return np.where(self.high > self.low, deviations, 0.0)


def center_and_scale(moments: Moments) -> tuple[Floats, Floats, Floats, Floats]:
    """(center, scale) of each item, (items, columns), and of all together, (columns,).

    An item that does not vary takes the scale of all together, or 1; one without any value takes
    their mean too.
    """
    pooled = moments.pooled()
    mean, deviation = pooled.mean[0], pooled.deviation()[0]
    overall = np.where(deviation > 0, deviation, 1.0)
    own = moments.deviation()
    scale = np.where(own > 0, own, overall)
    center = np.where(moments.count > 0, moments.mean, mean)
    return center, scale, mean, overall


class LastSeen:
    """Puts the last value seen before it in the same item in the place of a missing one."""

    def __init__(self, columns: int) -> None:
        self._item = -1
        self._values = np.full(columns, np.nan)

    def fill(self, item: Integers, values: Floats) -> Floats:
        """(rows, columns) without NaN: 0 where nothing was seen before. Blocks come in order."""
        rows = np.arange(len(item))
        begins = np.searchsorted(item, item)  # where the item of each row begins in this block
        filled = values.copy()
        for column in np.flatnonzero(np.isnan(values).any(axis=0)):
            present = ~np.isnan(values[:, column])
            last = np.maximum.accumulate(np.where(present, rows, -1))
            inside = last >= begins
            carried = np.where(item == self._item, self._values[column], np.nan)
            filled[:, column] = np.where(inside, values[last, column], carried)
        self._item, self._values = int(item[-1]), filled[-1].copy()
        return np.nan_to_num(filled, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _sizes(begins: Integers, rows: int) -> NDArray[np.int64]:
    return np.diff(np.append(begins, rows))


def too_large(where: str, name: str, value: float) -> str:
    """The sentence for numbers whose squares have no sum; ``where``: the row of one of them."""
    return (
        f"{where}: {name} holds numbers too large to square, as {value:g}; correct it, or "
        "give the column in a larger unit, or its logarithm"
    )
