"""What ``gatewright bench`` does once its options are read: progress, files, what is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gatewright.bench import chart, table
from gatewright.bench.results import OWN, Results
from gatewright.bench.running import Schedule, Tell, run

FINE, REFUSED, INTERRUPTED = 0, 1, 130


def command(plan: Schedule, out: Path, *, quiet: bool, json: bool, console: Console) -> int:
    """Measure, write bench.json and bench.png, show the table; the exit code."""
    with _progress(plan.length, quiet) as tell:
        results = run(plan, tell)
    notes = _write(results, out)
    if json:
        print(results.to_json())
    else:
        table.show(results, console)
    for line in notes:
        _say(line)
    for measurement, side, sentence in results.refused:
        _say(f"Refused, no speed is shown: {measurement.case.label} by {side}: {sentence}")
    if not results.complete:
        done = len(results.measurements) + len(results.figures)
        _say(f"Interrupted: {done} of {plan.length} were measured, and only these are written")
        return INTERRUPTED
    return REFUSED if results.refused else FINE


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@contextmanager
def _progress(length: int, quiet: bool) -> Iterator[Tell]:
    """On a terminal a bar, elsewhere a line for each case; on stderr, apart from the table."""
    console = Console(stderr=True)
    if quiet:
        yield lambda _: None
        return
    if not console.is_terminal:
        count = iter(range(1, length + 1))
        yield lambda text: _say(f"[{next(count)}/{length}] {text}")
        return
    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=length)
        begun = 0

        def tell(text: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=text)
            begun += 1

        yield tell


def _write(results: Results, out: Path) -> list[str]:
    """Write both files; what is to be said about them."""
    if not results.measurements and not results.figures:
        return ["Nothing was measured, nothing is written"]
    path, picture = out / "bench.json", out / "bench.png"
    results.write(path)
    try:
        drawn = chart.draw(results, picture)
    except ImportError:
        return [
            f"Written: {path}",
            "The PNG was not written, matplotlib is missing: pip install 'gatewright[plot]'",
        ]
    if not drawn:
        why = f"no side was measured beside {OWN}"
        return [f"Written: {path}", f"The PNG was not written: {why}"]
    return [f"Written: {path} and {picture}"]
