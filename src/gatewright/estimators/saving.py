"""Estimators of sequences in a folder, as JSON and safetensors: nothing that is code.

estimator.json       the class, its arguments, and the labels
prepared.json        the channels' means and scales
model.safetensors
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gatewright import __version__
from gatewright.data.prepared import PreparedRecord
from gatewright.errors import InputError
from gatewright.folders import claimed
from gatewright.models import files
from gatewright.models.folder import ELSEWHERE, FILES
from gatewright.sealed import read_record, write_record

RECORD = "estimator.json"
AGAIN = "save it anew"
PLAIN = "biufU"  # the kinds of numpy's types that JSON keeps

Estimator = TypeVar("Estimator")


class EstimatorRecord(BaseModel):
    """estimator.json"""

    model_config = ConfigDict(frozen=True)

    gatewright: str  # the version
    name: str  # of the class
    finished: bool = True
    file: str = ""  # the digest of model.safetensors
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
    with claimed(folder, RECORD, f"a {record.name}", writes=FILES, lock=False):
        if os.path.lexists(folder / RECORD):  # what takes its place is not whole until the end
            before = read_record(folder / RECORD, EstimatorRecord, ELSEWHERE)
            write_record(folder / RECORD, before.model_copy(update={"finished": False}))
        files.write_beside(folder, prepared, None)
        written = estimator.model_.save(folder / files.MODEL)
        write_record(folder / RECORD, record.model_copy(update={"file": written}))


def load(kind: type[Estimator], folder: Path) -> Estimator:
    """What ``save`` wrote. Raises InputError where it is something else, or damaged."""
    if not os.path.lexists(folder / RECORD):
        raise InputError(f"{folder} holds no {kind.__name__}: give the folder of its save")
    record = read_record(folder / RECORD, EstimatorRecord, AGAIN)
    if not record.finished:
        raise InputError(f"the {record.name} in {folder} is not saved whole: {AGAIN}")
    if record.name != kind.__name__:
        raise InputError(f"{folder} holds a {record.name}: load it with {record.name}.load")
    estimator = kind(**arguments_of(record.arguments))
    for name in ATTRIBUTES:
        if name in record.attributes:
            setattr(estimator, name, record.attributes[name])
    held = estimator.__dict__
    if record.classes is not None:
        held["classes_"] = np.array(record.classes, dtype=np.dtype(record.dtype))
    if record.feature_names is not None:
        held["feature_names_in_"] = np.array(record.feature_names, dtype=object)
    preparation = files.read_preparation(folder, AGAIN)
    held["model_"] = files.read_model(folder / files.MODEL, preparation, record.file, AGAIN)
    return estimator


def arguments_of(held: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they were before JSON, which knows no tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in held.items()
    }


def plain_arguments(estimator: Any) -> dict[str, Any]:
    """The arguments as JSON holds them; a generator of random numbers is left out."""
    arguments = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in estimator.get_params().items()
    }
    if not isinstance(arguments["random_state"], int):
        arguments["random_state"] = None
    return arguments


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
