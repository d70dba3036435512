"""What a linear model sees of a sequence: one row of numbers, standardised."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation, Prepared
from gatewright.tasks import Task

MOST_FEATURES = 4096
MOST_CATEGORIES = 128  # seen at each step
BLOCK = 1 << 22  # numbers of a block of sequences


class Features(ABC):
    """One way to make a row of a sequence.

    kept: (categories kept,) which values of the categories are seen, the most frequent ones of
        training; numbered through all categories, code 0 among them.
    steps: how many steps are seen, where that matters.
    """

    most_categories: int

    def __init__(self, preparation: Preparation) -> None:
        self.counts = [len(category.values) + 1 for category in preparation.categories]
        self.channels = len(preparation.channels)
        self.kept = torch.zeros(0, dtype=torch.int64)
        self.steps = torch.tensor(1)

    def fit(self, data: Prepared, blocks: list[Tensor], task: Task) -> None:
        """Look at training, given in blocks of examples."""
        total = torch.zeros(sum(self.counts))
        for some in blocks:
            total += self.frequencies(task.examples.batch(data, some)).sum(0)
        if len(total) > self.most_categories:
            # Sorted stably, so that ties fall the same way everywhere.
            order = total.argsort(descending=True, stable=True)
            self.kept = order[: self.most_categories].sort().values
        else:
            self.kept = torch.arange(len(total))

    @abstractmethod
    def rows(self, batch: Batch) -> Tensor:
        """(batch, features), in float64."""

    def numbered(self, codes: Tensor) -> Tensor:
        """The codes numbered through all categories, of the same shape as codes."""
        offsets = torch.tensor([0, *self.counts[:-1]]).cumsum(0)
        return codes + offsets if self.counts else codes

    def frequencies(self, batch: Batch) -> Tensor:
        """The fraction of each sequence's steps that has each value of each category, (batch, sum
        of counts)."""
        lengths = lengths_of(batch)
        codes = self.numbered(batch.codes)
        inside = (torch.arange(len(codes))[:, None] < lengths)[..., None].expand_as(codes)
        shares = torch.zeros(batch.size, sum(self.counts))
        share = inside / lengths.clamp(min=1)[:, None]
        return shares.scatter_add_(
            1, codes.transpose(0, 1).flatten(1), share.transpose(0, 1).flatten(1)
        )


class Summary(Features):
    """Of each channel: mean, standard deviation, least, greatest, first and last value, and slope
    (by least squares, over the whole sequence); the length; how frequent each category is."""

    most_categories = MOST_FEATURES

    def rows(self, batch: Batch) -> Tensor:
        values, lengths = batch.values.double(), lengths_of(batch)
        count = lengths.clamp(min=1)[:, None]
        steps = torch.arange(len(values), dtype=torch.float64)[:, None]
        inside = (steps < lengths)[..., None]
        values = values.where(inside, 0.0)
        mean = values.sum(0) / count
        centred = (values - mean).where(inside, 0.0)
        position = ((steps - (count.T - 1) / 2) / count.T)[..., None].where(inside, 0.0)
        slope = (position * centred).sum(0) / position.square().sum(0).clamp(min=1e-12)
        least = values.where(inside, torch.inf).amin(0).nan_to_num(posinf=0.0)
        greatest = values.where(inside, -torch.inf).amax(0).nan_to_num(neginf=0.0)
        last = values[lengths.clamp(min=1) - 1, torch.arange(batch.size)]
        deviation = (centred.square().sum(0) / count).sqrt()
        channels = [mean, deviation, least, greatest, values[0], last, slope]
        return torch.cat(
            [*channels, lengths[:, None], self.frequencies(batch)[:, self.kept].double()], 1
        )


class Flat(Features):
    """All steps side by side, categories one-hot: sequences are cut to the longest of training, or
    padded with zeros; very long ones are resampled to fewer steps, each the mean of some."""

    most_categories = MOST_CATEGORIES

    def __init__(self, preparation: Preparation) -> None:
        super().__init__(preparation)
        self.resampled = torch.tensor(False)

    def fit(self, data: Prepared, blocks: list[Tensor], task: Task) -> None:
        super().fit(data, blocks, task)
        longest = max(1, *(int(data.lengths[some].max()) for some in blocks))
        most = max(1, MOST_FEATURES // max(1, self.channels + len(self.kept)))
        self.steps = torch.tensor(min(longest, most))
        self.resampled = torch.tensor(longest > most)

    def rows(self, batch: Batch) -> Tensor:
        lengths, steps = lengths_of(batch), int(self.steps)
        inside = (torch.arange(len(batch.values))[:, None] < lengths)[..., None]
        values = batch.values.double()
        values = torch.cat([values, *self._one_hot(batch.codes)], -1).where(inside, 0.0)
        if self.resampled:
            values = resample(values, lengths, steps)
        else:
            values = F.pad(values[:steps], (0, 0, 0, 0, 0, max(0, steps - len(values))))
        return values.transpose(0, 1).flatten(1)

    def _one_hot(self, codes: Tensor) -> list[Tensor]:
        """(time, batch, categories kept), if any."""
        if not len(self.kept):
            return []
        column_of = torch.full((sum(self.counts),), len(self.kept))
        column_of[self.kept] = torch.arange(len(self.kept))
        chosen = torch.zeros(*codes.shape[:2], len(self.kept) + 1, dtype=torch.float64)
        return [chosen.scatter_(2, column_of[self.numbered(codes)], 1.0)[..., :-1]]


def resample(values: Tensor, lengths: Tensor, steps: int) -> Tensor:
    """(time, batch, channels) to (steps, batch, channels): means of ``steps`` stretches of equal
    length, from each sequence's first step to its last. What is beyond a length must be 0."""
    total = F.pad(values.cumsum(0), (0, 0, 0, 0, 1, 0))
    number = torch.arange(steps)[:, None]
    start = number * lengths // steps
    end = ((number + 1) * lengths + steps - 1) // steps  # rounded up: no stretch is empty
    index = torch.stack([start, end])[..., None].expand(-1, -1, -1, values.shape[2])
    before, after = total.gather(0, index[0]), total.gather(0, index[1])
    return (after - before) / (end - start).clamp(min=1)[..., None]


def lengths_of(batch: Batch) -> Tensor:
    """(batch,)"""
    if batch.lengths is None:
        return torch.full((batch.size,), len(batch.values))
    return batch.lengths


def blocks_of(data: Prepared, examples: Tensor, width: int) -> list[Tensor]:
    """Examples in blocks that are affordable at ``width`` numbers a step, in the same order."""
    longest = int(data.lengths[examples].max()) if len(examples) else 1
    return list(examples.split(max(1, BLOCK // max(1, longest * width)))) if len(examples) else []


class Rows:
    """Standardised rows of examples: mean and scale of the features are those of training."""

    def __init__(self, task: Task, features: type[Features]) -> None:
        self.task = task
        self.features = features(task.preparation)
        self.mean, self.scale = torch.zeros(0), torch.ones(0)

    def fit(self, data: Prepared, examples: Tensor) -> Tensor:
        """Returns the rows of examples, (examples, features) in float64."""
        self.features.fit(data, self._blocks(data, examples), self.task)
        rows = self._raw(data, examples)
        self.mean, scale = rows.mean(0), rows.std(0, correction=0)
        self.scale = torch.where(scale > 1e-6, scale, 1.0)
        return (rows - self.mean) / self.scale

    def __call__(self, data: Prepared, examples: Tensor) -> Tensor:
        return (self._raw(data, examples) - self.mean) / self.scale

    def _raw(self, data: Prepared, examples: Tensor) -> Tensor:
        blocks = self._blocks(data, examples)
        rows = [self.features.rows(self.task.examples.batch(data, some)) for some in blocks]
        return torch.cat(rows) if rows else self.mean.new_empty(0, len(self.mean))

    def _blocks(self, data: Prepared, examples: Tensor) -> list[Tensor]:
        kept = len(self.features.kept) if isinstance(self.features, Flat) else 0
        return blocks_of(data, examples, self.features.channels + len(self.features.counts) + kept)

    def state(self) -> dict[str, Tensor]:
        tensors = {name: getattr(self.features, name) for name in ("kept", "steps")}
        if isinstance(self.features, Flat):
            tensors["resampled"] = self.features.resampled
        return {**tensors, "mean": self.mean, "scale": self.scale}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.features.kept, self.features.steps = state["kept"], state["steps"]
        if isinstance(self.features, Flat):
            self.features.resampled = state["resampled"]
        self.mean, self.scale = state["mean"], state["scale"]
