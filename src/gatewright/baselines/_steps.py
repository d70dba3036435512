"""Sequences as arrays of three dimensions, at one length or padded."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._sequences import Flat, blocks_of, lengths_of, resample
from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation, Prepared
from gatewright.tasks import Task

MOST_NUMBERS = 1 << 16  # of one sequence


class Steps(Flat):
    """Sequences as arrays of three dimensions, with few enough numbers to compare them in parts.
    Categories are one-hot.

    least, most: the steps that there are of the longest, however long it is.
    """

    learned = ("kept", "steps")

    def __init__(self, preparation: Preparation, least: int, most: int) -> None:
        super().__init__(preparation)
        self.least, self.most = least, most

    @property
    def numbers(self) -> int:
        """Of a step."""
        return self.channels + len(self.kept)

    @property
    def affordable(self) -> int:
        return max(self.least, min(self.most, MOST_NUMBERS // max(1, self.numbers)))


class Stretched(Steps):
    """All sequences at one length, that of the longest of training: shorter ones are stretched,
    and of long ones each step is the mean of some.

    To compare sequences, warped in time, it costs nothing: Ratanamahatana and Keogh 2005, Three
    Myths about Dynamic Time Warping Data Mining.
    """

    def fit(self, data: Prepared, examples: Tensor, task: Task) -> None:
        super().fit(data, examples, task)
        longest = max(self.least, int(data.lengths[examples].max()))
        self.steps = torch.tensor(min(longest, self.affordable))

    def rows(self, batch: Batch) -> Tensor:
        """(batch, steps, numbers of a step)"""
        return resample(self.inside(batch), lengths_of(batch), int(self.steps)).transpose(0, 1)

    def of(self, data: Prepared, examples: Tensor, task: Task) -> Tensor:
        """(examples, steps, numbers of a step), in float32."""
        blocks = blocks_of(data, examples, self.width)
        rows = [self.rows(task.examples.batch(data, some)).float() for some in blocks]
        return torch.cat(rows) if rows else torch.empty(0, int(self.steps), self.numbers)


class Padded(Steps):
    """Sequences of their own lengths, padded with zeros. If the longest of training is too long,
    each step is the mean of some, of all sequences as many: ``every``."""

    learned = ("kept", "every")

    every: Tensor

    def fit(self, data: Prepared, examples: Tensor, task: Task) -> None:
        super().fit(data, examples, task)
        longest = max(1, int(data.lengths[examples].max()))
        self.every = torch.tensor(-(-longest // self.affordable))
        self.steps = self.steps_of(torch.tensor(longest)).clamp(min=self.least)

    def steps_of(self, lengths: Tensor) -> Tensor:
        """What is left of so many steps."""
        return (lengths + self.every - 1) // self.every

    def rows(self, batch: Batch) -> Tensor:
        """(batch, steps, numbers of a step), as many steps as the longest of the batch"""
        values, lengths = self.inside(batch), lengths_of(batch)
        if self.every > 1:
            values = resample(values, lengths, self.steps_of(lengths))
        return values.transpose(0, 1)

    def of(self, data: Prepared, examples: Tensor, task: Task) -> tuple[Tensor, Tensor]:
        """(examples, steps, numbers of a step), in float32, and (examples,) lengths."""
        lengths = self.steps_of(data.lengths[examples])
        most = max(self.least, int(lengths.max()) if len(lengths) else 0)
        found = torch.zeros(len(examples), most, self.numbers)
        place = 0
        for some in blocks_of(data, examples, self.width):
            rows = self.rows(task.examples.batch(data, some))
            found[place : place + len(some), : rows.shape[1]] = rows
            place += len(some)
        return found, lengths
