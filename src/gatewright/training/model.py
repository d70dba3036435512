"""One candidate, fitted: a cell or a baseline with what it learned, to predict with and to keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from gatewright import baselines, cells, tasks
from gatewright.baselines import Fitted
from gatewright.data.prepared import Preparation, Prepared
from gatewright.setting import Options, Setting
from gatewright.tasks import Task
from gatewright.tasks.task import Predicted
from gatewright.training import checkpoint as files
from gatewright.training.loop import Epoch, Stopping, evenly, train
from gatewright.training.predicting import predict_network

VALIDATION_EXAMPLES = 4096  # at most, evenly spaced
TRAINING_EXAMPLES = 1024  # whose errors are looked at, at most
BLOCK = 1024  # examples a baseline predicts at once


class Recipe(BaseModel):
    """All that has to be known to make a candidate's network or baseline anew, untrained."""

    model_config = ConfigDict(frozen=True)

    candidate: str  # the name of a cell or of a baseline
    setting: Setting = Setting()
    hidden_size: int = 0  # cells only
    seed: int = 0
    options: Options = Options()

    def settled(self, usual: Setting) -> Recipe:
        """With what is usual where nothing was chosen of what the task offers."""
        if self.setting.choices:
            return self
        update = {"segment": usual.segment, "choices": usual.choices}
        return self.model_copy(update={"setting": self.setting.model_copy(update=update)})


@dataclasses.dataclass(frozen=True)
class Validation:
    """How good a model is on validation, before anything is learned from that too."""

    loss: float  # by which settings are chosen
    metric: float  # what candidates are judged by


@dataclasses.dataclass
class Part:
    """What one seed gave. ``epochs`` is empty where nothing was trained step by step."""

    seed: int
    learned: Fitted | nn.Module
    epochs: list[Epoch] = dataclasses.field(default_factory=list)
    best_epoch: int = 0


class Model:
    """A fitted candidate: the mean of what its parts predict, which differ in their seeds."""

    def __init__(self, recipe: Recipe, preparation: Preparation, seeds: Sequence[int] = ()) -> None:
        """An untrained one; ``fit``, ``joined`` and ``load`` give those that can predict."""
        self.recipe = recipe
        self.preparation = preparation
        self.task: Task = tasks.get(preparation.layout.task)(preparation, recipe.options)
        self.calibration: Tensor | None = None
        self.validation: Validation | None = None
        self._last_seen: tuple[Prepared, Prepared] | None = None
        self.parts = [self._untrained(seed) for seed in seeds or (recipe.seed,)]

    def _untrained(self, seed: int) -> Part:
        torch.manual_seed(seed)
        return Part(seed, make(self.task, self.recipe))

    @classmethod
    def fit(
        cls,
        recipe: Recipe,
        data: Prepared,
        stopping: Stopping,
        *,
        checkpoint: Path | None = None,
        plateau: Path | None = None,
        watch: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Model:
        """Fit one part on training, choose on validation. Raises DivergedError."""
        model = cls(recipe, data.preparation)
        (part,) = model.parts
        if isinstance(part.learned, Fitted):
            part.learned.fit(model._seen(data))
        else:
            model._train(part.learned, data, stopping, checkpoint, plateau, watch)
        model._validate(data)
        if isinstance(part.learned, Fitted):
            part.learned.refit(model._seen(data))
        return model

    def _train(
        self,
        network: nn.Module,
        data: Prepared,
        stopping: Stopping,
        checkpoint: Path | None,
        plateau: Path | None,
        watch: Callable[[Epoch], None],
    ) -> None:
        """Train the network of a model of one part."""
        (part,), recipe = self.parts, self.recipe
        trained = train(
            network,
            self.task,
            data,
            recipe.setting,
            stopping,
            recipe.seed,
            checkpoint=checkpoint,
            plateau=plateau,
            watch=watch,
        )
        part.epochs, part.best_epoch = trained.epochs, trained.best

    @classmethod
    def joined(cls, models: Sequence[Model], data: Prepared) -> Model:
        """One model of several that differ in their seeds."""
        model = cls(models[0].recipe, models[0].preparation)
        model.parts = [part for one in models for part in one.parts]
        model._validate(data)
        return model

    @classmethod
    def anew(
        cls,
        judged: Model,
        data: Prepared,
        stopping: Stopping,
        checkpoints: Sequence[Path],
        watch: Callable[[int, Epoch], None] = lambda seed, epoch: None,
    ) -> Model:
        """A model made as one was that is judged, of data that are all training.

        Of each part again: a network is trained for as many epochs as that one had at its best,
        with the whole course of the learning rate in them; a baseline learns with what it chose.
        Bands come from what the judged model learned from its errors on validation.

        checkpoints: a file for each part, to go on from; watch: told of the seed and each epoch.

        Raises DivergedError.
        """
        models = []
        for part, checkpoint in zip(judged.parts, checkpoints, strict=True):
            model = cls(judged.recipe.model_copy(update={"seed": part.seed}), data.preparation)
            learned = model.parts[0].learned
            if isinstance(learned, Fitted):
                assert isinstance(part.learned, Fitted), "both are of one candidate"
                learned.restore(part.learned.state())
                learned.refit(model._seen(data))
            else:
                length = {"epochs": part.best_epoch, "seconds": None}
                as_long = stopping.model_copy(update=length)
                model._train(learned, data, as_long, checkpoint, None, partial(watch, part.seed))
            models.append(model)
        model = cls.joined(models, data)
        if judged.calibration is not None:
            model.calibration = model.task.carried(
                judged.calibration, judged.preparation, judged.recipe.setting
            )
        return model

    def _validate(self, data: Prepared) -> None:
        """Learn from validation where the bands belong, and how good the model is there."""
        task, setting = self.task, self.recipe.setting
        training, data = data, task.examples.held_out(data)
        examples = evenly(task.examples.of_part(data, "validation"), VALIDATION_EXAMPLES)
        if not len(examples):
            return
        predicted = self._predicted(data, examples)
        if task.levels:
            trained = evenly(task.examples.of_part(training, "train"), TRAINING_EXAMPLES)
            self.calibration = task.calibrate(predicted, self._predicted(training, trained))
        finished = task.restored(
            task.finish(predicted[0], self.calibration), data, examples, setting
        )
        batch = task.examples.batch(data, examples)
        self.validation = Validation(
            loss=task.selection(finished, batch).nanmean().item(),
            metric=task.losses(finished, batch).nanmean().item(),
        )

    def _predicted(self, data: Prepared, examples: Tensor) -> Predicted:
        prediction = self._predict_seen(data, examples)
        return prediction, self.task.examples.batch(self._seen(data), examples).target, examples

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """What the task calls a prediction, of each example."""
        prediction = self.task.finish(self._predict_seen(data, examples), self.calibration)
        return self.task.restored(prediction, data, examples, self.recipe.setting)

    def _seen(self, data: Prepared) -> Prepared:
        """The data as the parts see them; made once for data that are asked for again and again."""
        if self._last_seen is None or self._last_seen[0] is not data:
            self._last_seen = data, self.task.seen(data, self.recipe.setting)
        return self._last_seen[1]

    def _predict_seen(self, data: Prepared, examples: Tensor) -> Tensor:
        seen = self._seen(data)
        return self.task.together(
            [self._predict_part(part.learned, seen, examples) for part in self.parts]
        )

    def _predict_part(
        self, learned: Fitted | nn.Module, seen: Prepared, examples: Tensor
    ) -> Tensor:
        if isinstance(learned, nn.Module):
            return predict_network(learned, self.task, seen, examples)
        blocks = [learned.predict(seen, some) for some in examples.split(BLOCK)]
        return self.task.examples.joined(blocks)

    @property
    def epochs(self) -> list[Epoch]:
        """Those of the first part."""
        return self.parts[0].epochs

    @property
    def best_epoch(self) -> int:
        return self.parts[0].best_epoch

    @property
    def parameters(self) -> int:
        """How many numbers one part has learned."""
        learned = self.parts[0].learned
        if isinstance(learned, Fitted):
            return learned.parameters()
        return sum(value.numel() for value in learned.parameters())

    def save(self, path: Path) -> str:
        """One safetensors file with everything but the preparation, which all models share.

        Returns the digest of what it holds, for ``load``.
        """
        held: dict[str, Tensor] = {}
        for number, part in enumerate(self.parts):
            learned = part.learned
            tensors = learned.state() if isinstance(learned, Fitted) else learned.state_dict()
            held |= {f"{number}.{name}": value.clone() for name, value in tensors.items()}
        if self.calibration is not None:
            held["calibration"] = self.calibration
        record = {
            "recipe": self.recipe.model_dump(),
            "parts": [
                {
                    "seed": part.seed,
                    "epochs": [epoch.model_dump() for epoch in part.epochs],
                    "best_epoch": part.best_epoch,
                }
                for part in self.parts
            ],
        }
        return files.save_tensors(path, held, record)

    @classmethod
    def load(cls, path: Path, preparation: Preparation, written: str | None = None) -> Model:
        """What ``save`` wrote, and if ``written`` is given, no other model than the one of this
        digest. Raises OSError or ValueError where it is not that."""
        tensors, record = files.load_tensors(path, written)
        recipe, parts = Recipe.model_validate(record["recipe"]), record["parts"]
        model = cls(recipe, preparation, [entry["seed"] for entry in parts])
        model.calibration = tensors.pop("calibration", None)
        for number, (part, entry) in enumerate(zip(model.parts, parts, strict=True)):
            part.epochs = [Epoch.model_validate(epoch) for epoch in entry["epochs"]]
            part.best_epoch = entry["best_epoch"]
            learned, prefix = part.learned, f"{number}."
            state = {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
            if isinstance(learned, Fitted):
                learned.restore(state)
            else:
                learned.load_state_dict(state)
        return model


def make(task: Task, recipe: Recipe) -> Fitted | nn.Module:
    """A candidate, untrained: a recurrent network for a cell's name, else the baseline."""
    if recipe.candidate in cells.names():
        return task.network(recipe.candidate, recipe.hidden_size, recipe.setting)
    baseline = baselines.get(recipe.candidate)(task)
    return baseline if isinstance(baseline, Fitted) else baseline.network(recipe.setting)  # type: ignore[attr-defined]
