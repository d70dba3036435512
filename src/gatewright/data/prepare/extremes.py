"""What looks like a limit of a column: a value that training reaches, and does not pass.

A floor is guessed, and a ceiling likewise with all signs turned, where in training

- the least value is reached in many separate places, early and late, and twice as often as the one
  next to it at least: a capacity, a limit of detection;
- it is -1 or -100 (a ceiling: 1 or 100) and all lie between that and 0, with more than one value
  between where it is 1: shares and percentages that are full in a few separate places;
- no value is below 0, and they come to it or near it: the least one is 0 or within a hundredth of
  the range; or all are whole and 0 is no farther from the least than the greatest is; or they
  crowd towards 0, with a standard deviation above 3/4 of the mean, which no sine or evenly spread
  column between 0 and its greatest value has (0.71 and 0.58).

So a series that grows is never capped where it happens to be: its greatest values come late, once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.data.calendar import Floats, Integers
from gatewright.data.guess.roles import some
from gatewright.data.layout import Guess, Layout
from gatewright.data.within import in_words
from gatewright.requests import NO_LIMITS, Limits

PLACES, FULL = 10, 3  # separate places that a limit is reached in: any value, and 1 or 100
SHARE = 0.01  # of all values that are there
OVER = 2  # times the next value as often
NEAR = 0.01  # of the range from the least to the greatest value
CROWDED = 0.75  # standard deviation over mean
FULL_SHARES = (1.0, 100.0)
HITS, EARLY, LATE = range(3)

Mask = NDArray[np.bool_]


@dataclasses.dataclass
class _End:
    """The two greatest values of a column so far, and how often each comes: in how many rows, and
    in how many separate places in the first and in the second half of training."""

    counts: dict[float, Integers] = dataclasses.field(default_factory=dict)

    def add(self, values: Floats, again: Mask, late: Mask) -> None:
        """``again``: whether the row before belongs to the same item."""
        for _ in range(2):
            value = float(np.fmax.reduce(values, initial=np.nan))
            if np.isnan(value):
                break
            there = values == value
            begins = there & ~(np.roll(there, 1) & again)
            here = np.array([there.sum(), begins[~late].sum(), begins[late].sum()])
            self.counts[value] = self.counts.get(value, 0) + here
            values = np.where(there, np.nan, values)
        self.counts = {value: self.counts[value] for value in sorted(self.counts)[-2:]}

    @property
    def greatest(self) -> float:
        return max(self.counts)

    def reached(self, places: int) -> bool:
        """Whether the greatest value comes in so many separate places, early and late."""
        _, early, late = self.counts[self.greatest]
        return bool(early + late >= places and early and late)

    def piled(self, count: int) -> bool:
        """Whether it comes so often, of so many values, that it looks like a limit."""
        hits, following = self.counts[self.greatest][HITS], self.counts[min(self.counts)][HITS]
        often = hits >= max(SHARE * count, OVER * following)
        return bool(often and self.reached(PLACES))


class Extremes:
    """The ends of some columns, from rows given in blocks."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns, dtype=np.int64)
        self.whole = np.ones(columns, dtype=bool)
        self.lows = [_End() for _ in range(columns)]
        self.highs = [_End() for _ in range(columns)]

    def add(self, item: Integers, numbers: Floats, late: Mask) -> None:
        """Add rows of training.

        item: (rows,), what each belongs to; numbers: (rows, columns), NaN where missing; late:
        (rows,), whether it lies in the second half of its item.
        """
        if not len(item):
            return
        again = np.concatenate([[False], item[1:] == item[:-1]])
        present = ~np.isnan(numbers)
        self.count += present.sum(axis=0)
        self.whole &= ((np.floor(numbers) == numbers) | ~present).all(axis=0)
        for column, (low, high) in enumerate(zip(self.lows, self.highs, strict=True)):
            low.add(-numbers[:, column], again, late)
            high.add(numbers[:, column], again, late)

    def limits(self, mean: Floats, scale: Floats) -> tuple[Limits, ...]:
        """(floor, ceiling) of each column; mean and standard deviation: (columns,)."""
        found = []
        for column in range(len(self.count)):
            low, high = self.lows[column], self.highs[column]
            if not self.count[column] or -low.greatest == high.greatest:
                found.append(NO_LIMITS)
                continue
            rest = int(self.count[column]), bool(self.whole[column])
            floor = _limit(low, high, *rest, -mean[column], scale[column])
            ceiling = _limit(high, low, *rest, mean[column], scale[column])
            found.append((None if floor is None else 0.0 - floor, ceiling))
        return tuple(found)


def limits_of(numbers: Floats, mean: Floats, scale: Floats) -> tuple[Limits, ...]:
    """Those of numbers that have no order, (rows, columns): every other one counts as late."""
    extremes, each = Extremes(numbers.shape[1]), np.arange(len(numbers))
    extremes.add(each, numbers, each % 2 == 1)
    return extremes.limits(mean, scale)


def _limit(
    end: _End, other: _End, count: int, whole: bool, mean: float, scale: float
) -> float | None:
    """What no value passes at this end, of values with such a mean and standard deviation."""
    greatest, least = end.greatest, -other.greatest
    if end.piled(count):
        return greatest
    share = greatest in FULL_SHARES and not (whole and greatest == 1)
    if share and least >= 0 and end.reached(FULL):
        return greatest
    if greatest > 0:
        return None
    near = -greatest <= NEAR * (greatest - least)
    counted = whole and -greatest <= greatest - least
    return 0.0 if near or counted or scale > CROWDED * -mean else None


def settled(layout: Layout, guessed: Sequence[Limits]) -> dict[str, Any]:
    """What a preparation keeps of the limits: those that were said, else what was guessed."""
    if not guessed:
        return {}
    pairs = zip(layout.targets, guessed, strict=True)
    limits = tuple(layout.limits.get(name, pair) for name, pair in pairs)
    held = tuple(limits) if any(pair != NO_LIMITS for pair in limits) else ()
    alike: dict[Limits, list[str]] = {}
    for name, pair in zip(layout.targets, limits, strict=True):
        if name not in layout.limits and pair != NO_LIMITS:
            alike.setdefault(pair, []).append(name)
    guesses = tuple(
        Guess(
            what="limits",
            value=f"{some(names)}: {in_words(pair)}",
            argument="limits",
            why="in training no value lies beyond",
        )
        for pair, names in alike.items()
    )
    return {"limits": held, "guesses": guesses}
