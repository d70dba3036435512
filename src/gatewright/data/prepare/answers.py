"""Inputs that hold the answer: what is known when predicting and tells the target exactly.

Looked for while the arrays are written, on all rows, without another pass: a step or a column of
labelled sequences, or an input of a forecast that is known ahead.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gatewright.data.calendar import Floats, Integers
from gatewright.data.layout import Layout
from gatewright.data.prepare.blocks import Block
from gatewright.data.prepare.columns import is_forecast
from gatewright.data.prepare.labels import class_numbers
from gatewright.data.prepare.plans import Plan

EVIDENCE = 10  # examples with another answer; with fewer, chance would make ordinary columns fit
PLACES = 9  # after the decimal point; numbers with more are taken for unrounded
RELATED = 0.999  # of the variance, at least, however coarsely numbers are rounded
CLOSE = 1e-5  # of the spread: what the arithmetic of 32-bit numbers leaves

Mask = NDArray[np.bool_]


class _Relation(Protocol):
    """Something that each column may have to each target, looked for block by block."""

    words: str  # that come before the name of the target

    def add(self, columns: Floats, target: Floats, first: Mask) -> None:
        """Add rows: (rows, columns) and (rows, targets), NaN where missing; ``first`` (rows,)
        marks the first row of each example."""

    def found(self) -> Mask:
        """(targets, columns)"""


class _Lines:
    """Whether a target is a linear map of a column, but for the rounding of both."""

    words = "on all rows it is a linear map of"

    def __init__(self, targets: int, columns: int) -> None:
        self.count, self.changes = np.zeros((2, targets, columns))
        self.x, self.y, self.xx, self.yy, self.xy = np.zeros((5, targets, columns))
        self.places_x, self.places_y = np.zeros(columns), np.zeros(targets)

    def add(self, columns: Floats, target: Floats, first: Mask) -> None:
        self.places_x = _places(columns, self.places_x)
        self.places_y = _places(target, self.places_y)
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

    def found(self) -> Mask:
        with np.errstate(all="ignore"):
            slope = self.xy / self.xx
            left = self.yy - slope * self.xy
            # Rounding to a unit moves a number by a twelfth of its square in the mean square;
            # twice that, as it is estimated from few rows.
            rounded = (_unit(self.places_y)[:, None] ** 2 + (slope * _unit(self.places_x)) ** 2) / 6
            near = left <= self.count * rounded + CLOSE**2 * self.yy
            found: Mask = near & (left <= (1 - RELATED) * self.yy) & (self.changes >= EVIDENCE)
        return found


class _Classes:
    """Whether a column has one value for each class, and another for every other."""

    words = "on all rows it has one value for each value of"

    def __init__(self, classes: int, columns: int) -> None:
        self.low, self.high = np.full((2, classes, columns), np.nan)
        self.examples = np.zeros((classes, columns))
        self.left = np.arange(columns)  # those that have one value for each class so far

    def add(self, columns: Floats, target: Floats, first: Mask) -> None:
        label, left = target[:, 0].astype(np.int64), self.left
        if not len(left):
            return
        order = np.argsort(label, kind="stable")
        begins = np.flatnonzero(np.diff(label[order], prepend=-1))
        here, values = label[order][begins], columns[:, left][order]
        place = np.ix_(here, left)
        self.low[place] = np.fmin(self.low[place], np.fmin.reduceat(values, begins))
        self.high[place] = np.fmax(self.high[place], np.fmax.reduceat(values, begins))
        counted = ~np.isnan(values) & first[order][:, None]
        self.examples[place] += np.add.reduceat(counted, begins, dtype=np.float64)
        self.left = left[~(self.low[:, left] < self.high[:, left]).any(axis=0)]

    def found(self) -> Mask:
        evident = self.examples.sum(axis=0) - self.examples.max(axis=0) >= EVIDENCE
        found = np.zeros((1, self.low.shape[1]), dtype=bool)
        for column in self.left:
            values = self.low[:, column]
            apart = len(np.unique(values)) == len(values) and not np.isnan(values).any()
            found[0, column] = apart and evident[column]
        return found


@dataclasses.dataclass
class Answers:
    """What the blocks of a plan are shown to, in order."""

    layout: Layout
    plan: Plan
    names: tuple[str, ...]  # of the columns that are looked at
    target: Floats | None  # (items, targets), or the number of the class; None: in the rows
    relation: _Relation

    @classmethod
    def of(cls, layout: Layout, plan: Plan) -> Answers:
        names = (*layout.numbers, *(() if is_forecast(layout) else layout.categories))
        if is_forecast(layout):
            names = tuple(name for name in names if name in layout.known)
        names = (*layout.steps, *names)
        target, labels = None, plan.labels
        if labels is None:
            return cls(layout, plan, names, None, _Lines(len(layout.targets), len(names)))
        assert plan.kept is not None
        if labels.labels is not None:
            target = class_numbers(labels.labels.gather(plan.kept), plan.classes)[:, None]
            return cls(layout, plan, names, target, _Classes(len(plan.classes), len(names)))
        assert labels.numbers is not None
        target = labels.numbers[plan.kept]
        return cls(layout, plan, names, target, _Lines(target.shape[1], len(names)))

    def add(self, block: Block, codes: Integers) -> None:
        """Look at the next block, with the codes of its categories, 0 where there is none."""
        if self.names:
            with np.errstate(over="ignore", invalid="ignore"):
                self.relation.add(*self._rows(block, codes))

    def _rows(self, block: Block, codes: Integers) -> tuple[Floats, Floats, Mask]:
        """The columns ``names``, the targets, and whether an example begins, of each row."""
        begins = block.rows == self.plan.bounds[block.item, 0]
        if self.target is None:
            target, columns = np.split(block.numbers, [len(self.layout.targets)], axis=1)
            known = [name in self.names for name in self.layout.numbers]
            return columns[:, known], target, begins
        columns = np.concatenate([block.numbers, np.where(codes > 0, codes, np.nan)], axis=1)
        if not self.layout.steps:
            return columns, self.target[block.item], begins
        # As the table has it, a row a sequence.
        columns = np.concatenate([self._steps(block), columns[begins, 1:]], axis=1)
        return columns, self.target[block.item[begins]], begins[begins]

    def _steps(self, block: Block) -> Floats:
        """The values of a wide table's block, (sequences, steps)."""
        count = block.item[-1] - block.item[0] + 1
        rows = np.full((count, len(self.layout.steps)), np.nan)
        rows[block.item - block.item[0], block.time] = block.numbers[:, 0]
        return rows

    def notes(self) -> list[str]:
        """A sentence for each column that seems to hold the answer."""
        notes = []
        for target, name in np.argwhere(self.relation.found()) if self.names else ():
            column, what = self.names[name], self.layout.targets[target]
            instead = " instead of --known" if column in self.layout.known else ""
            notes.append(
                f"{column} seems to hold the answer: {self.relation.words} {what}; leave it out "
                f"with --ignore {column}{instead}, unless it is really known before {what} is"
            )
        return notes


def _places(numbers: Floats, places: Floats) -> Floats:
    """The decimal places of columns (rows, columns), at least those given, PLACES + 1 for more."""
    while True:
        scaled = numbers * 10.0**places
        away = np.abs(scaled - np.rint(scaled))
        more = ~(np.isnan(scaled) | (away <= 1e-9 + 1e-12 * np.abs(scaled))).all(axis=0)
        more &= places <= PLACES
        if not more.any():
            return places
        places = places + more


def _unit(places: Floats) -> Floats:
    """What numbers are rounded to; 0 for those that are not."""
    return np.where(places <= PLACES, 10.0**-places, 0.0)
