"""``gatewright cells``: every cell, or one of them in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright import cells as known
from gatewright.cli.common import UsageError, Whole, console

if TYPE_CHECKING:
    from gatewright.equations import Cell


def cells(
    name: str | None = None,
    /,
    *,
    input_size: Whole = 64,
    hidden_size: Whole = 128,
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
    if name is None:
        _show_all(input_size, hidden_size)
        return 0
    try:
        cell = known.get(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    _show_one(cell, input_size, hidden_size)
    return 0


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

    from gatewright.compiler.kernel import unfit
    from gatewright.compiler.printers import text

    table = Table(show_lines=True)
    table.add_column("cell", style="bold", no_wrap=True)
    table.add_column("what it is, its equations, its source")
    table.add_column("gates")
    table.add_column("states")
    table.add_column(f"parameters\n{input_size} to {hidden_size}", justify="right")
    for name in known.names():
        cell = known.get(name)
        shown = Text(f"{cell.summary}\n")
        shown.append("\n".join(text.equations(cell)), style="cyan")
        shown.append(f"\n{cell.source}", style="dim")
        if reason := unfit(cell):
            shown.append(f"\nruns on the reference: {reason}")
        count = f"{_parameters(cell, input_size, hidden_size):,}"
        table.add_row(name, shown, "\n".join(cell.gates), "\n".join(cell.states), count)
    screen = console()
    screen.print(table)
    note = (
        "x.NAME is W x + b of the input, h.NAME is U h + c of the previous output, p.NAME a learned"
    )
    screen.print(f"{note} vector, state.NAME the previous state, h' the next.", highlight=False)


def _show_one(cell: Cell, input_size: int, hidden_size: int) -> None:
    """One cell in full."""
    import torch

    from gatewright.backends import native
    from gatewright.compiler.printers import latex, text
    from gatewright.layers import Recurrent

    layer = Recurrent(cell, input_size, hidden_size, device="meta")
    reason = native.unavailable(cell, torch.float32)
    runs = "the reference" + f": {reason}" if reason else f"the compiled engine, {native.level()}"
    shapes = [f"{name} {tuple(value.shape)}" for name, value in layer.named_parameters()]
    count = f"{_parameters(cell, input_size, hidden_size):,} = {_formula(cell)}"
    parts = {
        "source": [cell.source or "none given"],
        "equations": text.equations(cell),
        "gates": [", ".join(cell.gates) or "none"],
        "states": [", ".join(cell.states)],
        "learned vectors": [", ".join(cell.vectors) or "none"],
        f"parameters of I={input_size}, H={hidden_size}": [*shapes, count],
        "runs on": [runs],
        "LaTeX": latex.equations(cell).splitlines(),
    }
    screen = console()
    screen.print(f"[bold]{cell.name}[/bold]  {cell.summary}", highlight=False)
    for title, lines in parts.items():
        screen.print(f"\n{title}", style="bold", highlight=False)
        for line in lines:
            screen.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
