"""What every task answers, so that training and comparing need not know which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation, Prepared
from gatewright.setting import Options, Setting


class Task(ABC):
    """One kind of question: its examples, its networks, its loss, and how answers are judged.

    A prediction is one tensor, the same from networks and baselines, its first dimension the
    batch; the task says what the others are.
    """

    name: ClassVar[str]  # the name of the file
    title: ClassVar[str]
    kind: ClassVar[str]  # what examples are to statistics: "origins" or "sequences"
    metric: ClassVar[str]  # what ``losses`` gives, in words

    def __init__(self, preparation: Preparation, options: Options | None = None) -> None:
        self.preparation = preparation
        self.layout = preparation.layout
        self.options = options or Options()

    @property
    @abstractmethod
    def variants(self) -> tuple[str, ...]:
        """Choices that are tried beside learning rate, layers and dropout; the usual one first."""

    @abstractmethod
    def examples(self, data: Prepared, part: str) -> Tensor:
        """The examples of "train", "validation" or "test", (n,) int64."""

    @abstractmethod
    def batch(self, data: Prepared, examples: Tensor) -> Batch:
        """Some examples, gathered."""

    @abstractmethod
    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        """A network whose ``forward(batch)`` gives a prediction, newly initialised."""

    def rows(self, setting: Setting) -> int:
        """How many sequences a network with this setting makes of one example."""
        return 1

    @abstractmethod
    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        """What training makes small, a scalar: a mean over what is known of the targets."""

    @abstractmethod
    def losses(self, prediction: Tensor, batch: Batch) -> Tensor:
        """What candidates are judged by, one number an example, (batch,).

        NaN where an example has no target.
        """

    def units(self, data: Prepared, examples: Tensor) -> np.ndarray[Any, Any]:
        """Which examples belong together in statistics, (n,): same number, same unit."""
        return np.asarray(examples)

    def calibrate(self, prediction: Tensor, target: Tensor) -> Tensor | None:
        """What is added to predictions from now on, learned from those on validation."""
        return None

    def finish(self, prediction: Tensor, calibration: Tensor | None) -> Tensor:
        """A whole prediction of what a network or baseline gave, with ``calibrate``'s result."""
        return prediction

    @abstractmethod
    def measures(self, prediction: Tensor, target: Tensor) -> dict[str, Any]:
        """Everything else worth telling of predictions: plain numbers and lists by name."""
