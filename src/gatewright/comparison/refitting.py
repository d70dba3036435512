"""The candidate of a finished comparison made anew on all rows, to be put to use.

What was judged has not seen the rows of test, the latest of a forecast. The same candidate learns
from them too, with what the comparison chose: the setting, the seeds, the number of epochs, the
penalty of a baseline.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatewright import tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Plan, Score
from gatewright.comparison.verdict import Verdict
from gatewright.data.prepare.columns import check_readings
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared, fingerprint
from gatewright.data.table.reading import Table, read
from gatewright.errors import InputError, argument
from gatewright.folders import claimed, remove
from gatewright.limits import EVERYTHING
from gatewright.models import folder as kept
from gatewright.models.fitting import record_of
from gatewright.models.folder import Comparison, FitRecord
from gatewright.models.judging import Judged
from gatewright.models.predictor import Predictor, history_for
from gatewright.models.undisturbed import undisturbed
from gatewright.requests import Split
from gatewright.training import DivergedError, Epoch, Model
from gatewright.wording import numbers

Watch = Callable[[int, Epoch], None]


def refit_into(
    folder: Path,
    table: Table,
    run: RunFolder,
    plan: Plan,
    verdict: Verdict,
    score: Score,
    *,
    source: str,
    command: str = "",
    begin: Callable[[FitRecord], None] = lambda record: None,
    progress: Watch = lambda seed, epoch: None,
) -> FitRecord:
    """Make a judged candidate anew on all rows, and keep it in a folder for ``load``.

    One that was killed goes on from its last whole epoch; a finished one is not made again.

    Args:
        folder: a new one, an empty one, or one with the same model.
        table: what ``rows_for`` gave.
        run, plan, verdict: of the finished comparison; score: of the candidate.
        source: what the table is called in the record; command: what repeats it there.
        begin: told once what will be fitted, before any training.
        progress: told of the seed and each epoch, also of those before an interruption.

    Returns:
        the record, as fit.json holds it.

    Raises:
        InputError: the table does not fit the comparison, a file of that is damaged, the folder
            holds something else, or the loss stopped being a number.
    """
    with (
        undisturbed(),
        claimed(folder, kept.RECORD, "a fit"),
        tempfile.TemporaryDirectory(prefix="gatewright-") as temporary,
    ):
        judged, arrays = run.model(score), Path(temporary) / "data"
        same = _same_rows(table, plan, arrays)
        data = _all_rows(table, plan, arrays)
        split = Split(EVERYTHING)
        record = record_of(judged.recipe, plan.stopping, data, arrays, source, (), split)
        comparison = _comparison(run, plan, verdict, score, judged, record, same=same)
        record = record.model_copy(update={"comparison": comparison, "command": command})
        there = kept.settle(folder, record)
        begin(record)
        return there or _make(folder, table, data, judged, record, progress)


def rows_for(run: RunFolder, plan: Plan, source: Any, delimiter: str | None) -> Table:
    """The table to learn from, its text read as in a comparison; without a source, that one's file.

    Raises InputError where it is not there, or cannot be read.
    """
    if source is None and not Path(plan.source).is_file():
        raise InputError(
            f"{plan.source}, which the comparison in {run.path} was made on, is not there: give "
            "its rows, or newer ones too, as a file after the folder (from Python as a file or a "
            "data frame)"
        )
    found = plan.source if source is None else source
    return read(found, delimiter=delimiter, readings=run.preparation().readings)


def _make(
    folder: Path,
    table: Table,
    data: Prepared,
    judged: Model,
    record: FitRecord,
    progress: Watch,
) -> FitRecord:
    names = [f"checkpoint-{part.seed}.safetensors" for part in judged.parts]
    checkpoints = [folder / name for name in names]
    try:
        model = Model.anew(judged, data, record.stopping, checkpoints, progress)
    except DivergedError as error:
        remove(folder, [*names, kept.RECORD])
        raise InputError(
            f"the training of {judged.recipe.candidate} on all rows failed, as {error}: make "
            f"another candidate anew with {argument('candidate')}, or predict with the comparison "
            "itself"
        ) from None
    seconds = sum(part.epochs[-1].seconds for part in model.parts if part.epochs)
    record = record.ended(model).model_copy(update={"seconds": seconds})
    history = history_for(table, data.layout, [judged.recipe.candidate])
    record = kept.keep(folder, Predictor(model, history), record, data.items)
    remove(folder, names)
    return record


def _same_rows(table: Table, plan: Plan, arrays: Path) -> bool:
    """Whether a table holds the rows that were compared on, whatever it is called now."""
    split = Split(plan.shares, plan.rows, plan.cut)
    table = replace(table, name=Path(plan.source).name)
    try:
        prepare(table, plan.layout, tasks.get(plan.layout.task), arrays, split=split)
    except InputError:  # it may do for training alone
        return False
    return fingerprint(arrays) == plan.fingerprint


def _all_rows(table: Table, plan: Plan, arrays: Path) -> Prepared:
    """All rows of a table as training, with the columns and lengths of a comparison."""
    layout = plan.layout.model_copy(update={"split": None})
    check_readings(table, layout, layout.targets)
    data = prepare(table, layout, tasks.get(layout.task), arrays, split=Split(EVERYTHING))
    parts = data.preparation.parts[:1]  # there is no other
    return replace(data, preparation=data.preparation.model_copy(update={"parts": parts}))


def _comparison(
    run: RunFolder,
    plan: Plan,
    verdict: Verdict,
    score: Score,
    judged: Model,
    record: FitRecord,
    *,
    same: bool,
) -> Comparison:
    placing, part = verdict.candidate(score.name), record.parts[0]
    basis = numbers.counted(score.units, verdict.unit)
    ends = numbers.interval(*placing.interval) if placing.interval else ""
    level = f"{100 * verdict.confidence:g}% interval {ends}, " if ends else ""
    others = "" if same else ", which are other rows than those compared"
    sentences = [
        f"This model was not judged itself: it is the candidate {placing.title}, made "
        f"anew on all {part.holds[0]} of {Path(record.source).name}{others}.",
        f"The comparison in {run.path} judged its like, made without the rows of test: "
        f"{verdict.metric} {numbers.number(placing.loss)} there ({level}{basis}).",
    ]
    if judged.calibration is not None:
        sentences.append("The bands come from the errors of that one on validation.")
    return Comparison(
        run=str(run.path),
        model=score.model,
        rows=same,
        epochs={part.seed: part.best_epoch for part in judged.parts if part.epochs},
        judged=Judged(
            metric=verdict.metric, loss=placing.loss, units=score.units, measures=score.measures
        ),
        interval=placing.interval,
        level=verdict.level,
        series=score.series,
        examples=score.examples,
        microseconds=score.microseconds,
        text=" ".join(sentences),
    )
