"""One fit without a comparison, kept in a folder; and what any folder of a model predicts with.

fit.json                       the layout, every guess and choice, and how the fit did
prepared.json, history.arrow   what a prediction needs beside the model
model.safetensors
checkpoint.safetensors         while it trains
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from gatewright import __version__, baselines, cells, tasks
from gatewright.baselines import Fitted
from gatewright.comparison.budget import check_memory, count_parameters
from gatewright.comparison.comparing import Parts, fingerprint
from gatewright.comparison.folder import PLAN, RunFolder
from gatewright.comparison.result import Result
from gatewright.comparison.worker import TEST_EXAMPLES, by_unit
from gatewright.data import kept
from gatewright.data.continuing import history_of
from gatewright.data.guess.guessing import guess
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared, PreparedRecord
from gatewright.data.table.reading import Table
from gatewright.errors import InputError
from gatewright.folders import ANOTHER, claimed, named, remove
from gatewright.predictor import Predictor
from gatewright.sealed import DamagedError, read_record, told, write_record
from gatewright.setting import Options, Setting
from gatewright.training import DivergedError, Epoch, Model, Recipe, Stopping, evenly

RECORD, MODEL, CHECKPOINT = "fit.json", "model.safetensors", "checkpoint.safetensors"
FILES = (MODEL, *kept.FILES)
AGAIN, ELSEWHERE = "fit it anew", f"{ANOTHER}, or remove it yourself"
LOST = "put back a copy of it that is whole, or fit again into another folder"


class Judged(BaseModel):
    """How a fit did on one part of the split: the task's metric, and what else it tells."""

    model_config = ConfigDict(frozen=True)

    metric: str  # what ``loss`` is, in words
    loss: float  # mean over units
    units: int
    measures: dict[str, Any] = {}


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
    notes: tuple[str, ...] = ()  # what was imputed, filled or dropped, in sentences
    estimator: dict[str, Any] = {}  # what an estimator of Python was made with

    # Of a finished fit
    finished: bool = False
    file: str = ""  # the digest of model.safetensors
    parameters: int = 0
    seconds: float = 0.0  # of training
    epochs: int = 0
    best_epoch: int = 0  # from 1; 0 where nothing was trained step by step
    validation: Judged | None = None
    test: Judged | None = None

    def decisions(self) -> dict[str, Any]:
        """What two fits have to share for one to go on from the other."""
        names = {"gatewright", "fingerprint", "layout", "recipe", "stopping", "shares", "rows"}
        return self.model_dump(include=names)


def fit_into(
    folder: Path,
    table: Table,
    *,
    source: str,
    parts: Parts,
    given: dict[str, Any],
    candidate: str,
    hidden_size: int = 64,
    setting: Setting | None = None,
    stopping: Stopping,
    options: Options,
    seed: int = 0,
    begin: Callable[[FitRecord], None] = lambda record: None,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> FitRecord:
    """Fit one network or baseline on a table, and keep it in a folder for ``load``.

    A fit that was killed goes on from its last whole epoch; one that is finished is not done again.

    Args:
        folder: a new one, an empty one, or one with the same fit.
        source: what the table is called in the record.
        parts: how the table is split.
        given: the arguments of ``guess``.
        candidate: the name of a cell or of a baseline.
        hidden_size: units of each layer; of no meaning to baselines.
        begin: told once what was guessed and chosen, before any training.
        progress: told of each epoch, also of those before an interruption.

    Returns:
        the record, as fit.json holds it.

    Raises:
        InputError: the table or the candidate is not fit for it, the folder holds something else,
            or the loss stopped being a number.
    """
    settled = Recipe(
        candidate=candidate,
        setting=setting or Setting(),
        hidden_size=hidden_size if candidate in cells.names() else 0,
        seed=seed,
        options=options,
    )
    with (
        undisturbed(),
        claimed(folder, RECORD, "a fit"),
        tempfile.TemporaryDirectory(prefix="gatewright-") as temporary,
    ):
        layout, guesses = guess(table, **given)
        _check_candidate(candidate, layout.task)
        data = prepare(
            table, layout, Path(temporary) / "data", shares=parts.shares, rows=parts.rows
        )
        record = FitRecord(
            gatewright=__version__,
            torch=torch.__version__,
            source=source,
            fingerprint=fingerprint(Path(temporary) / "data"),
            layout=data.layout,
            guesses=guesses,
            recipe=settled,
            stopping=stopping,
            shares=parts.shares,
            rows=parts.rows,
            notes=data.preparation.notes,
        )
        check_size(settled, data, "give a smaller --hidden-size, or fewer --num-layers")
        done = _settle(folder, record)
        begin(record)
        if done is not None:
            return done
        return _fit(folder, table, data, record, progress)


def check_size(recipe: Recipe, data: Prepared, advice: str) -> None:
    """Raise InputError where a network is too large for the memory of this machine."""
    if recipe.candidate in cells.names():
        task = tasks.get(data.layout.task)(data.preparation, recipe.options)
        count = count_parameters(task, recipe.candidate, recipe.hidden_size, recipe.setting)
        check_memory(count, advice)


@contextmanager
def undisturbed() -> Iterator[None]:
    """torch on one thread, which networks of a usual size are quickest on wherever other work goes
    on beside; afterwards its threads and random numbers are as they were before."""
    threads = torch.get_num_threads()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _check_candidate(name: str, task: str) -> None:
    if name in cells.names():
        return
    fitting = [
        one
        for one in baselines.names()
        if not one.startswith("_") and task in baselines.get(one).tasks
    ]
    if name not in fitting:
        try:
            cells.get(name)
        except ValueError as error:
            raise InputError(f"{error}; the baselines are {', '.join(fitting)}") from None


def _settle(folder: Path, record: FitRecord) -> FitRecord | None:
    """Write the record, unless the same fit stands there; returns it if that one is finished, and
    all that it predicts with as it was written."""
    if not os.path.lexists(folder / RECORD):
        write_record(folder / RECORD, record)
        return None
    there = read_fit(folder, ELSEWHERE)
    old, new = there.decisions(), record.decisions()
    different = [name for name in new if old[name] != new[name]]
    if different:
        words = ["the data" if name == "fingerprint" else name for name in different]
        raise InputError(
            f"{folder} holds another fit (different: {', '.join(words)}): choose another folder "
            "with --out, or remove it"
        )
    if not there.finished:
        return None
    try:
        read_predictor(folder, there)
    except DamagedError:
        return None
    return there


def _fit(
    folder: Path,
    table: Table,
    data: Prepared,
    record: FitRecord,
    progress: Callable[[Epoch], None],
) -> FitRecord:
    checkpoint = folder / CHECKPOINT
    try:
        model = Model.fit(
            record.recipe, data, record.stopping, checkpoint=checkpoint, watch=progress
        )
    except DivergedError as error:
        # The same folder is for another try.
        remove(folder, [CHECKPOINT, RECORD])
        raise InputError(
            f"the training of {record.recipe.candidate} failed, as {error}: give a smaller "
            "--learning-rate"
        ) from None
    history = None
    if model.task.kind == "origins":
        whole = isinstance(model.part, Fitted) and model.part.looks_back_on_all
        history = history_of(table, data.layout, whole=whole)
    record = finished(record, model).model_copy(
        update={"validation": judge(model, data, "validation"), "test": judge(model, data, "test")}
    )
    record = keep(folder, Predictor(model, history), record, data.items)
    checkpoint.unlink(missing_ok=True)
    return record


def finished(record: FitRecord, model: Model) -> FitRecord:
    """The record with what a finished fit knows of itself."""
    found = {
        "finished": True,
        "parameters": model.parameters,
        "seconds": model.epochs[-1].seconds if model.epochs else 0.0,
        "epochs": len(model.epochs),
        "best_epoch": model.best_epoch,
    }
    return record.model_copy(update=found)


def keep(
    folder: Path, predictor: Predictor, record: FitRecord, items: tuple[str, ...] = ()
) -> FitRecord:
    """Write all that ``load`` reads; the record last, which makes the fit complete.

    Returns the record as it is written: with the digest of the model's file.

    Raises InputError where a record of something else stands there.
    """
    if os.path.lexists(folder / RECORD):  # what takes its place is not whole until the end
        before = read_fit(folder, ELSEWHERE)
        write_record(folder / RECORD, before.model_copy(update={"finished": False}))
    prepared = PreparedRecord(preparation=predictor.preparation, items=items)
    kept.keep(folder, prepared, predictor.history)
    record = record.model_copy(update={"file": predictor.model.save(folder / MODEL)})
    write_record(folder / RECORD, record)
    return record


def judge(model: Model, data: Prepared, part: str) -> Judged | None:
    """The metric of a part of the split, "validation" or "test"; None where it has no examples."""
    task = model.task
    examples = evenly(task.examples(data, part), TEST_EXAMPLES)
    if not len(examples):
        return None
    prediction, batch = model.predict(data, examples), task.batch(data, examples)
    losses, units = by_unit(
        task.losses(prediction, batch), torch.as_tensor(task.units(data, examples))
    )
    return Judged(
        metric=task.metric,
        loss=losses.mean().item(),
        units=len(units),
        measures=task.measures(prediction, batch.target),
    )


def load(folder: str | Path, model: str | None = None) -> Predictor:
    """What a folder of ``gatewright fit`` or ``gatewright compare`` predicts with.

    Args:
        folder: of one fit, or of a comparison.
        model: of a comparison, the candidate; by default the one that its verdict recommends.

    Raises:
        InputError: the folder holds neither, is not finished, has no such candidate, or a file of
            it is damaged.
    """
    path = named(folder)
    if os.path.lexists(path / RECORD):
        return _load_fit(path, model)
    if os.path.lexists(path / PLAN):
        result = Result(RunFolder(path))
        with undisturbed():
            return result.best if model is None else result.model(model)
    what = "holds no model" if path.exists() else "does not exist"
    raise InputError(
        f"{path} {what}: give a folder that gatewright fit or gatewright compare wrote"
    )


def _load_fit(folder: Path, model: str | None) -> Predictor:
    record = read_fit(folder)
    if model not in (None, record.recipe.candidate):
        raise InputError(f"{folder} holds one model, {record.recipe.candidate}, and no {model!r}")
    if not record.finished:
        raise InputError(
            f"the fit in {folder} is not finished: give its command again, with --out {folder}, "
            "and it goes on"
        )
    return read_predictor(folder, record)


def read_fit(folder: Path, remedy: str = LOST) -> FitRecord:
    """fit.json. Raises DamagedError, with what to do, where it is not as it was written."""
    return read_record(folder / RECORD, FitRecord, remedy)


def read_predictor(folder: Path, record: FitRecord) -> Predictor:
    """What ``keep`` wrote. Raises DamagedError where a file is not as it was written."""
    return Predictor(read_model(folder, record.file, AGAIN), kept.read_history(folder, AGAIN))


def read_model(folder: Path, written: str, remedy: str) -> Model:
    """The fitted model of a digest, and its preparation. Raises DamagedError, with what to do,
    where a file is not as it was written."""
    preparation, path = kept.read_preparation(folder, remedy), folder / MODEL
    with told(path, remedy), undisturbed():
        return Model.load(path, preparation, written)
