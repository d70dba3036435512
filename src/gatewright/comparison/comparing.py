"""The whole of a comparison, from a source to a folder with its outcome."""

from __future__ import annotations

from gatewright import tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.outcome import conclude
from gatewright.comparison.planning import make_plan
from gatewright.comparison.records import Plan
from gatewright.comparison.running import Crew, Progress, finished, run
from gatewright.data.guess.guessing import guess
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import fingerprint
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.folders import check_same
from gatewright.models.predictor import history_for
from gatewright.requests import Columns, Contest, Split


def compare_into(
    folder: RunFolder,
    table: Table,
    columns: Columns,
    split: Split,
    contest: Contest,
    *,
    source: str,
    crew: Crew,
    command: str = "",
    restart: bool = False,
    progress: Progress,
) -> None:
    """Carry out a comparison in a folder, or go on with the one that stands there.

    crew: who runs the fits.

    Raises InputError if the input cannot be used or the folder holds another comparison.
    """
    if not split.shares[2]:
        raise InputError(
            f"{argument('shares')} leaves nothing for test, by which candidates are compared: give "
            "it some, as 0.7,0.1,0.2; gatewright fit is what needs no test part"
        )
    layout, guesses = guess(table, tasks.every(), columns, split)
    with folder.opened():
        question = tasks.get(layout.task)
        question.deciding(contest.options)
        data = prepare(table, layout, question, folder.data, split=split)
        try:
            plan = make_plan(
                data,
                guesses,
                split=split,
                contest=contest,
                source=source,
                fingerprint=fingerprint(folder.data),
                command=command,
            )
            _settle(folder, plan, restart=restart)
            names = [candidate.name for candidate in plan.candidates]
            folder.keep_preparation(history_for(table, plan.layout, names))
            _carry_out(folder, plan, crew, progress)
        finally:
            folder.clear_arrays()


def _carry_out(folder: RunFolder, plan: Plan, crew: Crew, progress: Progress) -> None:
    folder.create()
    folder.mend()
    progress.begin(plan, folder)
    try:
        if not finished(plan, folder.fits(), folder.scores()):
            run(folder, plan, crew, progress)
        conclude(folder, plan)
    finally:
        progress.end()
    folder.clear_checkpoints(plan)


def _settle(folder: RunFolder, plan: Plan, *, restart: bool) -> None:
    """Write the plan, unless a run of it stands there already."""
    there = folder.plan()
    if there is not None and restart:
        folder.empty(there)  # only now: an error in the command removes nothing
    if there is None or restart:
        folder.write_plan(plan)
        return
    check_same(
        folder.path,
        "comparison",
        there.decisions(),
        plan.decisions(),
        f"replace it with {argument('restart')}",
    )
