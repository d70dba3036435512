"""What a recurrent network has to beat, one file a baseline. A file put here is a baseline.

Files whose names begin with an underscore hold what several of them share.
"""

from __future__ import annotations

from functools import cache

from gatewright.baselines.baseline import Baseline, Fitted, Trained
from gatewright.discovery import class_of, files_in
from gatewright.tasks import Task


@cache
def names() -> tuple[str, ...]:
    """The names of the baselines, in alphabetical order."""
    return files_in(__path__, "baseline")


@cache
def get(name: str) -> type[Baseline]:
    """The class of a baseline: the one subclass of Baseline that its file defines."""
    return class_of(__name__, name, Baseline)


def of_task(task: type[Task], *, extra: bool = False) -> tuple[str, ...]:
    """The baselines that answer a task; ``extra``: those that need one too."""
    answering = (name for name in names() if get(name).answers(task))
    return tuple(name for name in answering if extra or not get(name).extra)


__all__ = ["Baseline", "Fitted", "Trained", "get", "names", "of_task"]
