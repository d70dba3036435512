"""What a recurrent network has to beat, one file a baseline. A file put here is a baseline.

Files whose names begin with an underscore hold what several of them share.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from gatewright.baselines.baseline import Baseline, Fitted, Trained
from gatewright.tasks import Task


@cache
def names() -> tuple[str, ...]:
    """The names of the baselines, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if name != "baseline" and name[0] != "_"))


@cache
def get(name: str) -> type[Baseline]:
    """The class of a baseline: the one subclass of Baseline that its file defines."""
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Baseline)
        and value.__module__ == module.__name__
    )
    return found


def of_task(task: type[Task], *, extra: bool = False) -> tuple[str, ...]:
    """The baselines that answer a task; ``extra``: those that need one too."""
    found = (name for name in names() if get(name).answers(task))
    return tuple(name for name in found if extra or not get(name).extra)


__all__ = ["Baseline", "Fitted", "Trained", "get", "names", "of_task"]
