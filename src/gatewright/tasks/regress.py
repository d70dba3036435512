"""One or several numbers for a whole sequence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatewright.data.batching import Batch
from gatewright.data.layout import Layout
from gatewright.data.targets.numbers import Numbers
from gatewright.tasks._whole import WholeSequences


class Regress(WholeSequences):
    """The numbers that go with a sequence; a prediction is (batch, targets), in units of each
    target's standard deviation in training."""

    name = "regress"
    title = "regression"
    target = Numbers()
    measures = ("mse", "scaled_mae", "mae", "rmse", "smape")
    views = ("scatter",)

    @property
    def outputs(self) -> int:
        return len(self.layout.targets)

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        known = ~batch.target.isnan()
        errors = F.mse_loss(prediction, batch.target.nan_to_num(), reduction="none")
        return (errors * known).sum() / known.sum().clamp(min=1)

    @classmethod
    def shown(cls, layout: Layout) -> tuple[str, ...]:
        return ("mae",)
