"""``gatewright predict``: what a fitted model says of a table, as a file or a picture."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

from cyclopts import Parameter

from gatewright.cli.common import AnyPath, UsageError, character, source
from gatewright.folders import made
from gatewright.wording.numbers import counted

if TYPE_CHECKING:
    import polars as pl

PICTURES = (".png", ".svg", ".pdf")
WRITERS: dict[str, Callable[[pl.DataFrame, BinaryIO], object]] = {
    ".csv": lambda frame, file: frame.write_csv(file),
    ".tsv": lambda frame, file: frame.write_csv(file, separator="\t"),
    ".ndjson": lambda frame, file: frame.write_ndjson(file),
    ".jsonl": lambda frame, file: frame.write_ndjson(file),
    ".parquet": lambda frame, file: frame.write_parquet(file),
    ".arrow": lambda frame, file: frame.write_ipc(file),
    ".feather": lambda frame, file: frame.write_ipc(file),
}

BINARY = (".parquet", ".arrow", ".feather")  # which keep all digits, and times as such


def predict(
    run: AnyPath,
    file: AnyPath | None = None,
    /,
    *,
    out: Annotated[AnyPath | None, Parameter(name=["--out", "-o"])] = None,
    plot: AnyPath | None = None,
    model: str | None = None,
    delimiter: str | None = None,
) -> int:
    """Predict with a finished comparison or fit, or with what was made anew on all rows.

    Forecasts go on from where the training file ended, or from the last known target of another
    file, wherever that lies, for the series that it holds; rows with an empty target at its end
    carry the inputs that are known ahead. Each target comes with quantiles, each label with the
    probability of every class. Files of text have two digits more than the target has in training,
    and times in the form of the training file.

    Examples:

    - `gatewright predict runs/airline -o forecast.csv --plot forecast.png`
    - `gatewright predict runs/shops future.csv -o forecast.parquet`: with inputs known ahead
    - `gatewright predict runs/gestures new.csv`: labels of new sequences, as CSV on the terminal
    - `gatewright predict runs/airline --model ridge_lags`: by a candidate other than the best

    Parameters
    ----------
    run
        The folder that `gatewright compare`, `gatewright refit` or `gatewright fit` wrote.
    file
        What to predict for. Forecasts need none.
    out
        The file to write: CSV, TSV, NDJSON, Parquet or Arrow by its ending.
    plot
        Draw a picture too: PNG, SVG or PDF by its ending.
    model
        The candidate of a comparison that predicts. Default: what its verdict recommends.
    delimiter
        Of a CSV file, where the guess is wrong.
    """
    _check_ending("--out", out, tuple(WRITERS))
    _check_ending("--plot", plot, PICTURES)
    if plot is not None and find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'gatewright[plot]'")
    from gatewright.api import load
    from gatewright.data.prepare.written import as_written
    from gatewright.data.table.reading import read

    predictor = load(run, model)
    view = None
    if plot is not None:
        from gatewright.report import panels, views

        view = views.plotting(predictor.model.task)
    table = None
    if file is not None:
        table = read(
            source(file, None),
            delimiter=character(delimiter),
            readings=predictor.preparation.readings,
        )
    frame = predictor.predict(table)
    text = as_written(frame, predictor.preparation)
    for note in filter(None, (predictor.remark, *predictor.noticed)):
        print(f"gatewright: {note}", file=sys.stderr)
    if out is not None:
        ending = out.suffix.lower()
        kept = frame if ending in BINARY else text
        write_whole(out, lambda file: WRITERS[ending](kept, file))
        print(f"{out}: {counted(len(frame), 'row')}")
    if plot is not None and view is not None:
        figure = view.plot(predictor, frame, table)
        kind = plot.suffix.lower().removeprefix(".")
        write_whole(plot, lambda file: panels.save(figure, file, format=kind, dpi=150))
        print(plot)
    if out is None and plot is None:
        sys.stdout.write(text.write_csv())
    return 0


def _check_ending(flag: str, path: Path | None, known: tuple[str, ...]) -> None:
    if path is not None and path.suffix.lower() not in known:
        raise UsageError(f"{flag} {path}: the file's name is to end in one of {', '.join(known)}")
    if path is not None and path.is_dir():
        raise UsageError(f"{flag} {path} is a folder: name a file")


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put a file in place at once, whole or not at all. Raises UsageError where it cannot be."""
    from gatewright import sealed

    content = io.BytesIO()
    write(content)
    try:
        with made(path.parent):
            sealed.write_whole(path, content.getvalue())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}): nothing is left of it; name "
            "another place"
        ) from None
