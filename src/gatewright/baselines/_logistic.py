"""Logistic regression on one row a sequence."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.baselines._sequences import Features, Rows, learned_from
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
        self.strength = DEFAULT_STRENGTH
        self.weights = torch.zeros(0, 0)  # (features, classes), in float64
        self.intercept = torch.zeros(0)  # (classes,)

    def fit(self, data: Prepared) -> None:
        rows, label = self._rows(data, self.task.examples.of_part(data, "train"))
        validation = self.task.examples.of_part(data, "validation")
        held_out, held_label = self.rows(data, validation), data.target[validation, 0].long()
        strengths = STRENGTHS if len(validation) else (DEFAULT_STRENGTH,)
        best, chosen = math.inf, None
        for strength, *solution in self._solutions(rows, label, strengths):
            self.weights, self.intercept = solution
            loss = self._loss(held_out, held_label)
            if chosen is not None and not loss < best:
                break
            best, chosen, self.strength = loss, solution, strength
        assert chosen is not None, "there is a solution for every strength"
        self.weights, self.intercept = chosen

    def refit(self, data: Prepared) -> None:
        rows, label = self._rows(data, learned_from(self.task, data))
        ((_, self.weights, self.intercept),) = self._solutions(rows, label, (self.strength,))

    def _rows(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of examples, or of some of very many, and their labels."""
        rows = self.rows.fit(data, examples)
        some = evenly(len(examples), max(1, int(MOST_NUMBERS / rows.shape[1])))
        return rows[some], data.target[examples[some], 0].long()

    def _solutions(
        self, rows: Tensor, label: Tensor, strengths: Sequence[float]
    ) -> Iterator[tuple[float, Tensor, Tensor]]:
        """Each strength with (features, classes) and (classes,), one after the other."""
        from sklearn.linear_model import LogisticRegression

        present = label.unique()
        shape = (rows.shape[1], len(self.task.preparation.classes))
        balanced = "balanced" if self.task.options.class_weights else None
        model = LogisticRegression(class_weight=balanced, max_iter=ITERATIONS, warm_start=True)
        for strength in strengths:
            weights = torch.zeros(shape, dtype=torch.float64)
            intercept = torch.full(shape[1:], ABSENT, dtype=torch.float64)
            intercept[present] = 0.0
            if len(present) > 1:  # there is something to tell apart
                with warnings.catch_warnings():
                    # Of many classes with two sequences each, that they might be numbers.
                    warnings.filterwarnings("ignore", "The number of unique classes")
                    model.set_params(C=strength).fit(rows.numpy(), label.numpy())
                # Of two classes it has the second one's score against the first's.
                telling = present[-len(model.coef_) :]
                weights[:, telling] = torch.from_numpy(model.coef_).T
                intercept[telling] = torch.from_numpy(model.intercept_)
            yield strength, weights, intercept

    def _loss(self, rows: Tensor, label: Tensor) -> float:
        """The log loss, each class counted as the task counts it; NaN without rows."""
        weights = weights_of(self.task.preparation, even=self.task.options.class_weights)
        return F.cross_entropy(self._scores(rows), label, weights).item()

    def _scores(self, rows: Tensor) -> Tensor:
        return torch.addmm(self.intercept, rows, self.weights).log_softmax(1).float()

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self._scores(self.rows(data, examples))

    def state(self) -> dict[str, Tensor]:
        return {
            **self.rows.state(),
            "weights": self.weights,
            "intercept": self.intercept,
            "strength": torch.tensor(self.strength, dtype=torch.float64),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        self.rows.restore(state)
        self.weights, self.intercept = state["weights"], state["intercept"]
        self.strength = state["strength"].item()

    def parameters(self) -> int:
        return self.weights.numel() + self.intercept.numel()
