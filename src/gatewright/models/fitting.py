"""One fit: of a candidate to prepared data, or the whole of it from a table to a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from gatewright import __version__, baselines, cells, limits, tasks
from gatewright.data.guess.guessing import guess
from gatewright.data.layout import Guess
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared, fingerprint
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.folders import claimed, remove
from gatewright.models import folder as kept
from gatewright.models.folder import FitRecord
from gatewright.models.judging import answer_part, judged
from gatewright.models.predictor import Predictor, history_for
from gatewright.models.size import check_size
from gatewright.models.undisturbed import undisturbed
from gatewright.requests import Columns, Split
from gatewright.tasks import Task
from gatewright.training import DivergedError, Epoch, Model, Recipe, Stopping


def fit_into(
    folder: Path,
    table: Table,
    columns: Columns,
    split: Split,
    recipe: Recipe,
    stopping: Stopping,
    *,
    source: str,
    command: str = "",
    begin: Callable[[FitRecord], None] = lambda record: None,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> FitRecord:
    """Fit one network or baseline on a table, and keep it in a folder for ``load``.

    A fit that was killed goes on from its last whole epoch; one that is finished is not done again.

    Args:
        folder: a new one, an empty one, or one with the same fit.
        source: what the table is called in the record; command: what repeats the fit there.
        columns: what is known of the columns.
        split: how the table is cut.
        recipe: what is fitted; the hidden size is of no meaning to baselines.
        begin: told once what was guessed and chosen, before any training.
        progress: told of each epoch, also of those before an interruption.

    Returns:
        the record, as fit.json holds it.

    Raises:
        InputError: the table or the candidate is not fit for it, the folder holds something else,
            or the loss stopped being a number.
    """
    if not split.shares[1]:
        raise limits.without_validation()
    if recipe.candidate not in cells.names():
        recipe = recipe.model_copy(update={"hidden_size": 0})
    with (
        undisturbed(),
        claimed(folder, kept.RECORD, "a fit"),
        tempfile.TemporaryDirectory(prefix="gatewright-") as temporary,
    ):
        arrays = Path(temporary) / "data"
        layout, guesses = guess(table, tasks.every(), columns, split)
        task = tasks.get(layout.task)
        _check_candidate(recipe.candidate, task)
        task.deciding(recipe.options)
        data = prepare(table, layout, task, arrays, split=split)
        recipe = recipe.settled(task(data.preparation, recipe.options).usual(data))
        record = record_of(recipe, stopping, data, arrays, source, guesses, split)
        record = record.model_copy(update={"command": command})
        smaller = f"give a smaller {argument('hidden_size')}, or fewer {argument('num_layers')}"
        check_size(recipe, data, smaller)
        there = kept.settle(folder, record)
        begin(record)
        return there or _fit(folder, table, data, record, progress)


def record_of(
    recipe: Recipe,
    stopping: Stopping,
    data: Prepared,
    arrays: Path,
    source: str,
    guesses: tuple[Guess, ...],
    split: Split,
) -> FitRecord:
    """The record of a fit that is about to begin; ``arrays``: the folder of the data."""
    return FitRecord(
        gatewright=__version__,
        torch=torch.__version__,
        source=source,
        fingerprint=fingerprint(arrays),
        layout=data.layout,
        guesses=(*guesses, *data.preparation.guesses),
        recipe=recipe,
        stopping=stopping,
        shares=split.shares,
        rows=split.rows,
        cut=split.cut,
        notes=data.preparation.notes,
        parts=data.preparation.parts,
    )


def fit_model(
    recipe: Recipe,
    data: Prepared,
    stopping: Stopping,
    checkpoint: Path,
    plateau: Path | None = None,
    watch: Callable[[Epoch], None] = lambda epoch: None,
) -> Model:
    """Fit, going on from a checkpoint, or from the plateau of a shorter training.

    Raises DivergedError, and removes the checkpoint for another try.
    """
    try:
        return Model.fit(
            recipe, data, stopping, checkpoint=checkpoint, plateau=plateau, watch=watch
        )
    except DivergedError:
        checkpoint.unlink(missing_ok=True)
        raise


def _check_candidate(name: str, task: type[Task]) -> None:
    if name in cells.names():
        return
    fitting = baselines.of_task(task, extra=True)
    if name not in fitting:
        try:
            cells.get(name)
        except ValueError as error:
            raise InputError(f"{error}; the baselines are {', '.join(fitting)}") from None


def _fit(
    folder: Path,
    table: Table,
    data: Prepared,
    record: FitRecord,
    progress: Callable[[Epoch], None],
) -> FitRecord:
    recipe, checkpoint = record.recipe, folder / kept.CHECKPOINT
    try:
        model = fit_model(recipe, data, record.stopping, checkpoint, watch=progress)
    except DivergedError as error:
        remove(folder, [kept.CHECKPOINT, kept.RECORD])  # the folder too is for another try
        raise InputError(
            f"the training of {recipe.candidate} failed, as {error}: give a smaller "
            f"{argument('learning_rate')}"
        ) from None
    history = history_for(table, data.layout, [recipe.candidate])
    record = _judged(folder, model, data, record)
    record = kept.keep(folder, Predictor(model, history), record, data.items)
    checkpoint.unlink(missing_ok=True)
    return record


def _judged(folder: Path, model: Model, data: Prepared, record: FitRecord) -> FitRecord:
    """The record of the finished fit: how it did on each part, and what is kept to be shown."""
    found = {part: answer_part(model, data, part) for part in ("validation", "test")}
    answered = {part: answers for part, answers in found.items() if answers is not None}
    each = {part: judged(model.task, data, answers) for part, answers in answered.items()}
    record = record.ended(model, each.get("validation"), each.get("test"))
    if not answered:
        return record
    part, answers = list(answered.items())[-1]
    shown = kept.keep_shown(folder, model.task, data, part, answers)
    return record.model_copy(update={"kept": shown})
