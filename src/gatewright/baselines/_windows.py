"""What a linear model sees of a window: one row of numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.baselines._spread import evenly
from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation, Prepared
from gatewright.networks.windows import ending_at_origin, relative_to_window

MOST_FEATURES = 4096  # of a row, so that their products are 128 MiB


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


class WindowRows:
    """Turns a batch of windows into rows for a linear model, and back.

    joint: a row sees the windows of all targets, and predicts all of them; otherwise each target
        has a row of its own, sees its own window alone, and all share one set of weights
        ("channel independence", Zeng and others 2023).
    relative: the windows of the targets are seen and predicted relative to their mean and spread.

    A row also holds the windows of the other channels, the categories of the last step, and the
    channels and categories known ahead. It has at most about ``MOST_FEATURES`` numbers: if the
    other channels do not fit at all steps, their last values are seen (none, if they are
    thousands); then the older steps of the targets are thinned. What is known ahead may take a
    quarter, by steps spread evenly over the horizon; categories may take another, and those of
    too many values are left out.
    """

    def __init__(self, preparation: Preparation, joint: bool, relative: bool) -> None:
        layout, channels = preparation.layout, preparation.channels
        self.joint, self.relative = joint, relative
        self.targets, self.horizon = len(layout.targets), layout.horizon
        windows = self.targets if joint else 1
        others = len(channels) - self.targets
        quarter = MOST_FEATURES // 4

        known = sum(channel.known for channel in channels)
        self.future_steps = evenly(self.horizon, max(1, quarter // max(1, known)))
        self.categories = _few(preparation, known=False, most=quarter)
        self.future_categories = _few(preparation, known=True, most=quarter // self.horizon)
        room = MOST_FEATURES - known * len(self.future_steps)
        room -= sum(count for _, count in self.categories)
        room -= self.horizon * sum(count for _, count in self.future_categories)

        self.fits = windows * layout.context <= room
        whole = (windows + others) * layout.context <= room
        self.other_lags = torch.arange(layout.context)[0 if whole else -1 :]
        if others > room // 2:
            self.other_lags = self.other_lags[:0]
        room -= others * len(self.other_lags)
        self.lags = lags(layout.context, max(8, room // windows))

    def rows(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (rows, features) in float64, and level and spread of the targets, each (batch,
        1, targets)."""
        values = batch.values
        level, spread = values.new_zeros(2, batch.size, self.targets)
        spread = spread + 1
        if self.relative:
            values, level, spread = relative_to_window(values, batch.lengths, self.targets)
        values = ending_at_origin(values, batch.lengths).transpose(0, 1)
        seen = values[:, self.lags, : self.targets]
        shared = torch.cat(
            [
                values[:, self.other_lags, self.targets :].flatten(1),
                batch.future[self.future_steps].transpose(0, 1).flatten(1),
                *_one_hot(_last_codes(batch), self.categories),
                *_one_hot(batch.future_codes, self.future_categories),
            ],
            1,
        )
        if self.joint:
            rows = torch.cat([seen.flatten(1), shared], 1)
        else:
            shared = shared.repeat_interleave(self.targets, 0)
            rows = torch.cat([seen.transpose(1, 2).flatten(0, 1), shared], 1)
        return rows.double(), level[:, None], spread[:, None]

    def target_rows(self, target: Tensor) -> Tensor:
        """(batch, horizon, targets) as the rows predict it: (batch, horizon x targets) if joint,
        else (batch x targets, horizon)."""
        return target.flatten(1) if self.joint else target.transpose(1, 2).flatten(0, 1)

    def from_target_rows(self, rows: Tensor) -> Tensor:
        """The inverse of ``target_rows``."""
        if self.joint:
            return rows.view(-1, self.horizon, self.targets)
        return rows.view(-1, self.targets, self.horizon).transpose(1, 2)


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
