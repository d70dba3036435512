"""``gatewright bench``: the speed of cells on this machine."""

from __future__ import annotations

from pathlib import Path

from gatewright import cells as known
from gatewright.cli.common import (
    AnyPath,
    Flag,
    MaybeWhole,
    UsageError,
    among,
    console,
    listed,
)
from gatewright.folders import made


def bench(
    *,
    cells: str | None = None,
    cases: str = "small",
    peers: str | None = None,
    threads: MaybeWhole = None,
    forward: Flag = False,
    backward: Flag = False,
    out: AnyPath = Path("runs/bench"),
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

    chosen, only = listed(cases), listed(cells)
    among("cell", only, known.names())
    among("set of cases", chosen, sets.choices())
    works = [sets.FORWARD] if forward and not backward else [sets.FORWARD, sets.TRAINING]
    if backward and not forward:
        works = [sets.TRAINING]
    chosen_cases = sets.select(chosen, only, works)
    if not chosen_cases:
        raise UsageError("no case is left: these cases have no such cell or pass")
    try:
        others = choose(listed(peers))
    except ValueError as error:
        raise UsageError(str(error)) from None
    # Imported only now, so that a typing error is answered at once.
    import torch

    from gatewright.bench.command import command
    from gatewright.bench.running import Schedule

    plan = Schedule(
        cases=chosen_cases,
        peers=others,
        threads=threads or torch.get_num_threads(),
        figures=sets.figures(chosen, only),
        pace=SMALL_PACE if chosen == ["small"] else Pace(),
    )
    with made(out):  # before minutes of measuring, not after them
        return command(plan, out, quiet=quiet, json=json, console=console())
