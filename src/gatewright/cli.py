"""The command line. Nothing here imports torch before a command needs it.

Every error is one sentence on stderr with exit code 2; 1 means that a benchmark refused a side,
130 that it was interrupted.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from gatewright import cells as known

if TYPE_CHECKING:
    from gatewright.equations import Cell

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
WRONG, INTERRUPTED = 2, 130


class UsageError(Exception):
    """What a person asked for cannot be done; the text is the sentence they read."""


def _version() -> str:
    import gatewright

    return f"gatewright {gatewright.__version__}"


app = App(
    name="gatewright",
    help="Recurrent networks built from their equations, with a fused engine for CPUs.",
    version=_version,
    help_format="markdown",
)


@app.command
def cells(
    name: str | None = None,
    /,
    *,
    input_size: int = 64,
    hidden_size: int = 128,
) -> int:
    """List the cells, or show one of them in full.

    Examples:

    - `gatewright cells`: lists every cell with its equations
    - `gatewright cells lstm`: shows the parameters, the LaTeX and whether it runs natively here
    - `gatewright cells gru --hidden-size 256`: counts the parameters for another size

    Parameters
    ----------
    name
        The cell to show in full.
    input_size
        The size of the input for which parameters are counted.
    hidden_size
        The number of units for which parameters are counted.
    """
    for option, size in (("--input-size", input_size), ("--hidden-size", hidden_size)):
        if size < 1:
            raise UsageError(f"{option} is to be at least 1, not {size}")
    if name is None:
        _show_all(input_size, hidden_size)
        return 0
    try:
        cell = known.get(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    _show_one(cell, input_size, hidden_size)
    return 0


@app.command
def bench(
    *,
    cells: str | None = None,
    cases: str = "small",
    peers: str | None = None,
    threads: int | None = None,
    forward: Flag = False,
    backward: Flag = False,
    out: Path = Path("runs/bench"),
    quiet: Flag = False,
    json: Flag = False,
) -> int:
    """Measure the speed of every cell on this machine, beside torch and other libraries.

    Each side runs with the same number of threads, in turns. A side whose numbers do not match the
    cell's reference in float64 gets no speed, and the exit code is then 1. The results are written
    as bench.json and bench.png.

    Examples:

    - `gatewright bench`: measures every cell at one small size, well under a minute
    - `gatewright bench --cells lstm,gru --peers torch`: two cells beside torch alone
    - `gatewright bench --cases full --threads 2`: every case, with its target; some minutes
    - `gatewright bench --cases lengths,step --forward`: two groups of the full set

    Parameters
    ----------
    cells
        Names of cells, with commas between them. Default: every one.
    cases
        small, full, or groups of the full set: sequence, lengths, one, step, others.
    peers
        torch, jax, onnxruntime, with commas between them. Default: those installed.
    threads
        Threads of every side. Default: as many as torch uses.
    forward
        Only the pass forward.
    backward
        Only the training step: forward and backward.
    out
        The folder for bench.json and bench.png.
    quiet
        Show no progress.
    json
        Print the JSON instead of the table.
    """
    from gatewright.bench import cases as sets
    from gatewright.bench.measuring import SMALL_PACE, Pace
    from gatewright.bench.peers import choose

    chosen, only = _listed(cases), _listed(cells)
    _among("cell", only, known.names())
    _among("set of cases", chosen, sets.choices())
    if threads is not None and threads < 1:
        raise UsageError(f"--threads is to be at least 1, not {threads}")
    works = [sets.FORWARD] if forward and not backward else [sets.FORWARD, sets.TRAINING]
    if backward and not forward:
        works = [sets.TRAINING]
    found = sets.select(chosen, only, works)
    if not found:
        raise UsageError("no case is left: these cases have no such cell or pass")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out is to be a folder, and {out} is a file")
    try:
        # Before minutes of measuring, not after them.
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise UsageError(
            f"--out: nothing can be written into {out} ({error.strerror}); name another folder"
        ) from None
    try:
        others = choose(_listed(peers))
    except ValueError as error:
        raise UsageError(str(error)) from None

    # Only now, so that a slip of the pen is answered at once.
    import torch

    from gatewright.bench.command import command
    from gatewright.bench.running import Plan

    plan = Plan(
        cases=found,
        peers=others,
        threads=threads or torch.get_num_threads(),
        figures=sets.figures(chosen, only),
        pace=SMALL_PACE if chosen == ["small"] else Pace(),
    )
    return command(plan, out, quiet=quiet, json=json, console=_console())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except (UsageError, CycloptsError) as error:
        print(f"gatewright: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("gatewright: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _console() -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _among(kind: str, names: Iterable[str], there: Sequence[str]) -> None:
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"no {kind} is called {name!r}: {hint}there are {', '.join(there)}")


def _parameters(cell: Cell, input_size: int, hidden_size: int) -> int:
    """The number of parameters of one layer."""
    x, h = len(cell.x_projections), len(cell.h_projections)
    width = x * (input_size + 1) + h * (hidden_size + 1) + len(cell.vectors)
    return hidden_size * width


def _formula(cell: Cell) -> str:
    """The same as a formula, for I inputs and H units."""
    x, h = len(cell.x_projections), len(cell.h_projections)
    terms = ((x, "HI"), (h, "H²"), (x + h + len(cell.vectors), "H"))
    return " + ".join(f"{count}{size}" for count, size in terms if count)


def _show_all(input_size: int, hidden_size: int) -> None:
    """A table of every cell."""
    from rich.table import Table
    from rich.text import Text

    from gatewright.equations.text import equations

    table = Table(show_lines=True)
    table.add_column("cell", style="bold", no_wrap=True)
    table.add_column("what it is, its equations, its source")
    table.add_column("gates")
    table.add_column("states")
    table.add_column(f"parameters\n{input_size} to {hidden_size}", justify="right")
    for name in known.names():
        cell = known.get(name)
        shown = Text(f"{cell.summary}\n")
        shown.append("\n".join(equations(cell)), style="cyan")
        shown.append(f"\n{cell.source}", style="dim")
        count = f"{_parameters(cell, input_size, hidden_size):,}"
        table.add_row(name, shown, "\n".join(cell.gates), "\n".join(cell.states), count)
    console = _console()
    console.print(table)
    note = (
        "x.NAME is W x + b of the input, h.NAME is U h + c of the previous output, p.NAME a learned"
    )
    console.print(f"{note} vector, state.NAME the previous state, h' the next.", highlight=False)


def _show_one(cell: Cell, input_size: int, hidden_size: int) -> None:
    """One cell in full."""
    import torch

    from gatewright import native
    from gatewright.equations.text import equations, latex_equations
    from gatewright.layers import Recurrent

    layer = Recurrent(cell, input_size, hidden_size, device="meta")
    reason = native.unavailable(cell, torch.float32)
    runs = "the reference" + f": {reason}" if reason else f"the compiled engine, {native.level()}"
    shapes = [f"{name} {tuple(value.shape)}" for name, value in layer.named_parameters()]
    count = f"{_parameters(cell, input_size, hidden_size):,} = {_formula(cell)}"
    parts = {
        "source": [cell.source or "none given"],
        "equations": equations(cell),
        "gates": [", ".join(cell.gates) or "none"],
        "states": [", ".join(cell.states)],
        "learned vectors": [", ".join(cell.vectors) or "none"],
        f"parameters of I={input_size}, H={hidden_size}": [*shapes, count],
        "runs on": [runs],
        "LaTeX": latex_equations(cell).splitlines(),
    }
    console = _console()
    console.print(f"[bold]{cell.name}[/bold]  {cell.summary}", highlight=False)
    for title, lines in parts.items():
        console.print(f"\n{title}", style="bold", highlight=False)
        for line in lines:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
