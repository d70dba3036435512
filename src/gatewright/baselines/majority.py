"""The most frequent class, whatever the sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._sequences import learned_from
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.sequences import Sequences
from gatewright.data.prepared import Prepared
from gatewright.data.targets.classes import Classes


class Majority(Fitted):
    title = "most frequent class"
    summary = "gives each class the chance it has in training, whatever the sequence"
    examples = Sequences
    target = Classes
    trivial = True

    log_chances: Tensor  # (classes,)

    def fit(self, data: Prepared) -> None:
        self._learn(data, self.task.examples.of_part(data, "train"))

    def refit(self, data: Prepared) -> None:
        self._learn(data, learned_from(self.task, data))

    def _learn(self, data: Prepared, examples: Tensor) -> None:
        label = data.target[examples, 0].long()
        counts = torch.bincount(label, minlength=len(self.task.preparation.classes)).double()
        # Half a sequence for a class without any, so that its logarithm is finite.
        counts = counts.clamp(min=0.5)
        self.log_chances = (counts / counts.sum()).log().float()

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self.log_chances.expand(len(examples), -1)

    def state(self) -> dict[str, Tensor]:
        return {"log_chances": self.log_chances}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.log_chances = state["log_chances"]
