"""One or several numbers for a whole sequence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.examples.sequences import Sequences
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers
from gatewright.networks.encoder import POOLINGS
from gatewright.networks.whole import SequenceNetwork
from gatewright.setting import Setting
from gatewright.tasks.task import Task


class Regress(Task):
    """The numbers that go with a sequence; a prediction is (batch, targets), in units of each
    target's standard deviation in training."""

    name = "regress"
    title = "regression"
    examples = Sequences()
    target = Numbers()
    measures = ("mse", "scaled_mae", "mae", "rmse", "smape")
    views = ("scatter",)

    def choices(self, data: Prepared) -> tuple[tuple[str, ...], ...]:
        return (POOLINGS,)

    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        targets = len(self.layout.targets)
        return SequenceNetwork(
            self.preparation, self.options.truncate, cell, hidden_size, setting, targets
        )

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        known = ~batch.target.isnan()
        errors = F.mse_loss(prediction, batch.target.nan_to_num(), reduction="none")
        return (errors * known).sum() / known.sum().clamp(min=1)

    @classmethod
    def shown(cls, layout: Layout) -> tuple[str, ...]:
        return ("mae",)
