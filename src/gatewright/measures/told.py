"""Predictions beside what came, as every measure is given them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gatewright.data.prepared import Prepared
from gatewright.data.question import Examples


@dataclass(frozen=True)
class Told:
    """Predictions of some examples, and a row for each that a table of them has.

    kind, data, examples: what the predictions are of; examples: (n,).
    predicted: (n, ...), as the task lays them out; came: (n, targets) or (n, steps, targets), NaN
    where missing; both in standard deviations, where they are numbers.
    levels: of the quantiles that stand behind the point in a prediction.
    """

    kind: Examples
    data: Prepared
    examples: Tensor
    predicted: Tensor
    came: Tensor
    levels: tuple[float, ...] = ()

    @cached_property
    def prediction(self) -> Tensor:
        """(rows, ...)"""
        return self.kind.rows(self.predicted, self.data, self.examples)

    @cached_property
    def target(self) -> Tensor:
        """(rows, targets)"""
        return self.kind.rows(self.came, self.data, self.examples)

    @property
    def point(self) -> Tensor:
        """(rows, targets): the prediction without its quantiles."""
        return self.prediction[..., 0] if self.levels else self.prediction

    @property
    def error(self) -> Tensor:
        """(rows, targets) in float64: predicted less true, in standard deviations."""
        return self.point.double() - self.target.double()

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Center and scale, each (rows, targets) in float64: number = value * scale + center."""
        return self.kind.scale(self.data, self.examples)

    @property
    def scale(self) -> Tensor:
        """(rows, targets) in float64: a standard deviation in the column's own units."""
        return self.moments[1]

    def in_units(self, values: Tensor) -> Tensor:
        """(rows, targets) in float64: values in the column's own units."""
        center, scale = self.moments
        return values.double() * scale + center

    @cached_property
    def naive(self) -> Tensor:
        """(rows, targets) in float64: the mean absolute error of the seasonal naive forecast in
        training, in standard deviations; NaN where there is none."""
        return self.kind.naive(self.data, self.examples)

    @cached_property
    def example(self) -> Tensor:
        """(rows,): the place of each row's example among ``examples``."""
        steps = self.came.shape[1:-1]  # none, where an example has one target as a whole
        place = torch.arange(len(self.examples)).view(-1, *(1 for _ in steps))
        return self.kind.rows(place.expand(-1, *steps), self.data, self.examples)

    @cached_property
    def places(self) -> dict[str, Tensor]:
        """By what errors are told, "step" or "series": the number of each row, (rows,)."""
        return self.kind.places(self.data, self.examples)

    @cached_property
    def labelled(self) -> Tensor:
        """(rows,): whether a row has a class."""
        return ~self.target[:, 0].isnan()

    @property
    def label(self) -> Tensor:
        """(labelled rows,): the number of the true class."""
        return self.target[self.labelled, 0].long()

    @property
    def chances(self) -> Tensor:
        """(labelled rows, classes) in float64: logarithms of the probabilities."""
        return self.prediction[self.labelled].double().log_softmax(-1)
