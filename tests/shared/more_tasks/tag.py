"""A label for every step of a sequence: a task in one file, as somebody else would add it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.examples.sequences import Steps
from gatewright.data.targets.classes import Classes
from gatewright.layers import Recurrent
from gatewright.networks.embeddings import Embeddings
from gatewright.setting import Setting
from gatewright.tasks.task import Task


class Tags(Classes):
    """Labels that are told as words only, without the probability of each."""

    def columns(self, *told: Any) -> dict[str, Any]:
        (target, labels), *_ = super().columns(*told).items()
        return {target: labels}


class Tag(Task):
    """Which class each step is of; a prediction is (batch, time, classes), log-probabilities up to
    a constant."""

    name = "tag"
    title = "tagging"
    examples = Steps()
    target = Tags()
    measures = ("error_rate", "accuracy", "macro_f1", "auc", "log_loss")

    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        return Tagger(self, cell, hidden_size, setting)

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        known = ~batch.target[..., 0].isnan()
        return F.cross_entropy(prediction[known], batch.target[..., 0][known].long())


class Tagger(nn.Module):
    """The outputs of a recurrent stack, each through one linear layer."""

    def __init__(self, task: Tag, cell: str, hidden_size: int, setting: Setting) -> None:
        super().__init__()
        preparation = task.preparation
        self.embed = Embeddings([len(category.values) for category in preparation.categories])
        inputs = len(preparation.channels) + self.embed.size
        self.recurrent = Recurrent(cell, inputs, hidden_size, setting.num_layers)
        self.head = nn.Linear(hidden_size, len(preparation.classes))

    def forward(self, batch: Batch) -> Tensor:
        """Returns (batch, time, classes)."""
        steps = torch.cat([batch.values, self.embed(batch.codes)], -1)
        output, _ = self.recurrent(steps, lengths=batch.lengths)
        found: Tensor = self.head(output).transpose(0, 1)
        return found
