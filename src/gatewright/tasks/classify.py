"""One label for a whole sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.data.batching import Batch
from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation
from gatewright.data.targets.classes import Classes, weights_of
from gatewright.measures import Told
from gatewright.setting import Options
from gatewright.tasks._whole import WholeSequences


class Classify(WholeSequences):
    """Which class a sequence belongs to; a prediction is (batch, classes), log-probabilities up
    to a constant."""

    name = "classify"
    title = "classification"
    target = Classes()
    measures = ("error_rate", "accuracy", "macro_f1", "auc", "log_loss")
    views = ("confusion",)

    def __init__(self, preparation: Preparation, options: Options | None = None) -> None:
        super().__init__(preparation, options)
        self.classes = preparation.classes
        self.weights = weights_of(preparation, even=self.options.class_weights)

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(prediction, batch.target[:, 0].long(), self.weights)

    def losses(self, prediction: Tensor, batch: Batch) -> Tensor:
        return super().losses(prediction, batch) * self.weights[batch.target[:, 0].long()]

    def selection(self, prediction: Tensor, batch: Batch) -> Tensor:
        """The log loss: of few examples it tells more than how many are wrong."""
        label = batch.target[:, 0].long()
        return F.cross_entropy(prediction, label, self.weights, reduction="none")

    def together(self, predictions: Sequence[Tensor]) -> Tensor:
        """The mean of the probabilities."""
        if len(predictions) == 1:
            return predictions[0]
        chances = torch.stack(list(predictions)).log_softmax(-1)
        return chances.logsumexp(0) - math.log(len(predictions))

    def details(self, told: Told) -> dict[str, Any]:
        """The confusion matrix, a list of counts of predictions for each true class."""
        count = len(self.classes)
        both = told.label * count + told.chances.argmax(-1)
        return {"confusion": torch.bincount(both, minlength=count * count).view(-1, count).tolist()}

    @classmethod
    def shown(cls, layout: Layout) -> tuple[str, ...]:
        return ("macro_f1",)
