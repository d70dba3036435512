"""A network for a whole sequence: an encoder, then one linear layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation
from gatewright.networks.embeddings import Embeddings
from gatewright.networks.encoder import ATTENTION, LAST, Encoder
from gatewright.setting import Setting

USUAL_SEGMENTS = 32  # of a sequence
LONGEST_SEGMENT = 128  # steps, of the usual one
STEP_BY_STEP = 200  # the most steps that are worth reading one by one


def segments(steps: int) -> tuple[int, ...]:
    """The lengths of segments worth a try of sequences of so many steps; the usual one first.

    A 32nd of the sequence but at most 128 steps, twice that, and step by step, or half of that if
    it has too many steps for that. Short sequences are read step by step.
    """
    usual = min(round(steps / USUAL_SEGMENTS), LONGEST_SEGMENT)
    if usual < 2:
        return (1,)
    return (usual, 2 * usual, 1 if steps <= STEP_BY_STEP else usual // 2)


class SequenceNetwork(nn.Module):
    """A whole sequence read, step by step or in segments, then one linear layer.

    As a forecaster does, it maps each segment to the hidden size before the recurrent stack, so
    that a long sequence has fewer steps to remember (Lin and others 2023, SegRNN).
    """

    def __init__(
        self,
        preparation: Preparation,
        truncate: int,
        cell: str,
        hidden_size: int,
        setting: Setting,
        outputs: int,
    ) -> None:
        super().__init__()
        self.embed = Embeddings([len(category.values) for category in preparation.categories])
        self.segment = setting.segment
        width = len(preparation.channels) + self.embed.size
        self.read = nn.Linear(width * self.segment, hidden_size) if self.segment > 1 else None
        self.encoder = Encoder(
            cell,
            width if self.read is None else hidden_size,
            hidden_size,
            setting.num_layers,
            setting.dropout,
            ATTENTION if ATTENTION in setting.choices else LAST,
            math.ceil(truncate / self.segment),
        )
        self.head = nn.Linear(hidden_size, outputs)

    def forward(self, batch: Batch) -> Tensor:
        """Returns (batch, outputs)."""
        steps = torch.cat([batch.values, self.embed(batch.codes)], -1)
        lengths = batch.lengths
        if self.read is not None:
            steps, lengths = self._cut(steps, lengths)
            steps = torch.relu(self.read(steps))
        prediction: Tensor = self.head(self.encoder(steps, lengths))
        return prediction

    def _cut(self, steps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(time, rows, channels) as (segments, rows, segment x channels), and how many segments
        each row has; the last step of each fills up its last segment."""
        time, rows, channels = steps.shape
        if lengths is not None:
            last = (lengths - 1).clamp(min=0)
            places = torch.minimum(torch.arange(time)[:, None], last)[..., None]
            steps = steps.gather(0, places.expand(-1, -1, channels))
            lengths = (lengths + self.segment - 1) // self.segment
        lacking = -time % self.segment
        steps = torch.cat([steps, steps[-1:].expand(lacking, -1, -1)])
        pieces = steps.view(-1, self.segment, rows, channels).transpose(1, 2)
        return pieces.reshape(len(pieces), rows, -1), lengths
