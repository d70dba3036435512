"""A comparison in a terminal: one calm table that changes in place, and is gone at the end."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.status import Status
from rich.table import Table
from rich.text import Text

from gatewright import tasks
from gatewright.cli.board import Board, Standing
from gatewright.cli.tables import beginning
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit, Job, Plan, Score
from gatewright.comparison.running import JUDGING, Progress, finished
from gatewright.training import Epoch
from gatewright.wording import numbers

AROUND = 9  # lines that stand around the candidates, without the fits in progress
FEWEST = 3  # candidates shown in however low a window
BAR = 24  # columns


class Terminal(Progress):
    """Shows the events of a run. ``waiting`` ends when the plan is made."""

    def __init__(
        self,
        screen: Console,
        waiting: Status | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.screen, self.waiting, self.clock = screen, waiting, clock
        self.board: Board | None = None
        self.live: Live | None = None

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        if self.waiting is not None:
            self.waiting.stop()
        self.board = Board(plan, folder, self.clock)
        preparation = folder.preparation()
        self.screen.print(beginning(plan.guesses, preparation.notes, preparation.parts))
        if not finished(plan, folder.fits(), folder.scores()):
            self.live = Live(
                console=self.screen,
                get_renderable=self.render,
                refresh_per_second=4,
                transient=True,
            )
            self.live.start()

    def stage(self, title: str, jobs: int, done: int) -> None:
        if self.board is not None:
            self.board.stage(title, jobs, done)

    def epoch(self, job: Job, epoch: Epoch) -> None:
        if self.board is not None:
            self.board.epoch(job, epoch)

    def fitted(self, fit: Fit) -> None:
        if self.board is not None:
            self.board.fitted(fit)

    def scored(self, score: Score) -> None:
        if self.board is not None:
            self.board.scored()

    def end(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def render(self) -> RenderableType:
        """What the terminal shows now."""
        if self.board is None:
            return Text()
        running = list(self.board.running.values())
        room = max(FEWEST, self.screen.size.height - AROUND - max(1, len(running)))
        parts: list[RenderableType] = [_overall(self.board), Text()]
        if running or self.board.title != JUDGING:
            parts += [_running(self.board, running), Text()]
        return Group(*parts, _candidates(self.board, room))


def _overall(board: Board) -> Table:
    """One line: the stage, a bar of the whole, and the time left."""
    share, left = board.share(), board.time_left()
    remaining = "" if left is None else f"about {numbers.duration(left)} left"
    line = Table.grid(padding=(0, 2))
    line.add_column(no_wrap=True)
    line.add_column(width=BAR)
    line.add_column(justify="right", width=4)
    line.add_column(style="dim", no_wrap=True)
    bar = ProgressBar(total=1.0, completed=share, width=BAR, complete_style="cyan")
    title = f"{board.title} {board.done}/{board.jobs}" if board.jobs else board.title
    line.add_row(Text(f" {title}", style="bold"), bar, f"{100 * share:.0f}%", remaining)
    return line


def _plain_table() -> Table:
    """Without lines but one under the heads."""
    return Table(box=box.SIMPLE_HEAD, header_style="dim", border_style="dim", show_edge=False)


def _running(board: Board, running: list[tuple[Job, Epoch]]) -> RenderableType:
    """The fits in progress."""
    table = _plain_table()
    table.add_column("training", no_wrap=True, ratio=1)
    table.add_column("", no_wrap=True, style="dim")
    for name in ("epoch", "loss", "on validation", "time left"):
        table.add_column(name, justify="right", no_wrap=True)
    timed = board.plan.stopping.seconds is not None
    for job, epoch in running:
        total = "" if timed else f"/{job.epochs}"
        table.add_row(
            Text(board.plan.candidate(job.recipe.candidate).title),
            _seed_or_setting(board.plan, job),
            f"{epoch.number}{total}",
            numbers.number(epoch.train_loss),
            numbers.number(epoch.validation_loss),
            numbers.duration(board.seconds_left(job, epoch)),
        )
    if not running:
        table.add_row(Text("processes start", style="dim"))
    return table


def _seed_or_setting(plan: Plan, job: Job) -> str:
    if job.recipe.seed != plan.seeds[0]:
        return f"seed {plan.seeds.index(job.recipe.seed) + 1} of {len(plan.seeds)}"
    return f"setting {job.setting + 1} of {len(plan.settings)}"


def _candidates(board: Board, room: int) -> RenderableType:
    """The candidates by their best score on validation so far."""
    ranking, base = board.ranking(), board.best_baseline()
    plan = board.plan
    metric = tasks.get(plan.layout.task).deciding(plan.options).decides
    table = _plain_table()
    table.add_column("candidate", no_wrap=True, ratio=1)
    table.add_column(f"{metric}\non validation", justify="right", no_wrap=True)
    table.add_column("over the best\nbaseline", justify="right", no_wrap=True)
    table.add_column("fits", justify="right", no_wrap=True)
    shown = ranking if len(ranking) <= room else ranking[: room - 1]
    for standing in shown:
        table.add_row(*_standing(standing, base))
    if len(shown) < len(ranking):
        table.add_row(Text(f"and {len(ranking) - len(shown)} more", style="dim"))
    return table


def _standing(standing: Standing, base: Standing | None) -> tuple[RenderableType, ...]:
    style = "dim" if standing.score is None else "" if standing.candidate.baseline else "bold"
    skill = numbers.NOTHING
    if base is standing:
        skill = "best baseline"
    elif standing.score is not None and base is not None and base.score:
        skill = numbers.skill(1 - standing.score / base.score)
    fits = f"{standing.fits}/{standing.expected}"
    if standing.failed:
        fits = f"{standing.failed} failed, {fits}"
    return (
        Text(standing.candidate.title, style=style),
        Text(numbers.number(standing.score), style=style),
        Text(skill, style="green" if skill.startswith("+") else "dim"),
        Text(fits, style="yellow" if standing.failed else "dim"),
    )
