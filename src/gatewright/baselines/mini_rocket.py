"""MiniRocket, for classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.baselines._mini_rocket import MiniRocket
from gatewright.data.prepared import Prepared
from gatewright.data.targets.classes import Classes, weights_of
from gatewright.tasks import Task

SHARPNESS = torch.logspace(-1, 2.5, 71, dtype=torch.float64)  # tried: one over a temperature


class MiniRocketClasses(MiniRocket):
    """Ridge regression on which class it is, one output a class, made chances by a temperature
    (Guo and others 2017, On Calibration of Modern Neural Networks) chosen with the penalty."""

    target = Classes

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.sharpness = torch.tensor(10.0)
        # Where each class counts the same, what is told is the chance as if all were as frequent.
        weights = weights_of(task.preparation, even=task.options.class_weights)
        self.shift = weights.clamp(max=weights[weights.isfinite()].max()).log()

    def kinds(self, target: Tensor) -> Tensor:
        return target[:, 0].long()

    def encoded(self, target: Tensor) -> Tensor:
        return F.one_hot(target[:, 0].long(), len(self.task.preparation.classes)).double()

    def judge(self, told: Tensor, target: Tensor) -> float:
        return self._losses(told, target).min().item() if len(told) else torch.nan

    def settle(self, told: Tensor, target: Tensor) -> None:
        self.sharpness = SHARPNESS[self._losses(told, target).argmin()].float()

    def _losses(self, told: Tensor, target: Tensor) -> Tensor:
        """The log loss at each sharpness, as if a part of one answer more had been wrong: after a
        few right ones no chance is 1."""
        label = target[:, 0].long()
        wrong = 1 / (len(label) + 1)
        losses = [
            F.cross_entropy(
                self._chances(told, sharpness),
                label,
                self.shift.exp().double(),
                label_smoothing=wrong,
            )
            for sharpness in SHARPNESS
        ]
        return torch.stack(losses)

    def _chances(self, told: Tensor, sharpness: Tensor) -> Tensor:
        return (told * sharpness + self.shift).log_softmax(1)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self._chances(self.told(data, examples), self.sharpness)

    def state(self) -> dict[str, Tensor]:
        return {**super().state(), "sharpness": self.sharpness}

    def restore(self, state: dict[str, Tensor]) -> None:
        super().restore(state)
        self.sharpness = state["sharpness"]
