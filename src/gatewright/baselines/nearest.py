"""The class of the nearest sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._neighbours import Neighbours
from gatewright.data.examples.sequences import Sequences
from gatewright.data.targets.classes import Classes
from gatewright.tasks import Task


class Nearest(Neighbours):
    """The chance of being right is the share of right answers among those it was chosen by; the
    other classes share the rest evenly."""

    title = "nearest neighbour"
    summary = (
        "gives the class of the nearest sequence of training, by Euclidean distance or warped in "
        "time, all stretched to one length; of very many, some of each class are compared"
    )
    source = "Sakoe and Chiba, Dynamic Programming Algorithm Optimization, 1978"
    examples = Sequences
    target = Classes
    counts = (1,)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.trust = torch.tensor(0.9)

    def kinds(self, target: Tensor) -> Tensor:
        return target[:, 0].long()

    def answers_of(self, targets: Tensor) -> Tensor:
        classes = len(self.task.preparation.classes)
        others = (1 - self.trust) / max(1, classes - 1)
        chances = others.expand(len(targets), classes).clone()
        return chances.scatter_(1, targets[:, 0].long(), self.trust.item()).log()

    def settle(self, answers: Tensor, target: Tensor) -> None:
        right = (answers.argmax(1) == target[:, 0]).sum()
        # As if one more had been right and one wrong; and never below the chance of a guess.
        least = 1.1 / max(2, len(self.task.preparation.classes))
        self.trust = ((right + 1) / (len(target) + 2)).clamp(min=least)

    def state(self) -> dict[str, Tensor]:
        return {**super().state(), "trust": self.trust}

    def restore(self, state: dict[str, Tensor]) -> None:
        super().restore(state)
        self.trust = state["trust"]
