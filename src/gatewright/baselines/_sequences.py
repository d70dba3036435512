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
    learned: tuple[str, ...] = ("kept", "steps")  # tensors to be saved

    def __init__(self, preparation: Preparation) -> None:
        self.counts = [len(category.values) + 1 for category in preparation.categories]
        self.channels = len(preparation.channels)
        self.kept = torch.zeros(0, dtype=torch.int64)
        self.steps = torch.tensor(1)

    @property
    def width(self) -> int:
        """Numbers of a step that ``rows`` looks at, for blocks of an affordable size."""
        return self.channels + len(self.counts)

    def fit(self, data: Prepared, examples: Tensor, task: Task) -> None:
        """Look at training."""
        total = torch.zeros(sum(self.counts))
        for some in blocks_of(data, examples, self.width):
            total += self.frequencies(task.examples.batch(data, some)).sum(0)
        if len(total) > self.most_categories:
            # Sorted stably, so that ties fall the same way everywhere.
            order = total.argsort(descending=True, stable=True)
            self.kept = order[: self.most_categories].sort().values
        else:
            self.kept = torch.arange(len(total))

    def state(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self.learned}

    def restore(self, state: dict[str, Tensor]) -> None:
        for name in self.learned:
            setattr(self, name, state[name])

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


class Flat(Features):
    """All steps side by side, categories one-hot: sequences are cut to the longest of training, or
    padded with zeros; very long ones are resampled to fewer steps, each the mean of some."""

    most_categories = MOST_CATEGORIES
    learned: tuple[str, ...] = ("kept", "steps", "resampled")

    def __init__(self, preparation: Preparation) -> None:
        super().__init__(preparation)
        self.resampled = torch.tensor(False)

    @property
    def width(self) -> int:
        return super().width + len(self.kept)

    def fit(self, data: Prepared, examples: Tensor, task: Task) -> None:
        super().fit(data, examples, task)
        longest = max(1, int(data.lengths[examples].max()))
        most = max(1, MOST_FEATURES // max(1, self.channels + len(self.kept)))
        self.steps = torch.tensor(min(longest, most))
        self.resampled = torch.tensor(longest > most)

    def rows(self, batch: Batch) -> Tensor:
        values, lengths, steps = self.inside(batch), lengths_of(batch), int(self.steps)
        if self.resampled:
            values = resample(values, lengths, steps)
        else:
            values = F.pad(values[:steps], (0, 0, 0, 0, 0, max(0, steps - len(values))))
        return values.transpose(0, 1).flatten(1)

    def inside(self, batch: Batch) -> Tensor:
        """(time, batch, numbers of a step), in float64; 0 beyond a length."""
        inside = torch.arange(len(batch.values))[:, None] < lengths_of(batch)
        values = torch.cat([batch.values.double(), *self._one_hot(batch.codes)], -1)
        return values.where(inside[..., None], 0.0)

    def _one_hot(self, codes: Tensor) -> list[Tensor]:
        """(time, batch, categories kept), if any."""
        if not len(self.kept):
            return []
        column_of = torch.full((sum(self.counts),), len(self.kept))
        column_of[self.kept] = torch.arange(len(self.kept))
        chosen = torch.zeros(*codes.shape[:2], len(self.kept) + 1, dtype=torch.float64)
        return [chosen.scatter_(2, column_of[self.numbered(codes)], 1.0)[..., :-1]]


def resample(values: Tensor, lengths: Tensor, steps: int | Tensor) -> Tensor:
    """(time, batch, channels) to (steps, batch, channels): means of ``steps`` stretches of equal
    length, from each sequence's first step to its last. What is beyond a length must be 0.

    steps: of all, or of each (batch,); beyond its own a sequence is 0.
    """
    total = F.pad(values.cumsum(0), (0, 0, 0, 0, 1, 0))
    number = torch.arange(int(torch.as_tensor(steps).max()))[:, None]
    start = torch.minimum(number * lengths // steps, lengths)
    # Rounded up: no stretch is empty.
    end = torch.minimum(((number + 1) * lengths + steps - 1) // steps, lengths)
    index = torch.stack([start, end])[..., None].expand(-1, -1, -1, values.shape[2])
    before, after = total.gather(0, index[0]), total.gather(0, index[1])
    return (after - before) / (end - start).clamp(min=1)[..., None]


def lengths_of(batch: Batch) -> Tensor:
    """(batch,)"""
    if batch.lengths is None:
        return torch.full((batch.size,), len(batch.values))
    return batch.lengths


def learned_from(task: Task, data: Prepared) -> Tensor:
    """The examples of training and validation together."""
    return torch.cat([task.examples.of_part(data, part) for part in ("train", "validation")])


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
        self.features.fit(data, examples, self.task)
        rows = self._raw(data, examples)
        self.mean, scale = rows.mean(0), rows.std(0, correction=0)
        self.scale = torch.where(scale > 1e-6, scale, 1.0)
        return (rows - self.mean) / self.scale

    def __call__(self, data: Prepared, examples: Tensor) -> Tensor:
        return (self._raw(data, examples) - self.mean) / self.scale

    def _raw(self, data: Prepared, examples: Tensor) -> Tensor:
        blocks = blocks_of(data, examples, self.features.width)
        rows = [self.features.rows(self.task.examples.batch(data, some)) for some in blocks]
        return torch.cat(rows) if rows else self.mean.new_empty(0, len(self.mean))

    def state(self) -> dict[str, Tensor]:
        return {**self.features.state(), "mean": self.mean, "scale": self.scale}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.features.restore(state)
        self.mean, self.scale = state["mean"], state["scale"]
