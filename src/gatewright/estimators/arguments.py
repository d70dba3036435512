"""The arguments that all estimators share: checked, and made into a recipe and its training."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

from gatewright import cells
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.fitting import undisturbed
from gatewright.setting import Options, Setting
from gatewright.training import DivergedError, Model, Recipe, Stopping

COUNTS = ("hidden_size", "num_layers", "batch_size", "epochs", "steps_per_epoch", "patience")
SHARES = ("dropout", "validation_fraction")


def check(estimator: Any) -> None:
    """Raise InputError for an argument that is out of its range."""
    try:
        cells.get(estimator.cell)
    except (TypeError, ValueError) as error:
        raise InputError(str(error)) from None
    for name in COUNTS:
        whole_number(name, getattr(estimator, name), 1)
    for name in SHARES:
        _check(name, getattr(estimator, name), "a number from 0 to below 1", lambda it: 0 <= it < 1)
    _check("learning_rate", estimator.learning_rate, "a number above 0", lambda it: it > 0)


def whole_number(name: str, value: Any, least: int) -> None:
    """Raise InputError for anything but a whole number of at least so much."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (whole and int(value) >= least):
        raise InputError(f"{name} is to be a whole number of at least {least}, not {value!r}")


def _check(name: str, value: Any, what: str, good: Callable[[float], bool]) -> None:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (number and good(float(value))):
        raise InputError(f"{name} is to be {what}, not {value!r}")


def recipe(estimator: Any, seed: int, variant: str, options: Options) -> Recipe:
    """The network that an estimator's arguments describe."""
    return Recipe(
        candidate=estimator.cell,
        setting=Setting(
            learning_rate=float(estimator.learning_rate),
            num_layers=int(estimator.num_layers),
            dropout=float(estimator.dropout),
            variant=variant,
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

    Raises InputError where the loss stops being a finite number.
    """
    try:
        with undisturbed():
            return Model.fit(recipe, data, stopping)
    except DivergedError as error:
        raise InputError(f"the training failed, as {error}: give a smaller learning_rate") from None
