"""What a task asks of data: the examples it learns from, and what is to be told of each.

A task brings one ``Examples`` and one ``Target``. Whoever guesses, prepares, predicts or reports
asks these two, and never which task it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.batching import Batch
from gatewright.data.calendar import Floats, Integers
from gatewright.data.guess.labels import LabelCounts
from gatewright.data.guess.roles import Column, Notes, Roles
from gatewright.data.layout import Layout
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepared import Part, Preparation, Prepared
from gatewright.data.table.reading import Table
from gatewright.requests import Columns, Split

Where = Callable[[int], str]  # a row in words, for errors


class Relation(Protocol):
    """Something that a column may have to a target and that would tell it, looked for in blocks."""

    words: str  # that come before the name of the target

    def add(self, columns: Floats, target: Floats, first: NDArray[np.bool_]) -> None:
        """Add rows: (rows, columns) and (rows, targets), NaN where missing; ``first`` (rows,)
        marks the first row of each example."""

    def related(self) -> NDArray[np.bool_]:
        """(targets, columns)"""


class TaskChoice(Protocol):
    """The tasks that may be meant: ``gatewright.data.guess.choice``."""

    @property
    def said(self) -> Columns: ...

    @property
    def split(self) -> Split: ...

    @property
    def shape(self) -> str: ...

    def usual(self, notes: Notes, why: str) -> str: ...

    def by_labels(self, labels: LabelCounts, notes: Notes) -> str: ...

    def to_say(self, shape: str) -> str: ...


class Target(ABC):
    """How the values of a table become what a network learns to tell, and back.

    Values are a frame of the columns of the targets, as the table has them. Encoded they are
    numbers, NaN where missing.
    """

    numeric: ClassVar[bool]  # its columns hold numbers
    general: ClassVar[bool]  # suits what nothing else does

    @abstractmethod
    def suits(self, labels: LabelCounts) -> str:
        """What kind of values speaks for such a target, in words; empty where they do not."""

    @abstractmethod
    def check(self, labels: LabelCounts, task: str, otherwise: str) -> None:
        """Raise InputError for values that such a target cannot have.

        task: the name of the task; otherwise: what to say for another.
        """

    @abstractmethod
    def known(self, values: pl.DataFrame) -> NDArray[np.bool_]:
        """Whether there is anything to learn from, (rows,)."""

    @abstractmethod
    def strata(self, values: pl.DataFrame) -> tuple[tuple[str, ...], Integers]:
        """The names of what each part of a split needs some of, and the number of each row's."""

    @abstractmethod
    def fit(self, values: pl.DataFrame, every: pl.DataFrame, where: Where) -> dict[str, Any]:
        """What a preparation keeps of the targets of the training part.

        every: the values of all parts, each at least once: which there are is no secret.

        Raises InputError for numbers too large to scale.
        """

    @abstractmethod
    def as_numbers(self, values: pl.DataFrame, preparation: Preparation) -> Floats:
        """(rows, targets), not scaled."""

    @abstractmethod
    def encode(self, values: pl.DataFrame, preparation: Preparation, where: Where) -> Floats:
        """(rows, targets) as the array ``target`` has them.

        Raises InputError for what is too far from the training part.
        """

    @abstractmethod
    def relation(self, preparation: Preparation, columns: int) -> Relation:
        """What would give the target away, looked for in so many columns."""

    @abstractmethod
    def in_units(self, encoded: Floats, center: Floats, scale: Floats) -> Floats:
        """Targets or predictions in the units of the table; center and scale are of their shape,
        but for what a prediction has more."""

    def limited(self, prediction: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """A prediction within limits; low and high: broadcast over all but what predictions have
        more than targets."""
        return prediction

    @abstractmethod
    def columns(
        self, prediction: Tensor, center: Tensor, scale: Tensor, preparation: Preparation
    ) -> dict[str, Any]:
        """The columns of a table of predictions, by name.

        prediction: (rows, ...); center and scale: (rows, targets) in float64.
        """


class Examples(ABC):
    """Which examples there are in a table and in its arrays, and how they are cut and gathered.

    An example is a number, as its kind counts them; a batch is gathered by these numbers.
    """

    unit: ClassVar[str]  # what one is called where it is judged: "window"
    shapes: ClassVar[frozenset[str]]  # of the tables that it reads
    guessed: ClassVar[bool] = True  # a task with such examples may be guessed from the table
    every_step: ClassVar[bool]  # each step has a target of its own; else a whole item has one
    sees_targets: ClassVar[bool]  # past targets are inputs too: the first channels
    overlapping: ClassVar[bool]  # neighbours share steps, so that their losses are not independent
    shown: ClassVar[int]  # how many predictions a run keeps to show
    goes_on: ClassVar[bool]  # predicts from where the training ended, without a table too

    # From a table to arrays

    @abstractmethod
    def layout(
        self,
        table: Table,
        columns: Mapping[str, Column],
        roles: Roles,
        notes: Notes,
        choice: TaskChoice,
    ) -> Layout:
        """The layout of a table, and the task, of what was said and what the columns hold.

        Raises InputError where the table has no such examples.
        """

    @abstractmethod
    def channels(self, layout: Layout) -> tuple[str, ...]:
        """The names of the numbers that a step has, in the order of the channels."""

    @abstractmethod
    def known_when_predicting(self, layout: Layout) -> tuple[str, ...]:
        """The inputs whose values at the very steps of the target are known."""

    def settled(self, table: Table, layout: Layout) -> Layout:
        """The layout with what only all rows of the table tell."""
        return layout

    @abstractmethod
    def partition(
        self,
        table: Table,
        layout: Layout,
        target: Target,
        folder: Path,
        split: Split,
        seed: int,
    ) -> Partition:
        """Which rows are used, and for which part. ``folder`` takes what is too large to hold.

        Raises InputError where a part would have no example.
        """

    @abstractmethod
    def partition_new(self, table: Table, layout: Layout, folder: Path) -> Partition:
        """All rows as test part, to predict."""

    def remarks(self, layout: Layout, partition: Partition, folder: Path) -> list[str]:
        """What else there is to say of the arrays in a folder, in sentences."""
        return []

    # From arrays to batches

    @abstractmethod
    def of_part(self, data: Prepared, part: str) -> Tensor:
        """The examples of "train", "validation" or "test", (n,) int64."""

    def held_out(self, data: Prepared) -> Prepared:
        """The data to choose by: its validation part holds as many examples as can be had."""
        return data

    @abstractmethod
    def parts(self, data: Prepared, table: Table) -> tuple[Part, ...]:
        """Training, validation and test in words; ``table``: what the arrays were made of."""

    @abstractmethod
    def batch(self, data: Prepared, examples: Tensor) -> Batch:
        """Some examples, gathered."""

    def joined(self, pieces: Sequence[Tensor]) -> Tensor:
        """Predictions or targets of several batches as one tensor."""
        return torch.cat(list(pieces))

    # What statistics and reports ask

    @abstractmethod
    def units(self, data: Prepared, examples: Tensor) -> NDArray[Any]:
        """Which examples belong together in statistics, (n,): same number, same unit."""

    def unit_of(self, part: str) -> str:
        """What such a unit is called in a part: "test sequence"."""
        return f"{part} {self.unit}"

    def by_series(self, data: Prepared, examples: Tensor) -> bool:
        """Whether the units are series: each stands for itself, and moments do not."""
        return False

    def overlap(self, layout: Layout, units: Integers) -> int:
        """How many units in a row share a step; ``units``: those judged, ascending."""
        return 1

    def groups(self, data: Prepared, units: Tensor) -> Tensor | None:
        """The group of each unit, (units,): those of one are related; None if each stands alone."""
        return None

    @abstractmethod
    def items(self, data: Prepared, examples: Tensor) -> Tensor:
        """The number of the series or sequence that each example is of, (n,)."""

    def places(self, data: Prepared, examples: Tensor) -> dict[str, Tensor]:
        """By what errors are told one by one, "step" or "series": the number of each of the rows
        that ``rows`` gives, (rows,)."""
        return {}

    def beside(self, data: Prepared, examples: Tensor) -> dict[str, Tensor]:
        """What is kept beside the predictions of some examples, to show them."""
        return {}

    @abstractmethod
    def described(self, layout: Layout, preparation: Preparation, judged: int) -> list[str]:
        """The data in a few words each. judged: how many series have test examples."""

    @abstractmethod
    def split_in_words(self, layout: Layout) -> str:
        """How the parts are drawn where no column and no lengths say."""

    # Predicting

    @abstractmethod
    def history(self, table: Table, layout: Layout, *, whole: bool) -> pl.DataFrame | None:
        """The rows of training that predictions go on from; ``whole``: all of them."""

    @abstractmethod
    def extended(self, table: Table | None, history: pl.DataFrame | None, layout: Layout) -> Table:
        """A table to predict with the rows that its examples need before and after it.

        Raises InputError where it does not go on from the history.
        """

    @abstractmethod
    def to_predict(self, data: Prepared) -> Tensor:
        """The examples of a new table that a prediction is asked of, (n,)."""

    @abstractmethod
    def index(self, data: Prepared, table: Table, examples: Tensor) -> dict[str, Any]:
        """The columns that tell the rows of a table of predictions apart, by name."""

    @abstractmethod
    def rows(self, prediction: Tensor, data: Prepared, examples: Tensor) -> Tensor:
        """A prediction with one entry for each row that ``index`` gives, (rows, ...)."""

    @abstractmethod
    def scale(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        """(center, scale) of the targets in each such row, (rows, targets) in float64."""

    @abstractmethod
    def limits(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        """(low, high) of the targets of each example, scaled, infinite where there is none;
        broadcast over its steps. Asked where the preparation has limits."""

    def naive(self, data: Prepared, examples: Tensor) -> Tensor:
        """The mean absolute error of the seasonal naive forecast in training, for the targets in
        each such row, in standard deviations: (rows, targets) in float64, NaN where there is none.
        """
        return torch.full_like(self.scale(data, examples)[1], torch.nan)

    @abstractmethod
    def needs(self, layout: Layout) -> tuple[str, str]:
        """For the command that predicts: the name of a file to give, if any, and of the answer."""


class Question(Protocol):
    """What a task hands down to data: its examples and its target."""

    @property
    def examples(self) -> Examples: ...

    @property
    def target(self) -> Target: ...
