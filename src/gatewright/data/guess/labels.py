"""Which values the targets have, counted: what tells labels from numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from gatewright.data.calendar import Floats
from gatewright.data.guess.roles import Column, Roles
from gatewright.data.table.reading import Table

MOST_CLASSES = 50  # of labels that are whole numbers
OF_EACH = 5  # examples for each of them, on average


@dataclass(frozen=True)
class LabelCounts:
    """The values of the first target and how many labels there are of each, the rarest first.

    ``counts``: the columns "label" and "rows", at most one more than ``MOST_CLASSES`` of them.
    """

    table: Table
    targets: Mapping[str, Column]
    counts: pl.DataFrame
    examples: int
    every_step: bool  # each step has a label of its own; else a sequence has one

    @classmethod
    def of(
        cls,
        table: Table,
        columns: Mapping[str, Column],
        roles: Roles,
        labels: pl.LazyFrame,
        *,
        every_step: bool,
    ) -> LabelCounts:
        """labels: the columns of the targets, a row a step or a sequence."""
        counted = labels.group_by(pl.col(roles.targets[0]).alias("label")).len("rows")
        counts = table.collect(counted.sort("rows", "label").head(MOST_CLASSES + 1))
        examples = int(table.collect(labels.select(pl.len())).item())
        targets = {name: columns[name] for name in roles.targets}
        return cls(table, targets, counts, examples, every_step)

    @property
    def first(self) -> tuple[str, Column]:
        """The first target."""
        return next(iter(self.targets.items()))

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        _, column = self.first
        return not column.text and bool((self._numbers() % 1 == 0).all())

    @property
    def few(self) -> bool:
        """Whether its values are whole numbers that stand for classes."""
        return self.whole and few_classes(self._numbers(), self.examples)

    def _numbers(self) -> Floats:
        return self.counts["label"].cast(pl.Float64).to_numpy()


def few_classes(labels: Floats, examples: int) -> bool:
    """Whether the different numbers that so many examples have, (n,), stand for classes."""
    few = len(labels) <= MOST_CLASSES and len(labels) * OF_EACH <= examples
    return few and bool((labels % 1 == 0).all())
