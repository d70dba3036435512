"""``gatewright refit``: the candidate of a comparison made anew on all rows."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from gatewright.cli.common import (
    INTERRUPTED,
    AnyPath,
    Flag,
    cannot_write,
    character,
    console,
    source,
)

if TYPE_CHECKING:
    from gatewright.models.folder import FitRecord
    from gatewright.training import Epoch

    Begin = Callable[[FitRecord], None]
    Watch = Callable[[int, Epoch], None]


def refit(
    run: AnyPath,
    file: AnyPath | None = None,
    /,
    *,
    candidate: str | None = None,
    delimiter: str | None = None,
    out: AnyPath | None = None,
    quiet: Flag = False,
    json: Flag = False,
) -> int:
    """Make the candidate that a comparison recommends anew on all rows, to predict with.

    What a comparison judges learned from the rows of training; the rows of validation and test, of
    a forecast the latest, serve to choose and to judge. Once that is done they can be learned from
    too: with the setting, the seeds and the number of epochs that the comparison chose, or the
    penalty of a baseline. Nothing is then left to judge the model by, and its bands come from the
    comparison.

    Examples:

    - `gatewright refit runs/sales`: then `gatewright predict runs/sales-refit -o forecast.csv`
    - `gatewright refit runs/sales newer.csv`: on a file with newer rows, or where it lies now
    - `gatewright refit runs/airline --candidate gru --out runs/airline-gru`: another candidate

    Parameters
    ----------
    run
        The folder that `gatewright compare` wrote.
    file
        The rows to learn from, with the same columns. Default: the file that was compared on.
    candidate
        By name. Default: what the verdict recommends.
    delimiter
        Of a CSV file, where the guess is wrong.
    out
        The folder of the new model. Default: that of the run with -refit after it.
    quiet
        Print nothing but errors.
    json
        Print one JSON object instead: what was made, and which comparison judged its like.
    """
    screen = console(stderr=json)
    path = None if file is None else source(file, None if quiet else screen)
    folder = out or _beside(run)
    command = _repeating(run, file, candidate=candidate, delimiter=delimiter, out=out)
    try:
        with _shown(screen, quiet=quiet) as (begin, watch):
            from gatewright.comparison.folder import RunFolder
            from gatewright.comparison.result import Result
            from gatewright.models.folder import read_fit

            Result(RunFolder(run)).refit(
                path,
                candidate=candidate,
                delimiter=character(delimiter),
                out=folder,
                command=command,
                begin=begin,
                progress=watch,
            )
            record = read_fit(folder)
    except KeyboardInterrupt:
        print(f"gatewright: interrupted; the same command goes on: {command}", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        raise cannot_write(error, folder) from None
    if json:
        print(record.model_dump_json(indent=2))
    elif not quiet:
        _tell(record, folder, screen)
    return 0


def _beside(run: Path) -> Path:
    """The folder of the new model where none is said: beside that of the run."""
    named = run if run.name not in ("", "..") else run.resolve()
    return named.with_name(f"{named.name}-refit")


def _repeating(run: Path, file: Path | None, **flags: object) -> str:
    """The command line that does the same again."""
    words = ["gatewright", "refit", str(run), *([] if file is None else [str(file)])]
    for name, value in flags.items():
        words += [] if value is None else [f"--{name}", str(value)]
    return shlex.join(words)


@contextlib.contextmanager
def _shown(screen: Console, *, quiet: bool) -> Iterator[tuple[Begin, Watch]]:
    """What is shown of the data and of each epoch: nothing, a line that changes, or lines."""
    if quiet:
        yield lambda record: None, lambda seed, epoch: None
        return
    begun: list[FitRecord] = []

    def begin(record: FitRecord) -> None:
        from gatewright.cli.tables import beginning

        begun.append(record)
        screen.print(beginning(record.guesses, record.notes, record.parts))

    if not screen.is_terminal or screen.is_dumb_terminal:
        yield (
            begin,
            lambda seed, epoch: screen.print(
                _epoch(begun[0], seed, epoch), highlight=False, soft_wrap=True
            ),
        )
        return
    with screen.status(Text("reading"), spinner_style="cyan") as line:

        def started(record: FitRecord) -> None:
            begin(record)
            line.update(Text(f"fitting {record.recipe.candidate}"))

        yield started, lambda seed, epoch: line.update(_epoch(begun[0], seed, epoch))


def _epoch(record: FitRecord, seed: int, epoch: Epoch) -> str:
    from gatewright.wording import numbers

    assert record.comparison is not None
    epochs = record.comparison.epochs
    place = f"seed {list(epochs).index(seed) + 1} of {len(epochs)}, " if len(epochs) > 1 else ""
    return (
        f"{place}epoch {epoch.number} of {epochs[seed]}: loss {numbers.number(epoch.train_loss)}, "
        f"{numbers.duration(epoch.seconds)}"
    )


def _tell(record: FitRecord, folder: Path, screen: Console) -> None:
    from gatewright.cli.tables import predicting
    from gatewright.wording import numbers

    assert record.comparison is not None
    words = [f"{record.parameters:,} parameters"]
    epochs = list(record.comparison.epochs.values())
    if epochs:
        seeds, most = numbers.counted(len(epochs), "seed"), numbers.counted(max(epochs), "epoch")
        least = f"{min(epochs)} to " if min(epochs) < max(epochs) else ""
        words.append(f"{seeds} of {least}{most} in {numbers.duration(record.seconds)}")
    lines = {
        "Made anew": f"{record.recipe.candidate}: {', '.join(words)}",
        "Judged": record.comparison.text,
        "Folder": str(folder),
        "Report": shlex.join(["gatewright", "report", str(folder)]),
        "Predict": predicting(record.layout, folder),
    }
    for what, text in lines.items():
        screen.print(Text.assemble((f"{what:<11}", "dim"), text), soft_wrap=True)
