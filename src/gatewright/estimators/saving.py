"""Estimators of sequences in a folder, as JSON and safetensors: nothing that is code.

estimator.json       the class, its arguments, and the labels
prepared.json        the channels' means and scales
model.safetensors
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from gatewright import __version__
from gatewright.data.prepared import PreparedRecord
from gatewright.errors import InputError
from gatewright.fitting import MODEL, PREPARED, read_model
from gatewright.training.checkpoint import write_whole

RECORD = "estimator.json"
PLAIN = "biufU"  # the kinds of numpy's types that JSON keeps

Estimator = TypeVar("Estimator")


class EstimatorRecord(BaseModel):
    """estimator.json"""

    model_config = ConfigDict(frozen=True)

    gatewright: str  # the version
    name: str  # of the class
    arguments: dict[str, Any]
    attributes: dict[str, Any]
    classes: list[Any] | None = None
    dtype: str = ""  # of the classes
    feature_names: list[str] | None = None


ATTRIBUTES = ("n_features_in_", "steps_", "_flat")


def save(estimator: Any, folder: Path) -> None:
    """Write a fitted estimator. Raises InputError where that cannot be."""
    held = vars(estimator)
    record = EstimatorRecord(
        gatewright=__version__,
        name=type(estimator).__name__,
        arguments=plain_arguments(estimator),
        attributes={name: held[name] for name in ATTRIBUTES if name in held},
        **_classes(held.get("classes_")),
        feature_names=_names(held.get("feature_names_in_")),
    )
    prepared = PreparedRecord(preparation=estimator.model_.preparation, items=())
    check_folder(folder)
    estimator.model_.save(folder / f"{MODEL}.safetensors")
    write_whole(folder / PREPARED, prepared.model_dump_json().encode())
    write_whole(folder / RECORD, record.model_dump_json(indent=2).encode())


def load(kind: type[Estimator], folder: Path) -> Estimator:
    """What ``save`` wrote. Raises InputError where it is something else."""
    try:
        record = EstimatorRecord.model_validate_json((folder / RECORD).read_text("utf-8"))
    except OSError:
        raise InputError(
            f"{folder} holds no {kind.__name__}: give the folder of its save"
        ) from None
    except (ValidationError, UnicodeDecodeError):
        raise InputError(
            f"{folder / RECORD} is not what this version of Gatewright writes: save it anew"
        ) from None
    if record.name != kind.__name__:
        raise InputError(f"{folder} holds a {record.name}: load it with {record.name}.load")
    found = kind(**given_arguments(record.arguments))
    for name in ATTRIBUTES:
        if name in record.attributes:
            setattr(found, name, record.attributes[name])
    held = found.__dict__
    if record.classes is not None:
        held["classes_"] = np.array(record.classes, dtype=np.dtype(record.dtype))
    if record.feature_names is not None:
        held["feature_names_in_"] = np.array(record.feature_names, dtype=object)
    held["model_"] = read_model(folder)
    return found


def given_arguments(held: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they were before JSON, which knows no tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in held.items()
    }


def plain_arguments(estimator: Any) -> dict[str, Any]:
    """The arguments as JSON holds them; a generator of random numbers is left out."""
    found = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in estimator.get_params().items()
    }
    if not isinstance(found["random_state"], int):
        found["random_state"] = None
    return found


def check_folder(folder: Path) -> None:
    """Make a folder. Raises InputError where it cannot be written or holds something else."""
    ours = {RECORD, PREPARED, f"{MODEL}.safetensors"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = {path.name for path in folder.iterdir()} - ours
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): choose another folder"
        ) from None
    if others:
        raise InputError(
            f"{folder} holds something else ({min(others)}): choose another folder, or empty it"
        )


def _classes(classes: NDArray[Any] | None) -> dict[str, Any]:
    if classes is None:
        return {}
    words = classes.dtype == object and all(isinstance(each, str) for each in classes)
    if not (words or classes.dtype.kind in PLAIN):
        raise InputError(
            f"labels of type {classes.dtype} cannot be saved: fit on words or numbers instead"
        )
    return {"classes": classes.tolist(), "dtype": classes.dtype.str}


def _names(names: NDArray[Any] | None) -> list[str] | None:
    return None if names is None else list(map(str, names))
