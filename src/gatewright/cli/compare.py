"""``gatewright compare``: from a file to a verdict."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from gatewright.cli.asking import GUESSED, USUAL, ContestFlags, TableFlags, repeating
from gatewright.cli.common import (
    INTERRUPTED,
    WRONG,
    AnyPath,
    Flag,
    MaybeWhole,
    cannot_write,
    console,
    source,
)

if TYPE_CHECKING:
    from gatewright.comparison.result import Result
    from gatewright.comparison.running import Progress


def compare(
    file: AnyPath,
    /,
    *,
    table: TableFlags = GUESSED,
    contest: ContestFlags = USUAL,
    out: AnyPath | None = None,
    jobs: MaybeWhole = None,
    restart: Flag = False,
    quiet: Flag = False,
    json: Flag = False,
) -> int:
    """Find out which recurrent network a file of sequences needs, and whether it needs one.

    Trains recurrent networks of the same size with the same budget beside baselines, judges all of
    them on data that none has seen, and says in a paragraph what to use. What the columns mean is
    guessed and said. Whatever is finished is kept: the same command goes on after an interruption.

    Examples:

    - `gatewright compare airline`: a data set that comes with Gatewright; also co2, sunspots
    - `gatewright compare sales.csv --target sales --horizon 14`: forecasts two weeks of days
    - `gatewright compare shops.parquet --target sales --series shop --known holiday`: many series
    - `gatewright compare gestures.csv --target label --sequence id`: classifies sequences
    - `gatewright compare sales.csv --cells lstm,gru,mgu --budget standard --out runs/three`

    Parameters
    ----------
    file
        CSV, TSV, NDJSON, Parquet or Arrow; or the name of a data set that comes with Gatewright.
    out
        The folder of the run. Default: runs/NAME, after the file.
    jobs
        Trainings side by side, one thread each. Default: one a core.
    restart
        Replace the run that stands in the folder.
    quiet
        Print the verdict only.
    json
        Print one JSON object instead: verdict, leaderboard, paths.
    """
    columns, split, delimiter = table.asked()
    asked = columns, split, contest.asked()
    screen = console(stderr=json)
    path = source(file, None if quiet else screen)
    folder = out or Path("runs") / path.stem
    command = repeating("compare", file, table, contest, out=out)
    try:
        with _progress(screen, path, quiet=quiet) as progress:
            result = _compared(
                path,
                *asked,
                delimiter=delimiter,
                jobs=jobs,
                out=folder,
                restart=restart,
                command=command,
                progress=progress,
            )
    except KeyboardInterrupt:
        print(
            "gatewright: interrupted; what was finished is kept, and the same command goes on: "
            f"{command}",
            file=sys.stderr,
        )
        return INTERRUPTED
    except OSError as error:
        raise cannot_write(error, folder) from None
    _tell(result, screen, quiet=quiet, json=json)
    networks = [row for row in result.rows if not row.baseline]
    if all(row.failed for row in networks):
        reasons = dict.fromkeys(f"{row.title}: {row.failed}" for row in networks)
        print(
            f"gatewright: no recurrent network could be trained ({'; '.join(reasons)}), so this "
            "says nothing of them: --restart tries again",
            file=sys.stderr,
        )
        return WRONG
    return 0


def _compared(path: Path, *asked: Any, **others: Any) -> Result:
    from gatewright.api import compare_records

    return compare_records(path, *asked, **others)


@contextlib.contextmanager
def _progress(screen: Console, path: Path, *, quiet: bool) -> Iterator[Progress | None]:
    """What shows the run: nothing, a table that changes in place, or lines."""
    if quiet:
        yield None
    elif screen.is_terminal and not screen.is_dumb_terminal:
        with screen.status(Text(f"reading {path.name}"), spinner_style="cyan") as waiting:
            from gatewright.cli.live import Terminal

            shown = Terminal(screen, waiting)
            try:
                yield shown
            finally:
                shown.end()
    else:
        from gatewright.cli.plain import Lines

        yield Lines(screen)


def _tell(result: Result, screen: Console, *, quiet: bool, json: bool) -> None:
    if json:
        print(_as_json(result))
    elif quiet:
        print(result.verdict.text)
    else:
        from gatewright.cli.tables import show_result

        show_result(result, screen)


def _as_json(result: Result) -> str:
    from gatewright.cli.tables import predicting
    from gatewright.comparison.folder import as_json

    folder = result.folder.path
    names = ("plan.json", "verdict.json", "leaderboard.json", "report.html")
    paths = {name.split(".")[0]: str(folder / name) for name in names if (folder / name).exists()}
    return as_json(
        {
            "verdict": result.verdict.model_dump(mode="json"),
            "leaderboard": [row.model_dump(mode="json") for row in result.rows],
            "paths": {"folder": str(folder), **paths},
            "predict": predicting(result.plan.layout, folder),
        }
    )
