"""A network for a whole sequence: an encoder, then one linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation
from gatewright.networks.embeddings import Embeddings
from gatewright.networks.encoder import ATTENTION, LAST, Encoder
from gatewright.setting import Setting


class SequenceNetwork(nn.Module):
    """A whole sequence read, then one linear layer."""

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
        self.encoder = Encoder(
            cell,
            len(preparation.channels) + self.embed.size,
            hidden_size,
            setting.num_layers,
            setting.dropout,
            ATTENTION if ATTENTION in setting.choices else LAST,
            truncate,
        )
        self.head = nn.Linear(hidden_size, outputs)

    def forward(self, batch: Batch) -> Tensor:
        """Returns (batch, outputs)."""
        steps = torch.cat([batch.values, self.embed(batch.codes)], -1)
        prediction: Tensor = self.head(self.encoder(steps, batch.lengths))
        return prediction
