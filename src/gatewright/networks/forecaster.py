"""A forecast read and told in segments, by one recurrent stack."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation
from gatewright.layers import Recurrent
from gatewright.networks.embeddings import Embeddings
from gatewright.networks.encoder import each, run
from gatewright.networks.windows import (
    LAST,
    LEVELS,
    SEEN,
    Level,
    ending_at_origin,
    one_target_a_row,
)
from gatewright.setting import Setting

OWN, ALONE, TOGETHER = "own past", "one target at a time", "all inputs"
LONGEST_SEGMENT = 64  # steps
MOST_SEGMENTS = 32  # of a context: reading step by step takes long and is seldom better
SMALL = 0.1  # the spread of the learned vectors, at first
USUAL_GAP = -1.5  # between quantiles at first, before softplus: about 0.2


def segments(context: int, horizon: int, season: int) -> tuple[int, ...]:
    """The lengths of segments worth a try, in steps; the usual one first.

    That is a season or a half, a third ... of it, rounded down, at least three to a context;
    without a season a horizon. Then there are a half and a quarter of it, and twice as much.
    """
    longest = max(1, min(LONGEST_SEGMENT, context // 3))
    whole = season if 1 < season <= context else max(horizon, math.ceil(context / 12))
    usual = whole // math.ceil(whole / longest)
    least = math.ceil(context / MOST_SEGMENTS)
    lengths = (usual, usual // 2, usual // 4, 2 * usual)
    fit = [length for length in lengths[1:] if least <= length <= min(longest, max(horizon, usual))]
    return (usual, *fit)


class Forecaster(nn.Module):
    """Reads a window segment by segment, tells the horizon in segments of the same length.

    Each segment of the window is mapped to the hidden size, and a recurrent stack reads one after
    the other. Each segment of the horizon is then one more step of the same stack, all of them
    from the state that the window left: its input is a learned vector of the segment's place, plus
    what is known ahead of its steps, plus a vector of the target where it is seen alone. (Lin and
    others 2023, SegRNN, with inputs known ahead.)

    What it sees, by the setting: "own past", each target with nothing but its own past; "one target
    at a time", with the inputs that are no targets; "all inputs", all targets at once. One target
    at a time has the same weights for all (Nie and others 2023).
    """

    def __init__(
        self,
        preparation: Preparation,
        truncate: int,
        cell: str,
        hidden_size: int,
        setting: Setting,
        quantiles: int,
    ) -> None:
        """quantiles: an odd number of them, the middle one the median."""
        super().__init__()
        layout = preparation.layout
        self.layout, self.quantiles = layout, quantiles
        self.all_targets, self.segment = len(layout.targets), setting.segment
        self.own = OWN in setting.choices
        self.alone = self.all_targets > 1 and TOGETHER not in setting.choices
        self.targets = 1 if self.alone else self.all_targets
        self.level = next((word for word in setting.choices if word in LEVELS), LAST)
        self.windows = math.ceil(layout.context / self.segment)
        self.places = math.ceil(layout.horizon / self.segment)
        self.truncate = math.ceil(truncate / self.segment)

        categories = () if self.own else preparation.categories
        self.embed = Embeddings([len(category.values) for category in categories])
        self.embed_future = Embeddings([len(one.values) for one in categories if one.known])
        others = 0 if self.own else len(preparation.channels) - self.all_targets
        known = 0 if self.own else sum(channel.known for channel in preparation.channels)
        own = self.targets * (2 if self.level == SEEN else 1)
        seen, ahead = own + others + self.embed.size, known + self.embed_future.size
        self.read = nn.Linear(seen * self.segment, hidden_size)
        between = setting.dropout if setting.num_layers > 1 else 0.0
        self.recurrent = Recurrent(
            cell, hidden_size, hidden_size, setting.num_layers, dropout=between
        )
        self.dropout = nn.Dropout(setting.dropout)
        self.place = nn.Parameter(SMALL * torch.randn(self.places, 1, hidden_size))
        rows = self.all_targets if self.alone else 0
        self.target = nn.Parameter(SMALL * torch.randn(rows, hidden_size))
        self.known = nn.Linear(ahead * self.segment, hidden_size) if ahead else None
        self.point = nn.Linear(hidden_size, self.segment * self.targets)
        self.spread = nn.Linear(hidden_size, self.targets)
        # Distances between neighbouring quantiles, by step and target: quantiles never cross.
        self.gaps = nn.Parameter(
            torch.full((layout.horizon, self.targets, quantiles - 1), USUAL_GAP)
        )

    def forward(self, batch: Batch) -> Tensor:
        """Returns (batch, horizon, targets, 1 + quantiles), first the point."""
        if not self.alone:
            return self._predict(batch)
        prediction = self._predict(one_target_a_row(batch, self.all_targets))
        rows = prediction.view(-1, self.all_targets, *prediction.shape[1:])
        return rows.squeeze(3).transpose(1, 2)

    def _predict(self, batch: Batch) -> Tensor:
        values = ending_at_origin(batch.values, batch.lengths)
        seen, others = values[..., : self.targets], values[..., self.targets :]
        level = Level(seen, self.level, self.layout)
        parts = [level.take(seen)] if self.own else [level.take(seen), others]
        if level.is_seen:
            parts.append(level.last.expand_as(seen))
        if self.embed.size:
            parts.append(self.embed(ending_at_origin(batch.codes, batch.lengths)))
        told = self._tell(self._cut(torch.cat(parts, -1), self.windows), batch)
        point = self._joined(self.point(told))
        width = nn.functional.softplus(self.spread(told))  # (batch, places, targets)
        width = width.repeat_interleave(self.segment, 1)[:, : self.layout.horizon, :, None]
        # The loss of the quantiles does not train the point.
        bands = point.detach()[..., None] + width * self._offsets()
        return level.give_back(torch.cat([point[..., None], bands], -1))

    def _tell(self, steps: Tensor, batch: Batch) -> Tensor:
        """steps: (windows, rows, segment x channels). Returns (rows, places, hidden_size)."""
        _, state = run(self.recurrent, torch.relu(self.read(steps)), None, self.truncate)
        rows = steps.shape[1]
        asked = self.place.expand(-1, rows, -1)
        if len(self.target):
            asked = asked + self.target.repeat(rows // len(self.target), 1)
        if self.known is not None:
            future = torch.cat([batch.future, self.embed_future(batch.future_codes)], -1)
            asked = asked + self.known(self._cut(future, self.places, at_end=True))
        state = each(lambda one: one.repeat(1, self.places, 1), state)
        told, _ = self.recurrent(asked.reshape(1, self.places * rows, -1), state)
        dropped: Tensor = self.dropout(told.view(self.places, rows, -1).transpose(0, 1))
        return dropped

    def _cut(self, steps: Tensor, count: int, *, at_end: bool = False) -> Tensor:
        """(time, rows, channels) as (count, rows, segment x channels); what lacks for a whole
        number of segments is repeated from the first step, or the last."""
        lacking = count * self.segment - len(steps)
        if lacking:
            edge = steps[-1:] if at_end else steps[:1]
            more = edge.expand(lacking, -1, -1)
            steps = torch.cat([steps, more] if at_end else [more, steps])
        rows = steps.shape[1]
        return steps.view(count, self.segment, rows, -1).transpose(1, 2).reshape(count, rows, -1)

    def _joined(self, told: Tensor) -> Tensor:
        """(rows, places, segment x targets) as (rows, horizon, targets)."""
        return told.reshape(len(told), -1, self.targets)[:, : self.layout.horizon]

    def _offsets(self) -> Tensor:
        """(horizon, targets, quantiles), ascending; the median's is zero."""
        gaps = nn.functional.softplus(self.gaps)
        below, above = gaps.split([self.quantiles // 2, self.quantiles // 2], -1)
        middle = gaps.new_zeros(*gaps.shape[:-1], 1)
        return torch.cat([-below.flip(-1).cumsum(-1).flip(-1), middle, above.cumsum(-1)], -1)
