"""The ways to show predictions, one file a view. A file put here is a view that tasks can name.

Its part of the page is the template of the same name beside it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from gatewright.discovery import class_of, files_in
from gatewright.errors import InputError
from gatewright.report.outcome import Outcome
from gatewright.report.views.view import PlottingView, View
from gatewright.tasks import Task


@cache
def names() -> tuple[str, ...]:
    """The names of the views, in alphabetical order."""
    return files_in(__path__, "view")


@cache
def get(name: str) -> View:
    """A view: an object of the one subclass of View that its file defines."""
    return class_of(__name__, name, View)()  # type: ignore[type-abstract]


def of_task(task: Task | type[Task]) -> list[View]:
    """The views that a task names, in its order."""
    return [get(name) for name in task.views]


def contents(outcome: Outcome) -> dict[View, dict[str, Any]]:
    """The views of a run that have something to show, and what that is; none of a model that was
    not judged itself."""
    if outcome.comparison is not None:
        return {}
    each = {view: view.content(outcome) for view in of_task(outcome.task)}
    return {view: content for view, content in each.items() if content is not None}


def plotting(task: Task | type[Task]) -> PlottingView:
    """The view that draws a table of a task's predictions.

    Raises InputError where the task has none.
    """
    for view in of_task(task):
        if isinstance(view, PlottingView):
            return view
    raise InputError(
        f"there is no picture of what the task {task.name} predicts: ask for the table of "
        "predictions alone"
    )


__all__ = ["PlottingView", "View", "contents", "get", "names", "of_task", "plotting"]
