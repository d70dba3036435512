"""Ridge regression on one row a sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from gatewright.baselines._ridge import Line, Piece, fit
from gatewright.baselines._sequences import Features, Rows, learned_from
from gatewright.baselines.baseline import Fitted
from gatewright.data.prepared import Prepared
from gatewright.tasks import Task


class RidgeSequences(Fitted):
    """The penalty is chosen by squared error on validation."""

    features: ClassVar[type[Features]]

    line: Line
    penalty: float  # for each row

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.rows = Rows(task, self.features)

    def fit(self, data: Prepared) -> None:
        train = self.task.examples.of_part(data, "train")
        validation = self.task.examples.of_part(data, "validation")
        rows = self.rows.fit(data, train)
        held_out, held_target = self.rows(data, validation), data.target[validation]

        def judge(line: Line) -> float:
            return (line(held_out) - held_target).square().nanmean().item()

        self.line, _ = fit(lambda: _pieces(rows, data.target[train]), judge)
        self.penalty = self.line.alpha / len(train)

    def refit(self, data: Prepared) -> None:
        both = learned_from(self.task, data)
        rows = self.rows.fit(data, both)

        def judge(line: Line) -> float:
            return abs(math.log(line.alpha / (self.penalty * len(both))))

        self.line, _ = fit(lambda: _pieces(rows, data.target[both]), judge)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self.line(self.rows(data, examples)).float()

    def state(self) -> dict[str, Tensor]:
        alphas = {"alpha": self.line.alpha, "penalty": self.penalty}
        return {
            **self.rows.state(),
            "weights": self.line.weights,
            "intercept": self.line.intercept,
            **{name: torch.tensor(one, dtype=torch.float64) for name, one in alphas.items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        self.rows.restore(state)
        self.line = Line(state["weights"], state["intercept"], state["alpha"].item())
        self.penalty = state["penalty"].item()

    def parameters(self) -> int:
        return self.line.weights.numel() + self.line.intercept.numel()


def _pieces(rows: Tensor, target: Tensor) -> Iterator[Piece]:
    yield rows, target.double(), torch.zeros_like(target, dtype=torch.float64)
