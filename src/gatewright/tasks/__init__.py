"""What is to be learned from sequences, one file a task. A file put here is a task."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from gatewright.tasks.task import Task


@cache
def names() -> tuple[str, ...]:
    """The names of the tasks, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if name != "task"))


@cache
def get(name: str) -> type[Task]:
    """The class of a task: the one subclass of Task that its file defines."""
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Task)
        and value.__module__ == module.__name__
    )
    return found


def every() -> dict[str, type[Task]]:
    """The classes of all tasks by name."""
    return {name: get(name) for name in names()}


__all__ = ["Task", "every", "get", "names"]
