"""How good a model is on a part of the split, and what it said there that is worth showing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gatewright import measures
from gatewright.data.prepared import Prepared
from gatewright.measures import Measured, Told, take
from gatewright.tasks import Task
from gatewright.training import Model, evenly

TEST_EXAMPLES = 20_000  # at most, evenly spaced
MEASURED = 1 << 21  # numbers of predictions that are measured at once
TIMED = 512  # examples a block, where predictions are timed


class Judged(BaseModel):
    """How a model did on one part of the split: the task's metric, and what else it tells."""

    model_config = ConfigDict(frozen=True)

    metric: str  # what ``loss`` is, in words
    loss: float  # mean over examples
    units: int
    by_series: bool = False  # what the units are
    measures: Measured = Measured()


@dataclass(frozen=True)
class Answers:
    """What a model predicted of some examples, and what came: the first dimension is theirs."""

    examples: Tensor
    prediction: Tensor
    target: Tensor
    losses: Tensor  # (examples,): what candidates are judged by, NaN where there is no target
    units: Tensor  # (examples,): which of them belong together in statistics
    seconds: float  # that predicting took

    def by_unit(self) -> tuple[Tensor, Tensor]:
        """The loss of each unit (units,) in float64, and the units in ascending order.

        Their mean is that of the examples, which count the same whatever unit they are in. What the
        mean loss of a unit is off from that of all counts as often as the unit has more examples
        than others: its examples' sum, but so that sizes add no variance, as in a ratio of two
        sums (Cochran 1977, Sampling Techniques, chapter 6).
        """
        known = ~self.losses.isnan()
        losses = self.losses[known].double()
        units, index = self.units[known].unique(sorted=True, return_inverse=True)
        sizes = torch.bincount(index, minlength=len(units)).double()
        means = torch.zeros(len(units), dtype=torch.float64).index_add_(0, index, losses) / sizes
        shares = sizes / sizes.mean()  # exactly 1 where all have the same size
        return means * shares + losses.mean() * (1 - shares), units


@dataclass(frozen=True)
class Showing:
    """What is kept of predictions to be shown."""

    tensors: dict[str, Tensor]
    items: tuple[str, ...]  # the series or the sequence of each
    series: int  # or sequences that all examples are of


def answer(model: Model, data: Prepared, examples: Tensor, block: int | None = None) -> Answers:
    """Predict some examples, so many at once; by default as the model does."""
    task, seconds = model.task, 0.0
    predictions, targets, losses = [], [], []
    for some in examples.split(block or max(1, len(examples))):
        started = time.perf_counter()
        predictions.append(model.predict(data, some))
        seconds += time.perf_counter() - started
        batch = task.examples.batch(data, some)
        targets.append(batch.target)
        losses.append(task.losses(predictions[-1], batch))
    return Answers(
        examples=examples,
        prediction=task.examples.joined(predictions),
        target=task.examples.joined(targets),
        losses=torch.cat(losses),
        units=torch.as_tensor(task.examples.units(data, examples)),
        seconds=seconds,
    )


def measured(task: Task, data: Prepared, answers: Answers) -> Measured:
    """Every measure of the task on some answers, and what its views show."""

    def told(begin: int, end: int) -> Told:
        some = slice(begin, end)
        return task.told(
            answers.prediction[some], answers.target[some], data, answers.examples[some]
        )

    def pieces() -> Iterator[Told]:
        count = len(answers.examples)
        step = max(1, MEASURED // max(1, answers.prediction[:1].numel()))
        yield from (told(begin, begin + step) for begin in range(0, count, step))

    each = [measures.get(name) for name in task.measures]
    layout, whole = task.layout, told(0, len(answers.examples))
    labels = {
        "step": [str(step + 1) for step in range(layout.horizon)],
        "series": data.items,
        "target": layout.targets,
    }
    found = take(each, pieces(), whole, labels)
    return found.model_copy(update={"details": dict(task.details(whole))})


def answer_part(model: Model, data: Prepared, part: str) -> Answers | None:
    """What it predicts of a part of the split, "validation" or "test"; None where it has no
    examples."""
    every = model.task.examples.of_part(data, part)
    return answer(model, data, evenly(every, TEST_EXAMPLES), TIMED) if len(every) else None


def judge(model: Model, data: Prepared, part: str) -> Judged | None:
    """The metric of a part of the split; None where it has no examples."""
    answers = answer_part(model, data, part)
    return None if answers is None else judged(model.task, data, answers)


def judged(task: Task, data: Prepared, answers: Answers) -> Judged:
    """The metric of some answers, and what else they tell."""
    losses, units = answers.by_unit()
    return Judged(
        metric=task.metric,
        loss=losses.mean().item(),
        units=len(units),
        by_series=task.examples.by_series(data, answers.examples),
        measures=measured(task, data, answers),
    )


def to_show(task: Task, data: Prepared, answers: Answers) -> Showing:
    """Some answers, evenly spaced, with what a picture of them needs."""
    chosen = evenly(torch.arange(len(answers.examples)), task.examples.shown)
    examples = answers.examples[chosen]
    tensors = {
        "shown": examples,
        "shown_prediction": answers.prediction[chosen],
        "shown_target": answers.target[chosen],
    }
    for name, value in task.examples.beside(data, examples).items():
        tensors[f"shown_{name}"] = value
    names = [data.items[item] for item in task.examples.items(data, examples).tolist()]
    every = task.examples.items(data, answers.examples)
    return Showing(tensors, tuple(names), series=len(every.unique()))
