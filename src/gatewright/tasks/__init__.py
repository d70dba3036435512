"""What is to be learned from sequences, one file a task. A file put here is a task."""

from __future__ import annotations

from functools import cache

from gatewright.discovery import class_of, files_in
from gatewright.tasks.task import Task


@cache
def names() -> tuple[str, ...]:
    """The names of the tasks, in alphabetical order."""
    return files_in(__path__, "task")


@cache
def get(name: str) -> type[Task]:
    """The class of a task: the one subclass of Task that its file defines."""
    return class_of(__name__, name, Task)  # type: ignore[type-abstract]


def every() -> dict[str, type[Task]]:
    """The classes of all tasks by name."""
    return {name: get(name) for name in names()}


__all__ = ["Task", "every", "get", "names"]
