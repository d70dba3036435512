"""Which task is meant: the one that was asked for, or the one that the table suits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from gatewright.data.guess.labels import LabelCounts
from gatewright.data.guess.roles import Notes
from gatewright.data.question import Question
from gatewright.errors import InputError, argument
from gatewright.requests import Columns, Split


@dataclass(frozen=True)
class Tasks:
    """The tasks that may be meant, by name, and what speaks for them.

    ``shape``: of the table, once it is known, with the reason in ``why`` where it is not plain.
    """

    every: Mapping[str, Question]
    said: Columns
    split: Split
    shape: str = ""
    why: str = ""

    @classmethod
    def of(cls, every: Mapping[str, Question], said: Columns, split: Split) -> Tasks:
        """Raises InputError where the task that was asked for does not exist."""
        if said.task is not None and said.task not in every:
            raise InputError(
                f"{argument('task', said.task)}: there is no such task; there are "
                f"{', '.join(every)}"
            )
        return cls(every, said, split)

    @property
    def asked(self) -> Question | None:
        """The task that was asked for."""
        return None if self.said.task is None else self.every[self.said.task]

    def reading(self, shape: str, why: str = "") -> Tasks:
        """The choice among those that read tables of a shape."""
        return dataclasses.replace(self, shape=shape, why=why)

    @property
    def names(self) -> list[str]:
        """The tasks that are left: specific ones first."""
        if self.said.task is not None:
            return [self.said.task]
        left = [name for name in self.every if self._guessed(name, self.shape)]
        return sorted(left, key=lambda name: self.every[name].target.general)

    def first(self) -> Question:
        return self.every[self.names[0]]

    def usual(self, notes: Notes, why: str) -> str:
        """The name of the task where the shape alone decides."""
        name = self.names[0]
        if self.said.task is None:
            notes.add("task", name, "task", self.why or why)
        return name

    def by_labels(self, labels: LabelCounts, notes: Notes) -> str:
        """The name of the task that labels suit. Raises InputError where they do not suit it."""
        suiting = ((name, self.every[name].target.suits(labels)) for name in self.names)
        name, kind = next((name, kind) for name, kind in suiting if kind or self.said.task)
        if self.said.task is None:
            what = f"the values of {' and '.join(labels.targets)} are {kind}"
            notes.add("task", name, "task", f"one label a sequence; {what}")
        others = [other for other in self.every if self._guessed(other, self.shape)]
        wanted = self.every[name].target
        wanted.check(labels, name, in_words([other for other in others if other != name]))
        return name

    def to_say(self, shape: str) -> str:
        """What to say for a task that reads tables of a shape."""
        return in_words([name for name in self.every if self._guessed(name, shape)])

    def _guessed(self, name: str, shape: str) -> bool:
        examples = self.every[name].examples
        return shape in examples.shapes and examples.guessed


def in_words(names: list[str]) -> str:
    """As "`task='one'` or two"."""
    first, *others = names or [""]
    return " or ".join([argument("task", first), *others])
