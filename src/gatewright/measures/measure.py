"""What every measure says of itself, so that nobody need know which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from gatewright.measures.told import Told
from gatewright.wording.numbers import number as in_digits
from gatewright.wording.numbers import percent

LOWER, HIGHER = "lower", "higher"


class Measure(ABC):
    """One number that tells how good predictions are."""

    name: ClassVar[str]  # the file's, and what a person types
    title: ClassVar[str]
    short: ClassVar[str]  # over a column
    unit: ClassVar[str] = ""  # as it stands behind the title: "in the column's own units"
    share: ClassVar[bool] = False  # of all, shown as a percentage
    better: ClassVar[str] = LOWER  # "lower", "higher", or "" where neither is
    decides: ClassVar[str] = ""  # what an example's loss is, in words; empty: it has none

    def words(self, value: float | None) -> str:
        """A value as people read it."""
        return percent(value) if self.share else in_digits(value)

    @property
    def explained(self) -> str:
        """The title with its unit."""
        return f"{self.title} {self.unit}".rstrip()

    @abstractmethod
    def value(self, told: Told) -> float | None:
        """The number for all predictions together; None where there is nothing to go by."""


class Averaged(Measure):
    """A mean over errors, one a row and target, so that it can be told by step and by series."""

    @abstractmethod
    def errors(self, told: Told) -> Tensor:
        """(rows, targets) in float64, NaN where there is no target."""

    def weights(self, told: Told, errors: Tensor) -> Tensor:
        """(rows, targets): what each error is divided by in the mean; the usual is a count."""
        return torch.ones_like(errors)

    def finished(self, mean: Tensor) -> Tensor:
        """The measure, of means of errors."""
        return mean

    def penalties(self, told: Told) -> Tensor:
        """(rows, targets): what a candidate is to make small, if this measure decides."""
        return self.errors(told)

    def losses(self, told: Told) -> Tensor:
        """(examples,): the mean penalty of each, NaN where an example has no target."""
        penalties = self.penalties(told)
        known = ~penalties.isnan()
        sums = penalties.new_zeros(2, len(told.examples))
        sums[0].index_add_(0, told.example, penalties.where(known, 0.0).sum(1))
        sums[1].index_add_(0, told.example, known.to(sums.dtype).sum(1))
        return sums[0] / sums[1]

    def value(self, told: Told) -> float | None:
        total = self.totals(told).sum((0, 1))
        return number(self.finished(total[0] / total[1]).item())

    def totals(self, told: Told) -> Tensor:
        """(rows, targets, 2): errors and weights, both zero where there is no target."""
        errors = self.errors(told)
        both = torch.stack([errors, self.weights(told, errors)], -1)
        return both.where(~errors.isnan()[..., None], 0.0)


def number(value: float) -> float | None:
    """A number that a record can hold; None for one that is not finite."""
    return value if abs(value) < float("inf") else None
