"""A plan out of a table and what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from gatewright import baselines, cells, tasks
from gatewright.comparison.budget import (
    BUDGETS,
    TOLERANCE,
    Budget,
    draw_settings,
    rungs,
    solve_widths,
)
from gatewright.comparison.records import Candidate, Plan
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.requests import Contest, Split
from gatewright.setting import Setting
from gatewright.tasks import Task
from gatewright.training import Stopping

USUAL_CELLS = ("rnn", "lstm", "gru")  # what everyone asks about

__all__ = ["TOLERANCE", "USUAL_CELLS", "make_plan"]


def make_plan(
    data: Prepared,
    guesses: Sequence[Guess],
    *,
    split: Split,
    contest: Contest,
    source: str,
    fingerprint: str,
    command: str = "",
) -> Plan:
    """All choices that decide the outcome.

    Raises InputError for a cell, baseline or budget that does not exist.
    """
    if contest.budget not in BUDGETS:
        names = ", ".join(BUDGETS)
        raise InputError(f"no budget is called {contest.budget!r}: it is one of {names}")
    preset = BUDGETS[contest.budget]
    kind = tasks.get(data.layout.task)
    task = kind(data.preparation, contest.options)
    count = contest.settings or preset.settings
    settings = draw_settings(count, task.choices(data), task.segments(data))
    apart, every = _apart(task, data, settings), tuple(range(len(settings)))
    stopping = _stopping(contest, preset)
    networks = solve_widths(
        task,
        _checked_cells(contest.cells or USUAL_CELLS),
        settings,
        hidden_size=preset.hidden_size,
        parameters=contest.parameters,
    )
    return Plan(
        gatewright=_version(),
        source=source,
        fingerprint=fingerprint,
        layout=data.layout,
        guesses=(*guesses, *data.preparation.guesses),
        candidates=(*_baselines(kind, data.layout, contest.baselines, apart, every), *networks),
        settings=settings,
        seeds=tuple(range(contest.seeds or preset.seeds)),
        stopping=stopping,
        rungs=rungs(count, stopping),
        options=contest.options,
        budget=contest.budget,
        equal=contest.equal,
        shares=split.shares,
        rows=split.rows,
        cut=split.cut,
        command=command,
    )


def _stopping(contest: Contest, preset: Budget) -> Stopping:
    """How long each network is trained."""
    changes: dict[str, float] = {}
    if contest.epochs:
        changes["epochs"] = contest.epochs
    if contest.equal == "time":
        changes |= {"seconds": preset.seconds, "epochs": 1_000_000}
    return preset.stopping.model_copy(update=changes)


def _checked_cells(names: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(names))
    for name in unique:
        try:
            cells.get(name)
        except ValueError as error:
            raise InputError(str(error)) from None
    return unique


def _apart(task: Task, data: Prepared, settings: Sequence[Setting]) -> tuple[int, ...]:
    """The first settings with which the data look as they are, and otherwise: all that a baseline
    which is not trained can tell apart."""
    same = [task.seen(data, setting) is data for setting in settings]
    return tuple(same.index(kind) for kind in (True, False) if kind in same)


def _baselines(
    task: type[Task],
    layout: Layout,
    more: Sequence[str],
    apart: tuple[int, ...],
    every: tuple[int, ...],
) -> list[Candidate]:
    """Those that suit the data, and those that are asked for; ``every``: the settings of those
    that are trained, ``apart`` of the others."""
    for name in more:
        if name not in (fitting := baselines.of_task(task, extra=True)):
            raise InputError(
                f"no baseline for this task is called {name!r}: there are {', '.join(fitting)}"
            )
    suited = (name for name in baselines.of_task(task) if baselines.get(name).suits(layout))
    names = dict.fromkeys([*suited, *more])
    kinds = {name: baselines.get(name) for name in names}
    return [
        Candidate(
            name=name,
            title=kind.title,
            baseline=True,
            trained=(trained := issubclass(kind, baselines.Trained)),
            settings=every if trained else apart,
            trivial=kind.trivial,
        )
        for name, kind in kinds.items()
    ]


def _version() -> str:
    try:
        return version("gatewright")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"
