"""Logistic regression on one row a sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.baselines._sequences import Features, Rows
from gatewright.baselines._spread import evenly
from gatewright.baselines.baseline import Fitted
from gatewright.data.prepared import Prepared
from gatewright.data.targets.classes import weights_of
from gatewright.tasks import Task

# Inverse penalties, the strongest first: a fit starts from the one before, and the search ends
# when validation gets worse.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
DEFAULT_STRENGTH = 1e-1  # where there is no validation part to choose on
MOST_NUMBERS = 5e7  # of the rows of training: 400 MB; of more, rows spread evenly are taken
ITERATIONS = 20_000  # far more than any fit on standardised features was seen to take
ABSENT = -30.0  # log-probability, up to a constant, of a class that training has not


class Logistic(Fitted):
    """Multinomial logistic regression by scikit-learn, penalty chosen by the log loss of
    validation; a class counts as the task says."""

    features: ClassVar[type[Features]]

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.rows = Rows(task, self.features)
        self.weights = torch.zeros(0, 0)  # (features, classes), in float64
        self.intercept = torch.zeros(0)  # (classes,)

    def fit(self, data: Prepared) -> None:
        train = self.task.examples.of_part(data, "train")
        rows = self.rows.fit(data, train)
        some = evenly(len(train), max(1, int(MOST_NUMBERS / rows.shape[1])))
        train, rows = train[some], rows[some]
        label = data.target[train, 0].long()
        validation = self.task.examples.of_part(data, "validation")
        self._choose(rows, label, self.rows(data, validation), data.target[validation, 0].long())

    def _choose(self, rows: Tensor, label: Tensor, held_out: Tensor, held_label: Tensor) -> None:
        """Fit with one penalty after the other, and keep the best on what was held out."""
        present = label.unique()
        shape = (rows.shape[1], len(self.task.preparation.classes))
        self.weights = torch.zeros(shape, dtype=torch.float64)
        self.intercept = torch.full(shape[1:], ABSENT, dtype=torch.float64)
        self.intercept[present] = 0.0
        if len(present) < 2:  # nothing to tell apart
            return
        best = math.inf
        chosen = self.weights, self.intercept
        strengths = STRENGTHS if len(held_out) else (DEFAULT_STRENGTH,)
        for number, (weights, intercept) in enumerate(self._solutions(rows, label, strengths)):
            self.weights, self.intercept = chosen[0].clone(), chosen[1].clone()
            self.weights[:, present], self.intercept[present] = weights, intercept
            loss = self._loss(held_out, held_label)
            if number and not loss < best:
                break
            best, chosen = loss, (self.weights, self.intercept)
        self.weights, self.intercept = chosen

    def _solutions(
        self, rows: Tensor, label: Tensor, strengths: Sequence[float]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """(features, classes present) and (classes present,) for each strength, lazily."""
        from sklearn.linear_model import LogisticRegression

        balanced = "balanced" if self.task.options.class_weights else None
        model = LogisticRegression(class_weight=balanced, max_iter=ITERATIONS, warm_start=True)
        for strength in strengths:
            model.set_params(C=strength).fit(rows.numpy(), label.numpy())
            weights, intercept = torch.from_numpy(model.coef_), torch.from_numpy(model.intercept_)
            if len(weights) == 1:  # of two classes, the second one's score against the first's
                weights = torch.cat([torch.zeros_like(weights), weights])
                intercept = torch.cat([torch.zeros_like(intercept), intercept])
            yield weights.T, intercept

    def _loss(self, rows: Tensor, label: Tensor) -> float:
        """The log loss, each class counted as the task counts it; NaN without rows."""
        weights = weights_of(self.task.preparation, even=self.task.options.class_weights)
        return F.cross_entropy(self._scores(rows), label, weights).item()

    def _scores(self, rows: Tensor) -> Tensor:
        return torch.addmm(self.intercept, rows, self.weights).log_softmax(1).float()

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self._scores(self.rows(data, examples))

    def state(self) -> dict[str, Tensor]:
        return {**self.rows.state(), "weights": self.weights, "intercept": self.intercept}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.rows.restore(state)
        self.weights, self.intercept = state["weights"], state["intercept"]

    def parameters(self) -> int:
        return self.weights.numel() + self.intercept.numel()
