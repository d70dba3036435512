"""What a baseline is: fitted at once, or trained as the networks are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.question import Examples, Target
from gatewright.setting import Setting
from gatewright.tasks import Task


class Baseline(ABC):
    """A simple answer to a task, of which it is given all that the networks are given."""

    title: str  # as it stands in tables and sentences
    summary: str  # one sentence: what it does; an instance may say what it does on its data
    source: ClassVar[str] = ""  # paper and year
    examples: ClassVar[type[Examples]]  # of the tasks that it answers
    target: ClassVar[type[Target]]
    looks_back_on_all: ClassVar[bool] = False  # rows before an origin, not on a context or season
    trivial: ClassVar[bool] = False  # looks at nothing: no network that learned is worse
    extra: ClassVar[str] = ""  # the extra to install, and asked for by name only

    def __init__(self, task: Task) -> None:
        self.task = task

    @classmethod
    def answers(cls, task: type[Task]) -> bool:
        """Whether it is an answer to a task."""
        return type(task.examples) is cls.examples and isinstance(task.target, cls.target)

    @classmethod
    def suits(cls, layout: Layout) -> bool:
        """Whether it has something of its own to say of such data; asked for by name, it runs
        anyway."""
        return True


class Fitted(Baseline):
    """A baseline with a fit of its own; it may look at training and, to choose, validation."""

    @abstractmethod
    def fit(self, data: Prepared) -> None:
        """Learn from the part "train"; "validation" is there to choose on."""

    def refit(self, data: Prepared) -> None:
        """Learn again, from training and validation together, with what ``fit`` chose.

        Networks choose their number of epochs on validation; so a baseline has its use of it too.
        Called after its errors on validation were looked at, and again for a model of all rows:
        ``restore`` gives back what was chosen.
        """

    @abstractmethod
    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """What the task calls a prediction, of some examples; sees nothing from an origin on
        but channels that are known ahead. A forecast may give the point alone, (batch, horizon,
        targets, 1); its quantiles then come from its errors on validation."""

    def state(self) -> dict[str, Tensor]:
        """All that was learned, to be saved."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what ``state`` gave, instead of a fit."""

    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(value.numel() for value in self.state().values())


class Trained(Baseline):
    """A baseline that is a network, trained with the same budget as the recurrent ones."""

    @abstractmethod
    def network(self, setting: Setting) -> nn.Module:
        """The network, newly initialised: ``forward(batch)`` gives a prediction."""
