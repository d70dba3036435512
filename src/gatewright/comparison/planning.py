"""A plan out of a table and what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from gatewright import baselines, cells, tasks
from gatewright.comparison.budget import BUDGETS, TOLERANCE, draw_settings, solve_widths
from gatewright.comparison.records import Candidate, Plan
from gatewright.data.layout import Guess
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.setting import Options
from gatewright.tasks import Task

USUAL_CELLS = ("rnn", "lstm", "gru")  # what everyone asks about
EQUAL = ("parameters", "time")

__all__ = ["EQUAL", "TOLERANCE", "USUAL_CELLS", "make_plan"]


def make_plan(
    data: Prepared,
    guesses: Sequence[Guess],
    *,
    source: str,
    fingerprint: str,
    chosen_cells: Sequence[str] | None = None,
    more_baselines: Sequence[str] = (),
    budget: str = "quick",
    settings: int | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    parameters: int | None = None,
    equal: str = "parameters",
    options: Options | None = None,
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2),
    rows: tuple[int, int, int] | None = None,
    command: str = "",
) -> Plan:
    """Everything decided that decides the outcome.

    Raises InputError for a cell, baseline or budget that does not exist.
    """
    if budget not in BUDGETS:
        raise InputError(f"no budget is called {budget!r}: it is one of {', '.join(BUDGETS)}")
    if equal not in EQUAL:
        raise InputError(f"--equal is one of {', '.join(EQUAL)}, not {equal!r}")
    preset = BUDGETS[budget]
    kind = tasks.get(data.layout.task)
    task = kind(data.preparation, options)
    drawn = draw_settings(settings or preset.settings, task.variants)
    named = _checked_cells(chosen_cells or USUAL_CELLS)
    contenders = solve_widths(
        task, named, drawn, hidden_size=preset.hidden_size, parameters=parameters
    )
    changes: dict[str, float] = {}
    if epochs:
        changes["epochs"] = epochs
    if equal == "time":
        changes |= {"seconds": preset.seconds, "epochs": 1_000_000}
    return Plan(
        gatewright=_version(),
        source=source,
        fingerprint=fingerprint,
        layout=data.layout,
        guesses=tuple(guesses),
        candidates=(*_baselines(kind, more_baselines), *contenders),
        settings=drawn,
        seeds=tuple(range(seeds or preset.seeds)),
        stopping=preset.stopping.model_copy(update=changes),
        options=options or Options(),
        budget=budget,
        equal=equal,
        shares=shares,
        rows=rows,
        command=command,
    )


def _checked_cells(names: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(names))
    for name in found:
        try:
            cells.get(name)
        except ValueError as error:
            raise InputError(str(error)) from None
    return found


def _baselines(task: type[Task], more: Sequence[str]) -> list[Candidate]:
    for name in more:
        if name not in (fitting := baselines.of_task(task, extra=True)):
            raise InputError(
                f"no baseline for this task is called {name!r}: there are {', '.join(fitting)}"
            )
    names = dict.fromkeys([*baselines.of_task(task), *more])
    kinds = {name: baselines.get(name) for name in names}
    return [
        Candidate(
            name=name,
            title=kind.title,
            baseline=True,
            trained=issubclass(kind, baselines.Trained),
        )
        for name, kind in kinds.items()
    ]


def _version() -> str:
    try:
        return version("gatewright")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"
