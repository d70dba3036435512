"""Classes: one of several labels, whatever they are written as."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.calendar import Floats, Integers
from gatewright.data.guess.labels import LabelCounts
from gatewright.data.prepare.relations import OneForEach
from gatewright.data.prepared import Preparation
from gatewright.data.question import Relation, Target, Where
from gatewright.errors import InputError, argument


class Classes(Target):
    """Labels in one column; encoded, the number of the class among those of the training part.

    Predictions are logarithms of probabilities up to a constant, a last dimension of classes.
    """

    numeric = False
    general = False

    def suits(self, labels: LabelCounts) -> str:
        _, column = labels.first
        if len(labels.targets) > 1:
            return ""
        if column.text:
            return "words"
        if column.dtype == pl.Boolean:
            return "true or false"
        return f"{len(labels.counts)} different whole numbers" if labels.few else ""

    def check(self, labels: LabelCounts, task: str, otherwise: str) -> None:
        if len(labels.targets) > 1:
            raise InputError(
                f"{argument('task', task)} takes one {argument('target')}, found "
                f"{', '.join(labels.targets)}; give one of them."
            )
        if labels.every_step:  # a step more or less is no example
            return
        label, examples = labels.counts.row(0)
        if examples < 2:
            name, _ = labels.first
            raise InputError(
                f"{name} {label!r} of {labels.table.name} has one example among {labels.examples} "
                "sequences, and training and test need one each; add examples, leave it out, or "
                "join it with another label."
            )

    def known(self, values: pl.DataFrame) -> NDArray[np.bool_]:
        return values.to_series().is_not_null().to_numpy()

    def strata(self, values: pl.DataFrame) -> tuple[tuple[str, ...], Integers]:
        labels = values.to_series()
        classes = classes_of(labels)
        return classes, class_numbers(labels, classes).astype(np.int64)

    def fit(self, values: pl.DataFrame, every: pl.DataFrame, where: Where) -> dict[str, Any]:
        """A class that is in no training row is one all the same: it is never told, and counts as
        wrong."""
        labels, classes = values.to_series().drop_nulls(), classes_of(every.to_series())
        numbers = class_numbers(labels, classes).astype(np.int64)
        counts = np.bincount(numbers, minlength=len(classes))
        return {"classes": classes, "class_counts": tuple(counts.tolist())}

    def as_numbers(self, values: pl.DataFrame, preparation: Preparation) -> Floats:
        return class_numbers(values.to_series(), preparation.classes)[:, None]

    def encode(self, values: pl.DataFrame, preparation: Preparation, where: Where) -> Floats:
        return self.as_numbers(values, preparation)

    def relation(self, preparation: Preparation, columns: int) -> Relation:
        return OneForEach(len(preparation.classes), columns)

    def in_units(self, encoded: Floats, center: Floats, scale: Floats) -> Floats:
        return encoded

    def columns(
        self, prediction: Tensor, center: Tensor, scale: Tensor, preparation: Preparation
    ) -> dict[str, Any]:
        """The likeliest label under the target's name, and ``NAME=CLASS``, the probability of
        each."""
        (target,), classes = preparation.layout.targets, preparation.classes
        chances = prediction.double().softmax(-1)
        labels = [classes[number] for number in prediction.argmax(-1).tolist()]
        each = {f"{target}={name}": chances[:, at].numpy() for at, name in enumerate(classes)}
        return {target: labels} | each


def classes_of(labels: pl.Series) -> tuple[str, ...]:
    """The labels that occur, sorted (numbers as numbers), as text."""
    return tuple(labels.drop_nulls().unique().sort().cast(pl.String).to_list())


def class_numbers(labels: pl.Series, classes: tuple[str, ...]) -> Floats:
    """The number of each label's class, (rows,): NaN where it is missing or no class."""
    numbers = labels.cast(pl.String).replace_strict(
        list(classes), list(range(len(classes))), default=None, return_dtype=pl.Float64
    )
    return numbers.fill_null(float("nan")).to_numpy()


def weights_of(preparation: Preparation, *, even: bool) -> Tensor:
    """What the loss of an example of each class counts, (classes,); ``even``: so that every class
    counts the same, however many examples it has in training."""
    if not even:
        return torch.ones(len(preparation.classes))
    counts = torch.tensor(preparation.class_counts, dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)
