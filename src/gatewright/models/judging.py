"""How good a model is on a part of the split, and what it said there that is worth showing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gatewright.data.prepared import Prepared
from gatewright.training import Model, Stopping, evenly

TEST_EXAMPLES = 20_000  # at most, evenly spaced
TIMED = 512  # examples a block, where predictions are timed
SHOWN = {"origins": 6, "sequences": 500}  # predictions kept for the report, by the task's kind
HISTORY = 2  # horizons before an origin that the report shows, or 24 steps


class Judged(BaseModel):
    """How a model did on one part of the split: the task's metric, and what else it tells."""

    model_config = ConfigDict(frozen=True)

    metric: str  # what ``loss`` is, in words
    loss: float  # mean over units
    units: int
    measures: dict[str, Any] = {}


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
        """The mean loss of each unit (units,) in float64, and the units in ascending order."""
        known = ~self.losses.isnan()
        units, index = self.units[known].unique(sorted=True, return_inverse=True)
        total = torch.zeros(len(units), dtype=torch.float64)
        total.index_add_(0, index, self.losses[known].double())
        return total / torch.bincount(index, minlength=len(units)), units


@dataclass(frozen=True)
class Showing:
    """What is kept of predictions to be shown."""

    tensors: dict[str, Tensor]
    items: tuple[str, ...]  # the series or the sequence of each
    series: int = 0  # that all examples of a forecast are of


def answer(model: Model, data: Prepared, examples: Tensor, block: int | None = None) -> Answers:
    """Predict some examples, so many at once; by default as the model does."""
    task, seconds = model.task, 0.0
    predictions, targets, losses = [], [], []
    for some in examples.split(block or max(1, len(examples))):
        started = time.perf_counter()
        predictions.append(model.predict(data, some))
        seconds += time.perf_counter() - started
        batch = task.batch(data, some)
        targets.append(batch.target)
        losses.append(task.losses(predictions[-1], batch))
    return Answers(
        examples=examples,
        prediction=torch.cat(predictions),
        target=torch.cat(targets),
        losses=torch.cat(losses),
        units=torch.as_tensor(task.units(data, examples)),
        seconds=seconds,
    )


def judge(model: Model, data: Prepared, part: str) -> Judged | None:
    """The metric of a part of the split, "validation" or "test"; None where it has no examples."""
    task = model.task
    examples = evenly(task.examples(data, part), TEST_EXAMPLES)
    if not len(examples):
        return None
    answers = answer(model, data, examples)
    losses, units = answers.by_unit()
    return Judged(
        metric=task.metric,
        loss=losses.mean().item(),
        units=len(units),
        measures=task.measures(answers.prediction, answers.target),
    )


def judge_validation(model: Model, data: Prepared, stopping: Stopping) -> tuple[float, float]:
    """The training loss and the metric on the examples of validation that training looks at."""
    task = model.task
    examples = evenly(task.examples(data, "validation"), stopping.validation_examples)
    answers = answer(model, data, examples)
    if model.epochs:
        loss = model.epochs[model.best_epoch - 1].validation_loss
    else:
        loss = task.loss(answers.prediction, task.batch(data, examples)).item()
    return loss, answers.losses.nanmean().item()


def to_show(kind: str, data: Prepared, answers: Answers) -> Showing:
    """Some answers, evenly spaced, with what a picture of them needs; ``kind``: the task's."""
    chosen = evenly(torch.arange(len(answers.examples)), SHOWN[kind])
    items = examples = answers.examples[chosen]
    tensors = {
        "shown": examples,
        "shown_prediction": answers.prediction[chosen],
        "shown_target": answers.target[chosen],
    }
    series = 0
    if kind == "origins":
        items = _series_of(data, examples)
        tensors |= lead_up(data, examples, items)
        series = len(_series_of(data, answers.examples).unique())
    return Showing(tensors, tuple(data.items[item] for item in items.tolist()), series)


def lead_up(data: Prepared, origins: Tensor, series: Tensor) -> dict[str, Tensor]:
    """What a picture of some forecasts needs beside them; ``series``: their numbers.

    The targets before each origin (n, history, targets), NaN where there is none; the times of
    those steps and of the horizon (n, history + horizon); what turns both into the column's units.
    """
    layout = data.layout
    history = min(layout.context, max(HISTORY * layout.horizon, 24))
    rows = origins[:, None] + torch.arange(-history, layout.horizon)
    start = data.bounds[series, 0][:, None]
    seen = data.target[rows[:, :history].clamp(min=0)]
    seen = seen.where((rows[:, :history] >= start)[..., None], torch.nan)
    return {
        "shown_before": seen,
        "shown_time": data.time[rows.maximum(start)],
        "shown_center": data.center[series],
        "shown_scale": data.scale[series],
    }


def _series_of(data: Prepared, origins: Tensor) -> Tensor:
    """The number of the series that each origin is in."""
    return torch.bucketize(origins, data.bounds[:, 0].contiguous(), right=True) - 1
