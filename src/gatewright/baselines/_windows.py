"""What a linear model sees of a window: one row of numbers."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.baselines._spread import evenly
from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation, Prepared
from gatewright.networks.windows import ending_at_origin

MOST_FEATURES = 1024  # of a row, so that their products are 8 MiB


def items_of(data: Prepared, examples: Tensor) -> Tensor:
    """The number of the series that each origin lies in, (batch,)."""
    return torch.bucketize(examples.contiguous(), data.bounds[:, 0].contiguous(), right=True) - 1


def lags(context: int, most: int) -> Tensor:
    """Which steps of the context are seen: all if there is room, else the latest half of what
    there is room for, and the other half spread evenly over the older ones. Ascending."""
    if context <= most:
        return torch.arange(context)
    near = most // 2
    older = evenly(context - near, most - near)
    return torch.cat([older, torch.arange(context - near, context)])


def in_training(data: Prepared) -> Tensor:
    """The number that each series has in training, (series,); -1 of one that was not there."""
    if not data.layout.series:
        return torch.arange(len(data.items))
    numbers = {name: number for number, name in enumerate(data.preparation.series)}
    return torch.tensor([numbers.get(name, -1) for name in data.items])


def before_test(data: Prepared) -> Prepared:
    """The same data with training and validation as one training part: its windows are all whose
    horizon ends before test begins."""
    bounds = data.bounds.clone()
    bounds[:, 1] = bounds[:, 2]
    return dataclasses.replace(data, bounds=bounds)


class WindowRows:
    """Turns a batch of windows into rows for linear models, one row for each target.

    joint: a row sees the other targets as it sees other channels, and each target has weights of
        its own; otherwise it sees the window of its own target alone, and all share one set of
        weights ("channel independence", Zeng and others 2023).
    whole: other channels are seen at all steps; otherwise by the means of their latest 1, 2, 4,
        8, ... steps, up to the context (as Corsi 2009).
    cycles: the calendar channels that are seen, by their number.

    A row also holds the categories of the last step, the categories and channels known ahead, and
    the calendar at the first step ahead (a linear model of a wave needs no more). It has at most
    about ``MOST_FEATURES`` numbers: if there is no room for the means of the other channels, their
    last values are seen (none, if they are hundreds); then the older steps of the target are
    thinned. What is known ahead may take a quarter, by steps spread evenly over the horizon;
    categories may take another, and those of too many values are left out.
    """

    def __init__(
        self, preparation: Preparation, *, joint: bool, whole: bool, cycles: list[int]
    ) -> None:
        layout, channels = preparation.layout, preparation.channels
        self.joint, self.whole, self.cycles = joint, whole, cycles
        self.targets, self.horizon = len(layout.targets), layout.horizon
        beside = [at for at, one in enumerate(channels) if one.role != "calendar"]
        self.others = beside if joint else beside[self.targets :]
        quarter = MOST_FEATURES // 4

        known = [at for at, one in enumerate(channels) if one.known]
        self.ahead = [at for at, one in enumerate(known) if one in beside]
        self.calendar = [known.index(at) for at in cycles]
        self.future_steps = evenly(self.horizon, max(1, quarter // max(1, len(self.ahead))))
        self.categories = _few(preparation, known=False, most=quarter)
        self.future_categories = _few(preparation, known=True, most=quarter // self.horizon)
        room = MOST_FEATURES - len(self.ahead) * len(self.future_steps) - len(cycles)
        room -= sum(count for _, count in self.categories)
        room -= self.horizon * sum(count for _, count in self.future_categories)

        self.fits = layout.context * (1 + len(self.others)) <= room
        self.widths = widths(layout.context)
        if len(self.others) * len(self.widths) > room - min(layout.context, room // 2):
            self.widths = self.widths[:1]
        if len(self.others) > room // 2:
            self.others = []
        if not whole:
            room -= len(self.others) * len(self.widths)
        self.lags = lags(layout.context, max(8, room))
        self.features = len(self.lags) + len(cycles) + len(self.ahead) * len(self.future_steps)
        self.features += len(self.others) * (layout.context if whole else len(self.widths))
        self.features += sum(count for _, count in self.categories)
        self.features += self.horizon * sum(count for _, count in self.future_categories)

    def __call__(self, batch: Batch) -> Tensor:
        """(targets, batch, features), in float64."""
        values = ending_at_origin(batch.values, batch.lengths)
        own = values[self.lags, :, : self.targets].permute(2, 1, 0)
        others = values[..., self.others]
        seen = others if self.whole else torch.stack([others[-n:].mean(0) for n in self.widths])
        shared = torch.cat(
            [
                seen.transpose(0, 1).flatten(1),
                batch.future[self.future_steps][..., self.ahead].transpose(0, 1).flatten(1),
                batch.future[0][:, self.calendar],
                *_one_hot(_last_codes(batch), self.categories),
                *_one_hot(batch.future_codes, self.future_categories),
            ],
            1,
        )
        return torch.cat([own.double(), shared.double().expand(self.targets, -1, -1)], 2)

    def by_line(self, of_targets: Tensor) -> Tensor:
        """(targets, batch, n) as what each line is for: (targets, batch, n) where they have lines
        of their own, (1, targets x batch, n) where all share one."""
        return of_targets if self.joint else of_targets.flatten(0, 1)[None]

    def base(self) -> Tensor:
        """For each feature, and the constant after them, the feature that it is seen less of where
        windows are seen relative to the last value of each target; -1 where there is none."""
        found = torch.full((self.features + 1,), -1)
        own, count = len(self.lags), len(self.others)
        found[:own] = own - 1
        if self.joint and count:
            steps = len(self.lags) if self.whole else len(self.widths)
            latest = steps - 1 if self.whole else 0
            for step in range(steps):
                begin = own + step * count
                places = torch.arange(self.targets)
                found[begin + places] = own + latest * count + places
        return found


def widths(context: int) -> list[int]:
    """1, 2, 4, ..., up to the context."""
    return [1 << power for power in range(context.bit_length())]


def _few(preparation: Preparation, known: bool, most: int) -> list[tuple[int, int]]:
    """(column of the codes, how many values) of the categories that fit; known: of those known
    ahead, and their columns among those."""
    categories = [category for category in preparation.categories if category.known or not known]
    kept = []
    for column, category in enumerate(categories):
        if len(category.values) <= most:
            kept.append((column, len(category.values)))
            most -= len(category.values)
    return kept


def _last_codes(batch: Batch) -> Tensor:
    """The codes of each window's last step, (1, batch, categories)."""
    if batch.lengths is None:
        return batch.codes[-1:]
    return batch.codes[batch.lengths - 1, torch.arange(batch.size)][None]


def _one_hot(codes: Tensor, categories: list[tuple[int, int]]) -> list[Tensor]:
    """codes: (time, batch, categories). Returns (batch, time x count) of each; code 0 is all 0."""
    return [
        F.one_hot(codes[..., column], count + 1)[..., 1:].transpose(0, 1).flatten(1)
        for column, count in categories
    ]
