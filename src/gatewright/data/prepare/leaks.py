"""Inputs that hold the answer: what is known when predicting and tells the target exactly.

Looked for while the arrays are written, on all rows, without another pass: a step or a column of
labelled sequences, or an input of a forecast that is known ahead.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from gatewright.data.calendar import Floats, Integers
from gatewright.data.layout import Layout
from gatewright.data.prepare.blocks import Block
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepared import Preparation
from gatewright.data.question import Question, Relation
from gatewright.errors import argument

Mask = NDArray[np.bool_]


@dataclasses.dataclass
class Leaks:
    """What the blocks of a partition are shown to, in order."""

    layout: Layout
    partition: Partition
    question: Question
    preparation: Preparation
    names: tuple[str, ...]  # of the columns that are looked at
    labels: Floats | None  # (items, targets) in the units of the table; None: in the rows
    relation: Relation

    @classmethod
    def of(cls, partition: Partition, question: Question, preparation: Preparation) -> Leaks:
        layout, target = preparation.layout, question.target
        names = (*layout.steps, *question.examples.known_when_predicting(layout))
        labels = None
        if partition.labels is not None:
            labels = target.as_numbers(partition.labels, preparation)
        relation = target.relation(preparation, len(names))
        return cls(layout, partition, question, preparation, names, labels, relation)

    def add(self, block: Block, codes: Integers) -> None:
        """Look at the next block, with the codes of its categories, 0 where there is none."""
        if self.names:
            with np.errstate(over="ignore", invalid="ignore"):
                self.relation.add(*self._rows(block, codes))

    def _rows(self, block: Block, codes: Integers) -> tuple[Floats, Floats, Mask]:
        """The columns ``names``, the targets, and whether an example begins, of each row."""
        begins = block.rows == self.partition.bounds[block.item, 0]
        if self.question.examples.sees_targets:
            target, columns = np.split(block.numbers, [len(self.layout.targets)], axis=1)
            known = [name in self.names for name in self.layout.numbers]
            return columns[:, known], target, begins
        columns = np.concatenate([block.numbers, np.where(codes > 0, codes, np.nan)], axis=1)
        if self.labels is None:
            return columns, self._targets(block), begins
        if not self.layout.steps:
            return columns, self.labels[block.item], begins
        # As the table has it, a row a sequence.
        columns = np.concatenate([self._steps(block), columns[begins, 1:]], axis=1)
        return columns, self.labels[block.item[begins]], begins[begins]

    def _targets(self, block: Block) -> Floats:
        targets = np.full((len(block.item), len(self.layout.targets)), np.nan)
        if block.targets is not None:
            numbers = self.question.target.as_numbers(block.targets, self.preparation)
            targets[block.present] = numbers
        return targets

    def _steps(self, block: Block) -> Floats:
        """The values of a wide table's block, (sequences, steps)."""
        count = block.item[-1] - block.item[0] + 1
        rows = np.full((count, len(self.layout.steps)), np.nan)
        rows[block.item - block.item[0], block.time] = block.numbers[:, 0]
        return rows

    def notes(self) -> list[str]:
        """A sentence for each column that seems to hold the answer."""
        notes = []
        for target, name in np.argwhere(self.relation.related()) if self.names else ():
            column, what = self.names[name], self.layout.targets[target]
            instead = f" instead of {argument('known')}" if column in self.layout.known else ""
            notes.append(
                f"{column} seems to hold the answer: {self.relation.words} {what}; leave it out "
                f"with {argument('ignore', column)}{instead}, unless it is really known before "
                f"{what} is"
            )
        return notes
