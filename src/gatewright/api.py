"""A comparison from Python, what it made, and a candidate of it made anew on all rows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatewright import limits, report
from gatewright.comparison.comparing import compare_into
from gatewright.comparison.crew import Processes
from gatewright.comparison.folder import PLAN, RunFolder
from gatewright.comparison.result import Result
from gatewright.comparison.running import Progress
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.folders import named
from gatewright.models.folder import holds_fit, load_fit
from gatewright.models.predictor import Predictor
from gatewright.requests import Columns, Contest, Limits, Names, Split, names


def compare(
    source: Any,
    *,
    target: Names = (),
    task: str | None = None,
    time: str | None = None,
    series: str | None = None,
    sequence: str | None = None,
    step: str | None = None,
    known: Names = (),
    categories: Names = (),
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    horizon: int | None = None,
    context: int | None = None,
    season: int | None = None,
    frequency: str | None = None,
    limits: Limits | Mapping[str, Limits] | None = None,
    delimiter: str | None = None,
    shares: tuple[float, float, float] | None = None,
    rows: tuple[int, int, int] | None = None,
    cut: str | None = None,
    cells: Names = (),
    baselines: Names = (),
    budget: str = "quick",
    settings: int | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    parameters: int | None = None,
    equal: str = "parameters",
    metric: str = "",
    class_weights: bool = False,
    truncate: int = 0,
    jobs: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> Result:
    """Find out which recurrent network these sequences need, and whether they need one.

    source: a file (CSV, TSV, NDJSON, Parquet, Arrow) or any data frame that narwhals reads.
    target: the column or columns to predict. What stands below is guessed where it is not given.
    task: "forecast", "classify" or "regress". time, series: of forecasts, the columns of times
        ("year,month" where several hold it) and of names of series. sequence, step: of labelled
        sequences, those of names and positions.
    known: inputs whose future values are known; categories: inputs that are not numbers; ignore:
        columns to leave out; group: sequences that stay together in the split; split: the column
        that says train, validation or test. horizon, context, season: in steps. frequency: of the
        time axis, as polars writes durations. delimiter: of a CSV file.
    limits: the least and the greatest value that targets can have, (0, None) where there is no
        greatest one, or a mapping of them by target; predictions stay within. (None, None) for no
        limits.
    shares: of training, validation and test, by default 0.7, 0.1 and 0.2. rows: of forecasts,
        their lengths in steps instead.
        cut: of many series, "dates" for all at the same two, "series" for each at its own places.
    cells, baselines: candidates by name; the baselines run beside those that always do.
    budget: "quick", "standard" or "thorough"; settings, seeds, epochs, parameters replace its
        numbers. equal: "parameters", or "time" for the same seconds each.
    metric: the measure that decides: "mse", "mae", "rmse", "mase", "smape", "wql" and others, as
        ``gatewright compare --help`` lists them. By default the mean squared error in standard
        deviations, or the error rate.
    class_weights: each class counts the same, in training and in the verdict. truncate: steps
        after which gradients stop going further back; 0 for never.
    jobs: fits side by side, one thread each; by default one a core.
    out: the folder of the run; where one was interrupted it goes on. By default a temporary one,
        which ``Result.save`` copies. restart: replace what the folder holds.

    Tables of the result (its leaderboard, measures and predictions) are pandas frames where the
    source is one, with times as an index if they were one, and else frames of polars.

    Raises InputError, in one sentence, if the source or an argument cannot be used.
    """
    columns = Columns(
        targets=names(target),
        task=task,
        time=time,
        series=series,
        sequence=sequence,
        step=step,
        known=names(known),
        categories=names(categories),
        ignore=names(ignore),
        group=group,
        split=split,
        horizon=horizon,
        context=context,
        season=season,
        frequency=frequency,
        limits=limits,
    )
    contest = Contest(
        cells=names(cells),
        baselines=names(baselines),
        budget=budget,
        settings=settings,
        seeds=seeds,
        epochs=epochs,
        parameters=parameters,
        equal=equal,
        metric=metric,
        class_weights=class_weights,
        truncate=truncate,
    )
    return compare_records(
        source,
        columns,
        Split(shares or Split.shares, rows, cut, told=shares is not None),
        contest,
        delimiter=delimiter,
        jobs=jobs,
        out=out,
        restart=restart,
        command=command,
        progress=progress,
    )


def compare_records(
    source: Any,
    columns: Columns,
    split: Split,
    contest: Contest,
    *,
    delimiter: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> Result:
    """``compare``, of whoever has its records."""
    limits.check({"jobs": jobs}, optional=("jobs",))
    table = read(source, delimiter=delimiter, said=columns)
    with _folder(out) as folder:
        compare_into(
            folder,
            table,
            columns,
            split,
            contest,
            source=str(source) if isinstance(source, str | Path) else table.name,
            crew=Processes(folder.path, jobs),
            command=command,
            restart=restart,
            progress=progress or Progress(),
        )
        report.write(folder)
    return Result(folder, temporary=out is None, native=table.native)


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
    if holds_fit(path):
        return load_fit(path, model)
    if os.path.lexists(path / PLAN):
        result = Result(RunFolder(path))
        return result.best if model is None else result.model(model)
    what = "holds no model" if path.exists() else "does not exist"
    raise InputError(
        f"{path} {what}: give a folder that gatewright fit or gatewright compare wrote"
    )


def refit(
    run: str | Path,
    source: Any = None,
    *,
    candidate: str | None = None,
    delimiter: str | None = None,
    out: str | Path | None = None,
) -> Predictor:
    """A candidate of a finished comparison made anew on all rows, to predict with.

    run: the folder of the comparison. The other arguments are those of ``Result.refit``.

    Raises InputError as that does, and where the folder holds no finished comparison.
    """
    result = Result(RunFolder(named(run)))
    return result.refit(source, candidate=candidate, delimiter=delimiter, out=out)


@contextmanager
def _folder(out: str | Path | None) -> Iterator[RunFolder]:
    """The folder asked for, or a temporary one, removed if there is no result."""
    if out is not None:
        yield RunFolder(named(out))
        return
    path = Path(tempfile.mkdtemp(prefix="gatewright-"))
    try:
        yield RunFolder(path)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
