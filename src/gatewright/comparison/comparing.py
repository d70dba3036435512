"""The whole of a comparison, from a source to a folder with its outcome."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gatewright import baselines, tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.outcome import conclude
from gatewright.comparison.planning import make_plan
from gatewright.comparison.records import Plan
from gatewright.comparison.running import Progress, cores, finished, run
from gatewright.data.continuing import history_of
from gatewright.data.guess.guessing import guess
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import ARRAYS, RECORD, PreparedRecord
from gatewright.data.table.reading import Table
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
    with folder.opened():
        data = prepare(table, layout, folder.data, shares=parts.shares, rows=parts.rows)
        try:
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
            _settle(folder, plan, restart=restart)
            folder.keep_preparation(_history(table, plan))
            _carry_out(folder, plan, jobs or cores(), progress)
        finally:
            folder.clear_arrays()


def _history(table: Table, plan: Plan) -> pl.DataFrame | None:
    """The rows that a forecast goes on from."""
    if tasks.get(plan.layout.task).kind != "origins":
        return None
    kinds = [baselines.get(one.name) for one in plan.candidates if one.baseline]
    return history_of(table, plan.layout, whole=any(kind.looks_back_on_all for kind in kinds))


def _carry_out(folder: RunFolder, plan: Plan, jobs: int, progress: Progress) -> None:
    folder.create()
    folder.mend()
    progress.begin(plan, folder)
    try:
        if not finished(plan, folder.fits(), folder.scores()):
            run(folder, plan, jobs, progress)
        conclude(folder, plan)
    finally:
        progress.end()
    folder.clear_checkpoints(plan)


def _settle(folder: RunFolder, plan: Plan, *, restart: bool) -> None:
    """Write the plan, unless a run of it stands there already."""
    there = folder.plan()
    if there is not None and restart:
        folder.empty(there)  # only now, so that a slip of the pen costs nothing
    if there is None or restart:
        folder.write_plan(plan)
        return
    old, new = there.decisions(), plan.decisions()
    different = [name for name in new if old.get(name) != new[name]]
    if different:
        words = ["the data" if name == "fingerprint" else name for name in different]
        raise InputError(
            f"{folder.path} holds another comparison (different: {', '.join(words)}): choose "
            "another folder with --out, or replace it with --restart"
        )


def fingerprint(folder: Path) -> str:
    """A digest of prepared arrays: the same for the same data, wherever they came from."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        with (folder / f"{name}.npy").open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    record = PreparedRecord.model_validate_json((folder / RECORD).read_text("utf-8"))
    # How text was read says of which kind the file was, and the numbers are there as they came out.
    plain = record.model_dump_json(exclude={"preparation": {"readings"}})
    digest.update(plain.encode())
    return digest.hexdigest()
