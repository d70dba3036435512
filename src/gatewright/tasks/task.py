"""What every task says of itself, so that training and comparing need not know which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.question import Examples, Target
from gatewright.setting import Options, Setting


class Task(ABC):
    """One kind of question: its examples and its target, its networks, its loss, its measures.

    A prediction is one tensor, the same from networks and baselines, its first dimension the
    batch; the task says what the others are.
    """

    name: ClassVar[str]  # the name of the file
    title: ClassVar[str]
    examples: ClassVar[Examples]
    target: ClassVar[Target]
    metric: ClassVar[str]  # what ``losses`` gives, in words
    views: ClassVar[tuple[str, ...]] = ()  # of its predictions: names of files in report/views

    @classmethod
    def asks(cls, targets: str) -> str:
        """The task on some targets, in words."""
        return f"{cls.title}: {targets}"

    def __init__(self, preparation: Preparation, options: Options | None = None) -> None:
        self.preparation = preparation
        self.layout = preparation.layout
        self.options = options or Options()

    def choices(self, data: Prepared) -> tuple[tuple[str, ...], ...]:
        """What else is tried of networks on some data, in words: of each tuple one word goes into a
        setting; the usual one comes first."""
        return ()

    @property
    def segments(self) -> tuple[int, ...]:
        """How many steps a network may read at once; the usual number comes first."""
        return (1,)

    def usual(self, data: Prepared) -> Setting:
        """What is tried first."""
        words = tuple(words[0] for words in self.choices(data))
        return Setting(segment=self.segments[0], choices=words)

    def seen(self, data: Prepared, setting: Setting) -> Prepared:
        """The data as a candidate with this setting sees them."""
        return data

    def told(
        self, prediction: Tensor, data: Prepared, examples: Tensor, setting: Setting
    ) -> Tensor:
        """What a candidate that saw ``seen`` predicts, as a prediction of the data themselves."""
        return prediction

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

    def selection(self, prediction: Tensor, batch: Batch) -> Tensor:
        """What epochs and settings are chosen by on validation, one number an example, (batch,).

        NaN where an example has no target.
        """
        return self.losses(prediction, batch)

    def calibrate(self, prediction: Tensor, target: Tensor) -> Tensor | None:
        """What is added to predictions from now on, learned from those on validation."""
        return None

    def finish(self, prediction: Tensor, calibration: Tensor | None) -> Tensor:
        """A whole prediction of what a network or baseline gave, with ``calibrate``'s result."""
        return prediction

    def together(self, predictions: Sequence[Tensor]) -> Tensor:
        """One prediction of those of several networks of the same kind: their mean."""
        return torch.stack(list(predictions)).mean(0) if len(predictions) > 1 else predictions[0]

    @abstractmethod
    def measures(self, prediction: Tensor, target: Tensor) -> dict[str, Any]:
        """Everything else worth telling of predictions: plain numbers and lists by name."""
