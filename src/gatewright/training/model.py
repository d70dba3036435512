"""One candidate, fitted: a cell or a baseline with what it learned, to predict with and to keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from gatewright import baselines, cells, tasks
from gatewright.baselines import Fitted
from gatewright.data.prepared import Preparation, Prepared
from gatewright.setting import Options, Setting
from gatewright.tasks import Task
from gatewright.training import checkpoint as files
from gatewright.training.loop import Epoch, Stopping, evenly, train
from gatewright.training.predicting import predict_network

CALIBRATION_EXAMPLES = 4096  # at most, of validation, evenly spaced
BLOCK = 1024  # examples a baseline predicts at once


class Recipe(BaseModel):
    """All that has to be known to make a candidate's network or baseline anew, untrained."""

    model_config = ConfigDict(frozen=True)

    candidate: str  # the name of a cell or of a baseline
    setting: Setting = Setting()
    hidden_size: int = 0  # cells only
    seed: int = 0
    options: Options = Options()


class Model:
    """A fitted candidate. ``epochs`` is empty where nothing was trained step by step."""

    def __init__(self, recipe: Recipe, preparation: Preparation) -> None:
        """An untrained one; ``fit`` and ``load`` give those that can predict."""
        self.recipe = recipe
        self.preparation = preparation
        self.task: Task = tasks.get(preparation.layout.task)(preparation, recipe.options)
        self.epochs: list[Epoch] = []
        self.best_epoch = 0
        self.calibration: Tensor | None = None
        torch.manual_seed(recipe.seed)
        self.part: Fitted | nn.Module = make(self.task, recipe)

    @classmethod
    def fit(
        cls,
        recipe: Recipe,
        data: Prepared,
        stopping: Stopping,
        *,
        checkpoint: Path | None = None,
        watch: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Model:
        """Fit on training, choose on validation. Raises DivergedError as ``train`` does."""
        model = cls(recipe, data.preparation)
        if isinstance(model.part, Fitted):
            model.part.fit(data)
        else:
            trained = train(
                model.part,
                model.task,
                data,
                recipe.setting,
                stopping,
                recipe.seed,
                checkpoint=checkpoint,
                watch=watch,
            )
            model.epochs, model.best_epoch = trained.epochs, trained.best
        examples = evenly(model.task.examples.of_part(data, "validation"), CALIBRATION_EXAMPLES)
        if len(examples):
            target = model.task.examples.batch(data, examples).target
            model.calibration = model.task.calibrate(model.predict(data, examples), target)
        return model

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """What the task calls a prediction, of each example."""
        if isinstance(self.part, Fitted):
            blocks = examples.split(BLOCK)
            prediction = self.task.examples.joined(
                [self.part.predict(data, some) for some in blocks]
            )
        else:
            prediction = predict_network(self.part, self.task, data, examples)
        return self.task.finish(prediction, self.calibration)

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        if isinstance(self.part, Fitted):
            return self.part.parameters()
        return sum(value.numel() for value in self.part.parameters())

    def save(self, path: Path) -> str:
        """One safetensors file with everything but the preparation, which all models share.

        Returns the digest of what it holds, for ``load``.
        """
        part = self.part
        tensors = part.state() if isinstance(part, Fitted) else part.state_dict()
        held = {f"part.{name}": value.clone() for name, value in tensors.items()}
        if self.calibration is not None:
            held["calibration"] = self.calibration
        record = {
            "recipe": self.recipe.model_dump(),
            "epochs": [epoch.model_dump() for epoch in self.epochs],
            "best_epoch": self.best_epoch,
        }
        return files.save_tensors(path, held, record)

    @classmethod
    def load(cls, path: Path, preparation: Preparation, written: str | None = None) -> Model:
        """What ``save`` wrote, and if ``written`` is given, no other model than the one of this
        digest. Raises OSError or ValueError where it is not that."""
        tensors, record = files.load_tensors(path, written)
        model = cls(Recipe.model_validate(record["recipe"]), preparation)
        model.epochs = [Epoch.model_validate(entry) for entry in record["epochs"]]
        model.best_epoch = record["best_epoch"]
        model.calibration = tensors.pop("calibration", None)
        learned = {name.removeprefix("part."): value for name, value in tensors.items()}
        if isinstance(model.part, Fitted):
            model.part.restore(learned)
        else:
            model.part.load_state_dict(learned)
        return model


def make(task: Task, recipe: Recipe) -> Fitted | nn.Module:
    """A candidate, untrained: a recurrent network for a cell's name, else the baseline."""
    if recipe.candidate in cells.names():
        return task.network(recipe.candidate, recipe.hidden_size, recipe.setting)
    baseline = baselines.get(recipe.candidate)(task)
    return baseline if isinstance(baseline, Fitted) else baseline.network(recipe.setting)  # type: ignore[attr-defined]
