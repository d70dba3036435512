"""What every task says of itself, so that training and comparing need not know which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gatewright import measures
from gatewright.data.batching import Batch
from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.question import Examples, Target
from gatewright.errors import InputError, argument
from gatewright.measures import Averaged, Measure, Told
from gatewright.setting import Options, Setting

Predicted = tuple[Tensor, Tensor, Tensor]  # predictions, targets and the examples that they are of


class Task(ABC):
    """One kind of question: its examples and its target, its networks, its loss, its measures.

    A prediction is one tensor, the same from networks and baselines, its first dimension the
    batch; the task says what the others are.
    """

    name: ClassVar[str]  # the name of the file
    title: ClassVar[str]
    examples: ClassVar[Examples]
    target: ClassVar[Target]
    measures: ClassVar[tuple[str, ...]]  # names of files in measures; the first one decides,
    # unless another is asked for
    levels: ClassVar[tuple[float, ...]] = ()  # of the quantiles that a prediction has
    views: ClassVar[tuple[str, ...]] = ()  # of its predictions: names of files in report/views

    @classmethod
    def asks(cls, targets: str) -> str:
        """The task on some targets, in words."""
        return f"{cls.title}: {targets}"

    @classmethod
    def deciding(cls, options: Options) -> Averaged:
        """The measure that candidates are judged by.

        Raises InputError where the one asked for is none of this task, or gives no loss of a
        single example, as tests between candidates need it.
        """
        asked = options.metric or cls.measures[0]
        every = {name: measures.get(name) for name in cls.measures}
        able = {
            name: each
            for name, each in every.items()
            if isinstance(each, Averaged) and each.decides
        }
        if asked in able:
            return able[asked]
        why = f"is no measure of a {cls.title}"
        if asked in every:
            why = f"gives no loss of a single {cls.examples.unit}, so that nothing can be tested"
        raise InputError(f"{argument('metric', asked)} {why}: give one of {', '.join(able)}")

    def __init__(self, preparation: Preparation, options: Options | None = None) -> None:
        self.preparation = preparation
        self.layout = preparation.layout
        self.options = options or Options()
        self.decides = self.deciding(self.options)

    def choices(self, data: Prepared) -> tuple[tuple[str, ...], ...]:
        """What else is tried of networks on some data, in words: of each tuple one word goes into a
        setting; the usual one comes first."""
        return ()

    def segments(self, data: Prepared) -> tuple[int, ...]:
        """How many steps a network may read at once; the usual number comes first."""
        return (1,)

    def usual(self, data: Prepared) -> Setting:
        """What is tried first."""
        words = tuple(words[0] for words in self.choices(data))
        return Setting(segment=self.segments(data)[0], choices=words)

    def seen(self, data: Prepared, setting: Setting) -> Prepared:
        """The data as a candidate with this setting sees them."""
        return data

    def restored(
        self, prediction: Tensor, data: Prepared, examples: Tensor, setting: Setting
    ) -> Tensor:
        """What a candidate that saw ``seen`` predicts, as a prediction of the data themselves,
        within the limits of the targets."""
        if not self.preparation.limits:
            return prediction
        return self.target.limited(prediction, *self.examples.limits(data, examples))

    @abstractmethod
    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        """A network whose ``forward(batch)`` gives a prediction, newly initialised."""

    def rows(self, setting: Setting) -> int:
        """How many sequences a network with this setting makes of one example."""
        return 1

    @abstractmethod
    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        """What training makes small, a scalar: a mean over what is known of the targets."""

    @property
    def metric(self) -> str:
        """What ``losses`` gives, in words."""
        return self.decides.decides

    def losses(self, prediction: Tensor, batch: Batch) -> Tensor:
        """What candidates are judged by, one number an example, (batch,) in float64.

        NaN where an example has no target.
        """
        return self.decides.losses(self.told(prediction, batch.target, batch.data, batch.examples))

    def told(self, prediction: Tensor, target: Tensor, data: Prepared, examples: Tensor) -> Told:
        """Some predictions beside what came, for measures."""
        return Told(self.examples, data, examples, prediction, target, self.levels)

    def selection(self, prediction: Tensor, batch: Batch) -> Tensor:
        """What epochs and settings are chosen by on validation, one number an example, (batch,).

        NaN where an example has no target.
        """
        return self.losses(prediction, batch)

    def calibrate(self, validation: Predicted, training: Predicted) -> Tensor | None:
        """What ``finish`` needs, learned from predictions and targets of examples, (n,) each in
        ascending order; asked for of a task with ``levels``."""
        return None

    def carried(self, calibration: Tensor, before: Preparation, setting: Setting) -> Tensor:
        """What ``calibrate`` gave with another preparation of the same layout, for this one."""
        return calibration

    def finish(self, prediction: Tensor, calibration: Tensor | None) -> Tensor:
        """A whole prediction of what a network or baseline gave, with ``calibrate``'s result."""
        return prediction

    def together(self, predictions: Sequence[Tensor]) -> Tensor:
        """One prediction of those of several networks of the same kind: their mean."""
        return torch.stack(list(predictions)).mean(0) if len(predictions) > 1 else predictions[0]

    def details(self, told: Told) -> Mapping[str, Any]:
        """What its views show of predictions beside the measures: plain lists by name."""
        return {}

    @classmethod
    def beside(cls, options: Options, layout: Layout) -> list[Measure]:
        """The measures of ``shown`` but for the one that decides."""
        decided = cls.deciding(options).name
        return [measures.get(name) for name in cls.shown(layout) if name != decided]

    @classmethod
    def shown(cls, layout: Layout) -> tuple[str, ...]:
        """The measures that a short table shows beside the one that decides."""
        return ()
