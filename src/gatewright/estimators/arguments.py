"""The arguments that all estimators share: checked, and made into a recipe and its training."""

from __future__ import annotations

from typing import Any

from gatewright import cells, limits
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.models.size import check_size
from gatewright.models.undisturbed import undisturbed
from gatewright.setting import Options, Setting
from gatewright.training import DivergedError, Model, Recipe, Stopping


def check(estimator: Any) -> None:
    """Raise InputError for an argument that is out of its range."""
    try:
        cells.get(estimator.cell)
    except (TypeError, ValueError) as error:
        raise InputError(str(error)) from None
    limits.check(estimator.get_params(deep=False), optional=("horizon", "context", "season"))


def recipe(estimator: Any, seed: int, settled: Setting, options: Options) -> Recipe:
    """The network that an estimator's arguments describe."""
    return Recipe(
        candidate=estimator.cell,
        setting=settled.model_copy(
            update={
                "learning_rate": float(estimator.learning_rate),
                "num_layers": int(estimator.num_layers),
                "dropout": float(estimator.dropout),
            }
        ),
        hidden_size=int(estimator.hidden_size),
        seed=seed,
        options=options,
    )


def stopping(estimator: Any, patient: bool = False) -> Stopping:
    """How long it is trained; ``patient``: for all epochs, whatever the loss."""
    return Stopping(
        batch_size=int(estimator.batch_size),
        epochs=int(estimator.epochs),
        steps_per_epoch=int(estimator.steps_per_epoch),
        patience=int(estimator.epochs if patient else estimator.patience),
    )


def train(recipe: Recipe, data: Prepared, stopping: Stopping) -> Model:
    """Fit, leaving torch's threads and random numbers as they are.

    Raises InputError where the loss stops being a finite number, or where the network is too large
    for the memory of this machine.
    """
    check_size(recipe, data, "give a smaller hidden_size, or fewer num_layers")
    try:
        with undisturbed():
            return Model.fit(recipe, data, stopping)
    except DivergedError as error:
        raise InputError(f"the training failed, as {error}: give a smaller learning_rate") from None
