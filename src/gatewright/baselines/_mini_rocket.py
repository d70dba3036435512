"""MiniRocket: ridge regression on how much of a sequence looks like each of many patterns."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from gatewright.baselines._kernels import KERNELS, TAPS, Kernels
from gatewright.baselines._neighbours import shuffled
from gatewright.baselines._rotated import Rotated
from gatewright.baselines._sequences import learned_from
from gatewright.baselines._steps import Padded
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.sequences import Sequences
from gatewright.data.prepared import Prepared
from gatewright.tasks import Task

FEATURES = 119 * len(KERNELS)  # as the paper has them
FEWER = 24 * len(KERNELS)  # of more sequences than these, or where the work would be too much
MOST_STEPS = 512  # of a sequence; of longer ones, each step is the mean of some
WORK = 4e9  # steps that are compared with a bias, of all sequences: about a nanosecond each
PENALTIES = tuple(10.0**power for power in range(-5, 4))  # tried, for each feature
DEFAULT_PENALTY = 1e-1  # where there is nothing to choose by
LEARNED = ("dilations", "each", "channels", "biases")
MOST_NUMBERS = 5e7  # features of all sequences of training: 200 MB
DRAWN_FROM = 1024  # sequences that biases are quantiles of
ROWS = 1024  # sequences that are looked at at once


class MiniRocket(Fitted):
    """The penalty is chosen by validation, and, where no sequences belong together, by training
    whose sequences are left out one at a time."""

    title = "MiniRocket"
    summary = (
        "ridge regression on the shares of a sequence that look like each of some thousand small "
        "patterns, padded to the longest; of very many sequences, some are learned from"
    )
    source = "Dempster, Schmidt and Webb, MiniRocket, 2021"
    examples = Sequences

    kernels: Kernels
    center: Tensor  # (features,), of training
    scale: Tensor  # (features,)
    weights: Tensor  # (features, outputs)
    intercept: Tensor  # (outputs,)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = Padded(task.preparation, TAPS, MOST_STEPS)
        self.penalty = DEFAULT_PENALTY

    @abstractmethod
    def kinds(self, target: Tensor) -> Tensor:
        """(examples,): of which whole numbers all are to be kept, if few are."""

    @abstractmethod
    def encoded(self, target: Tensor) -> Tensor:
        """(examples, targets) as what ridge regression is to tell, (examples, outputs), float64."""

    @abstractmethod
    def judge(self, told: Tensor, target: Tensor) -> float:
        """The loss of what ridge regression tells; NaN of nothing."""

    def settle(self, told: Tensor, target: Tensor) -> None:
        """Learn how to read what ridge regression tells, of the penalty that was chosen."""

    def fit(self, data: Prepared) -> None:
        train, held_out = (
            self.task.examples.of_part(data, part) for part in ("train", "validation")
        )
        train, rows = self._learn(data, train)
        rotated, target = Rotated.of(rows), self.encoded(data.target[train])
        places = (self._rows(data, held_out) @ rotated.axes).double()
        tried = held_out if data.layout.group else torch.cat([held_out, train])
        best, chosen = math.inf, None
        for penalty in PENALTIES:
            solution = rotated.solve(target, penalty * rows.shape[1])
            told = places @ solution.weights + solution.mean
            if not data.layout.group:
                told = torch.cat([told, solution.left_out(target)])
            loss = self.judge(told, data.target[tried])
            if loss < best:
                best, chosen, self.penalty = loss, told, penalty
        if chosen is not None:
            self.settle(chosen, data.target[tried])
        self._solve(rotated, target)

    def refit(self, data: Prepared) -> None:
        both, rows = self._learn(data, learned_from(self.task, data))
        self._solve(Rotated.of(rows), self.encoded(data.target[both]))

    def _learn(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        """The patterns; returns the examples, some of each kind if there are very many, and their
        standardised rows."""
        self.features.fit(data, examples, self.task)
        both = len(learned_from(self.task, data))  # so that a second fit has as many features
        many = both > FEWER or both * FEATURES * int(self.features.steps) > WORK
        count = FEWER if many else FEATURES
        most = min(WORK / int(self.features.steps), MOST_NUMBERS) / count
        examples = examples[shuffled(self.kinds(data.target[examples]))[: max(1, int(most))]]
        drawn_from = self.features.of(data, examples[:DRAWN_FROM], self.task)
        self.kernels = Kernels.fit(*drawn_from, count)
        rows = self._shares(data, examples)
        self.center, scale = rows.mean(0), rows.std(0, correction=0)
        self.scale = torch.where(scale > 1e-6, scale, 1.0)
        return examples, (rows - self.center) / self.scale

    def _solve(self, rotated: Rotated, target: Tensor) -> None:
        solution = rotated.solve(target, self.penalty * len(self.center))
        self.weights = rotated.axes @ solution.weights.float() / self.scale[:, None]
        self.intercept = solution.mean.float() - self.center @ self.weights

    def _rows(self, data: Prepared, examples: Tensor) -> Tensor:
        return (self._shares(data, examples) - self.center) / self.scale

    def _shares(self, data: Prepared, examples: Tensor) -> Tensor:
        blocks = [
            self.kernels(*self.features.of(data, some, self.task)) for some in examples.split(ROWS)
        ]
        return torch.cat(blocks)

    def told(self, data: Prepared, examples: Tensor) -> Tensor:
        """What ridge regression tells, (examples, outputs)."""
        return torch.addmm(self.intercept, self._shares(data, examples), self.weights)

    def state(self) -> dict[str, Tensor]:
        kernels = {name: getattr(self.kernels, name) for name in LEARNED}
        return {
            **self.features.state(),
            **kernels,
            "weights": self.weights,
            "intercept": self.intercept,
            "penalty": torch.tensor(self.penalty, dtype=torch.float64),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        self.features.restore(state)
        self.kernels = Kernels(*(state[name] for name in LEARNED))
        self.weights, self.intercept = state["weights"], state["intercept"]
        self.penalty = state["penalty"].item()

    def parameters(self) -> int:
        return self.kernels.biases.numel() + self.weights.numel() + self.intercept.numel()
