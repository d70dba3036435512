"""The whole of a comparison, from a source to a folder with its outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.outcome import conclude
from gatewright.comparison.planning import make_plan
from gatewright.comparison.records import Plan
from gatewright.comparison.running import Progress, cores, run
from gatewright.data.ahead import history_of
from gatewright.data.guessing import guess
from gatewright.data.prepare import prepare
from gatewright.data.prepared import ARRAYS
from gatewright.data.reading import Table
from gatewright.errors import InputError

BLOCK = 1 << 20


@dataclass(frozen=True)
class Parts:
    """How a table is split: shares of it, or of forecasts the numbers of rows."""

    shares: tuple[float, float, float] = (0.7, 0.1, 0.2)
    rows: tuple[int, int, int] | None = None


def compare_into(
    folder: RunFolder,
    table: Table,
    *,
    source: str,
    parts: Parts,
    given: dict[str, Any],
    budget: dict[str, Any],
    command: str = "",
    jobs: int | None = None,
    restart: bool = False,
    progress: Progress,
) -> None:
    """Carry out a comparison in a folder, or go on with the one that stands there.

    given: the arguments of ``guess``; budget: those of ``make_plan``.

    Raises InputError where the input is not fit for it or the folder holds another comparison.
    """
    layout, guesses = guess(table, **given)
    with folder.opened(), folder.locked():
        data = prepare(table, layout, folder.data, shares=parts.shares, rows=parts.rows)
        plan = make_plan(
            data,
            guesses,
            source=source,
            fingerprint=fingerprint(folder.data),
            shares=parts.shares,
            rows=parts.rows,
            command=command,
            **budget,
        )
        if restart:
            folder.empty()  # only now, so that a slip of the pen costs nothing
        _settle(folder, plan)
        folder.keep_preparation()
        if plan.layout.task == "forecast":
            history_of(table, plan.layout).write_ipc(folder.path / "history.arrow")
        progress.begin(plan, folder)
        try:
            if folder.verdict() is None:
                run(folder, plan, jobs or cores(), progress)
                conclude(folder, plan)
        finally:
            progress.end()
        folder.clear_work()


def _settle(folder: RunFolder, plan: Plan) -> None:
    """Write the plan, unless a run of it stands there already."""
    there = folder.plan()
    if there is None:
        folder.write_plan(plan)
        return
    old, new = there.decisions(), plan.decisions()
    different = [name for name in new if old.get(name) != new[name]]
    if different:
        folder.clear_work()
        words = ["the data" if name == "fingerprint" else name for name in different]
        raise InputError(
            f"{folder.path} holds another comparison (different: {', '.join(words)}): choose "
            "another folder with --out, or replace it with --restart"
        )


def fingerprint(folder: Path) -> str:
    """A digest of prepared arrays: the same for the same data, wherever they came from."""
    digest = hashlib.sha256()
    names: Sequence[str] = [*(f"{name}.npy" for name in ARRAYS), "prepared.json"]
    for name in names:
        with (folder / name).open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
