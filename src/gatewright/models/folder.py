"""The folder of one fit, without a comparison.

fit.json                       the layout, every guess and choice, and how the fit did
prepared.json, history.arrow   what a prediction needs beside the model
model.safetensors
shown.safetensors              losses on test, and some predictions for the report
checkpoint.safetensors         while it trains
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from gatewright.data.layout import Guess, Layout
from gatewright.data.prepared import Part, Prepared, PreparedRecord
from gatewright.errors import InputError, argument
from gatewright.folders import ANOTHER, check_same
from gatewright.models import files
from gatewright.models.judging import Answers, Judged, to_show
from gatewright.models.predictor import Predictor
from gatewright.sealed import DamagedError, read_record, refusing_damage, write_record
from gatewright.tasks import Task
from gatewright.training import Model, Recipe, Stopping
from gatewright.training.checkpoint import Tensors, load_tensors, save_tensors

RECORD, CHECKPOINT, SHOWN = "fit.json", "checkpoint.safetensors", "shown.safetensors"
FILES = (files.MODEL, *files.BESIDE, SHOWN)
AGAIN, ELSEWHERE = "fit it anew", f"{ANOTHER}, or remove it yourself"
LOST = "put back a copy of it that is whole, or fit again into another folder"


class Kept(BaseModel):
    """What is said of the predictions that a fit keeps to be shown."""

    model_config = ConfigDict(frozen=True)

    part: str  # of the split that they are of: "test", or "validation" where there is no test
    file: str  # the digest of shown.safetensors
    series: int  # or sequences that they are of
    examples: int  # that were judged
    microseconds: float  # per prediction, in blocks, one thread


class Comparison(BaseModel):
    """Of a model made anew on all rows: the comparison that chose it, and judged its like."""

    model_config = ConfigDict(frozen=True)

    run: str  # its folder, as it was named
    model: str  # the digest of the model that was judged
    rows: bool  # whether these are the rows that were compared on
    epochs: dict[int, int]  # of each seed; none where nothing is trained step by step
    judged: Judged  # on test
    interval: tuple[float, float] | None  # of the loss
    level: float  # of the tests; the interval is at 1 - 2 level
    series: int  # or sequences that the test examples are of
    examples: int  # that were judged
    microseconds: float  # per prediction, in blocks, one thread
    text: str  # what to know of the model, in sentences


class FitRecord(BaseModel):
    """fit.json: all that decides a fit, and once it is finished how it did."""

    model_config = ConfigDict(frozen=True)

    gatewright: str  # the versions
    torch: str
    source: str  # the file, as it was named; "the data frame"
    fingerprint: str  # of what the file holds
    layout: Layout
    guesses: tuple[Guess, ...]
    recipe: Recipe
    stopping: Stopping
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2)  # train, validation, test
    rows: tuple[int, int, int] | None = None  # lengths of the parts instead of shares
    command: str = ""  # that repeats it; it decides nothing
    cut: str | None = None  # where many series are cut, if it was said
    notes: tuple[str, ...] = ()  # what was imputed, filled or dropped, in sentences
    parts: tuple[Part, ...] = ()  # when training, validation and test are, and what they hold
    estimator: dict[str, Any] = {}  # what an estimator of Python was made with
    comparison: Comparison | None = None  # of a model that was not judged itself

    # Of a finished fit
    finished: bool = False
    file: str = ""  # the digest of model.safetensors
    parameters: int = 0
    seconds: float = 0.0  # of training
    epochs: int = 0
    best_epoch: int = 0  # from 1; 0 where nothing was trained step by step
    validation: Judged | None = None
    test: Judged | None = None
    kept: Kept | None = None

    def decisions(self) -> dict[str, Any]:
        """What two fits have to share for one to go on from the other."""
        split = {"shares", "rows", "cut"}
        names = {"gatewright", "fingerprint", "layout", "recipe", "stopping", *split}
        found = self.model_dump(include=names)
        return found | {"comparison": self.comparison and self.comparison.model}

    def ended(
        self, model: Model, validation: Judged | None = None, test: Judged | None = None
    ) -> Self:
        """The record of the finished fit: what the model knows of itself, and how it did."""
        known = {
            "finished": True,
            "parameters": model.parameters,
            "seconds": model.epochs[-1].seconds if model.epochs else 0.0,
            "epochs": len(model.epochs),
            "best_epoch": model.best_epoch,
            "validation": validation,
            "test": test,
        }
        return self.model_copy(update=known)


def settle(folder: Path, record: FitRecord) -> FitRecord | None:
    """Write the record, unless the same fit stands there; returns it if that one is finished, and
    all that it predicts with as it was written.

    Raises InputError where another fit stands there.
    """
    if not os.path.lexists(folder / RECORD):
        write_record(folder / RECORD, record)
        return None
    there = read_fit(folder, ELSEWHERE)
    check_same(folder, "fit", there.decisions(), record.decisions(), "remove it")
    if not there.finished:
        return None
    try:
        read_predictor(folder, there)
        if there.kept is not None:
            read_shown(folder, there.kept)
    except DamagedError:
        return None
    return there


def keep(
    folder: Path, predictor: Predictor, record: FitRecord, items: tuple[str, ...] = ()
) -> FitRecord:
    """Write all that ``load_fit`` reads; the record last, which makes the fit complete.

    Returns the record as it is written: with the digest of the model's file.

    Raises InputError where a record of something else stands there.
    """
    if os.path.lexists(folder / RECORD):  # what takes its place is not whole until the end
        before = read_fit(folder, ELSEWHERE)
        write_record(folder / RECORD, before.model_copy(update={"finished": False}))
    prepared = PreparedRecord(preparation=predictor.preparation, items=items)
    files.write_beside(folder, prepared, predictor.history)
    record = record.model_copy(update={"file": predictor.model.save(folder / files.MODEL)})
    write_record(folder / RECORD, record)
    return record


def holds_fit(folder: Path) -> bool:
    """Whether a folder is that of a fit, finished or not."""
    return os.path.lexists(folder / RECORD)


def load_fit(folder: Path, model: str | None = None) -> Predictor:
    """What a finished fit predicts with; ``model``: the only candidate that it may be of.

    Raises InputError where it is not finished, of another candidate, or a file of it is damaged.
    """
    record = read_fit(folder)
    if model not in (None, record.recipe.candidate):
        raise InputError(f"{folder} holds one model, {record.recipe.candidate}, and no {model!r}")
    if not record.finished:
        raise InputError(
            f"the fit in {folder} is not finished: give its command again, with "
            f"{argument('out', str(folder))}, and it goes on"
        )
    return read_predictor(folder, record)


def read_fit(folder: Path, remedy: str = LOST) -> FitRecord:
    """fit.json. Raises DamagedError, with what to do, where it is not as it was written."""
    return read_record(folder / RECORD, FitRecord, remedy)


def keep_shown(folder: Path, task: Task, data: Prepared, part: str, answers: Answers) -> Kept:
    """Write the losses of a part of the split, and some predictions to be shown."""
    losses, units = answers.by_unit()
    showing = to_show(task, data, answers)
    tensors = {"losses": losses, "units": units, **showing.tensors}
    groups = task.examples.groups(data, units)
    if groups is not None:
        tensors["groups"] = groups
    judged = len(answers.examples)
    return Kept(
        part=part,
        file=save_tensors(folder / SHOWN, tensors, {"items": showing.items}),
        series=showing.series,
        examples=judged,
        microseconds=1e6 * answers.seconds / judged,
    )


def read_shown(folder: Path, kept: Kept) -> tuple[Tensors, Any]:
    """What ``keep_shown`` wrote, and its record. Raises DamagedError as ``read_predictor``."""
    with refusing_damage(folder / SHOWN, AGAIN):
        return load_tensors(folder / SHOWN, kept.file)


def read_predictor(folder: Path, record: FitRecord) -> Predictor:
    """What ``keep`` wrote. Raises DamagedError where a file is not as it was written."""
    preparation = files.read_preparation(folder, AGAIN)
    model = files.read_model(folder / files.MODEL, preparation, record.file, AGAIN)
    remark = record.comparison.text if record.comparison else ""
    return Predictor(model, files.read_history(folder, AGAIN), remark=remark)
