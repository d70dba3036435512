"""A comparison without a terminal: a line for each stage and each finished fit."""

from __future__ import annotations

from rich.console import Console

from gatewright import tasks
from gatewright.cli.board import Board
from gatewright.cli.tables import beginning
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit, Plan, Score
from gatewright.comparison.running import JUDGING, Progress
from gatewright.wording import numbers


class Lines(Progress):
    """Prints the events of a run."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
        self.board: Board | None = None

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        self.board = Board(plan, folder)
        preparation = folder.preparation()
        self.screen.print(beginning(plan.guesses, preparation.notes, preparation.parts))

    def stage(self, title: str, jobs: int, done: int) -> None:
        if self.board is None or not jobs:
            return
        self.board.stage(title, jobs, done)
        before = f", {done:,} of them done before" if done else ""
        what = "candidate" if title == JUDGING else "fit"
        self._say(f"{title}: {numbers.counted(jobs, what)}{before}")

    def fitted(self, fit: Fit) -> None:
        if self.board is None:
            return
        self.board.fitted(fit)
        plan = self.board.plan
        metric = tasks.get(plan.layout.task).deciding(plan.options).decides
        result = f"failed: {fit.failed}"
        if not fit.failed:
            result = f"{metric} {numbers.number(fit.validation_metric)} on validation"
            epochs = f" ({numbers.counted(len(fit.epochs), 'epoch')})" if fit.epochs else ""
            result += f" after {numbers.duration(fit.seconds)}{epochs}"
        self._line(f"{_name(plan, fit)}: {result}")

    def scored(self, score: Score) -> None:
        if self.board is None:
            return
        self.board.scored()
        plan = self.board.plan
        metric = tasks.get(plan.layout.task).deciding(plan.options).decides
        result = f"failed: {score.failed}"
        if not score.failed:
            result = f"{metric} {numbers.number(score.loss)} on test"
        self._line(f"{plan.candidate(score.name).title}: {result}")

    def _line(self, text: str) -> None:
        assert self.board is not None
        width = len(str(self.board.jobs))
        self._say(f"  [{self.board.done:>{width}}/{self.board.jobs}] {text}")

    def _say(self, text: str) -> None:
        self.screen.print(text, soft_wrap=True, markup=False, highlight=False)


def _name(plan: Plan, fit: Fit) -> str:
    """As "NAME, learning rate 0.003, 1 layer, dropout 0.1, seed 0"."""
    candidate = plan.candidate(fit.candidate)
    if not candidate.trained:
        return candidate.title
    return f"{candidate.title}, {plan.settings[fit.setting].in_words()}, seed {fit.seed}"
