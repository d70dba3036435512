"""How far a comparison is, added up from its events, for whoever shows it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Job, Plan
from gatewright.training import Epoch

BRIEF = 0.05  # of a training: so much counts a fit without epochs, or judging on test
EARLY = 0.03  # of the comparison: before that no time left is shown


@dataclasses.dataclass
class Standing:
    """How a candidate does on validation so far."""

    candidate: Candidate
    expected: int  # fits
    epochs: int  # that they have in all, if none ends early
    fits: int = 0
    asked: int = 0  # epochs of those that are done
    failed: int = 0
    loss: float | None = None  # by which its setting is chosen
    score: float | None = None  # of that setting: what candidates are judged by

    def add(self, fit: Fit, first_seed: int) -> None:
        self.fits += 1
        self.asked += fit.asked
        self.failed += bool(fit.failed)
        better = self.loss is None or (fit.validation_loss or 0.0) < self.loss
        if fit.seed == first_seed and fit.validation_loss is not None and better:
            self.loss, self.score = fit.validation_loss, fit.validation_metric


class Board:
    """The state of a run. ``clock`` gives seconds."""

    def __init__(
        self, plan: Plan, folder: RunFolder, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.plan = plan
        self.standings = {
            candidate.name: Standing(candidate, *self._expected(candidate))
            for candidate in plan.candidates
        }
        self.running: dict[str, tuple[Job, Epoch]] = {}  # by the name of the fit
        self.title, self.jobs, self.done = "starting", 0, 0  # of the stage
        self.judged = len(folder.scores())
        for fit in folder.fits().values():
            self._count(fit)
        self._clock = clock
        self._began, self._share = clock(), self.share()

    def _expected(self, candidate: Candidate) -> tuple[int, int]:
        """How many fits a candidate gets if none fails, and how many epochs these have."""
        last, more = self.plan.rungs[-1], len(self.plan.seeds) - 1
        if not candidate.trained:
            return len(candidate.settings), 0
        fits = sum(rung.settings for rung in self.plan.rungs) + more
        epochs = sum(rung.settings * rung.epochs for rung in self.plan.rungs)
        return fits, epochs + more * last.epochs

    # What happens

    def stage(self, title: str, jobs: int, done: int) -> None:
        self.title, self.jobs, self.done = title, jobs, done
        self.running.clear()

    def epoch(self, job: Job, epoch: Epoch) -> None:
        self.running[job.name] = (job, epoch)

    def fitted(self, fit: Fit) -> None:
        self.done += 1
        self.running.pop(fit.name, None)
        self._count(fit)

    def scored(self) -> None:
        self.done += 1
        self.judged += 1

    def _count(self, fit: Fit) -> None:
        if fit.candidate in self.standings:
            self.standings[fit.candidate].add(fit, self.plan.seeds[0])

    # How far it is

    def way(self, job: Job, epoch: Epoch) -> float:
        """The share of a training that is done, if it does not end early."""
        stopping = self.plan.stopping
        if stopping.seconds is not None:
            return min(1.0, epoch.seconds / stopping.seconds)
        return epoch.number / job.epochs

    def seconds_left(self, job: Job, epoch: Epoch) -> float:
        """Of one training, at most."""
        way = self.way(job, epoch)
        return epoch.seconds * (1 - way) / way

    def share(self) -> float:
        """The share of the whole comparison that is done."""
        done, total, whole = BRIEF * self.judged, 0.0, self.plan.rungs[-1].epochs
        for standing in self.standings.values():
            brief = 0 if standing.candidate.trained else BRIEF
            total += standing.epochs / whole + brief * standing.expected + BRIEF
            done += min(standing.asked, standing.epochs) / whole
            done += brief * min(standing.fits, standing.expected)
        for job, epoch in list(self.running.values()):
            done += self.way(job, epoch) * job.epochs / whole
        return min(1.0, done / total)

    def time_left(self) -> float | None:
        """Of the whole comparison in seconds, at the speed so far; None if it is too early."""
        share, passed = self.share(), self._clock() - self._began
        if share - self._share < EARLY:
            return None
        return passed * (1 - share) / (share - self._share)

    def ranking(self) -> list[Standing]:
        """The candidates, the lowest score first, then those without one as they were planned."""
        standings = list(self.standings.values())
        return sorted(standings, key=lambda one: float("inf") if one.score is None else one.score)

    def best_baseline(self) -> Standing | None:
        """The baseline with the lowest score so far."""
        scored = [one for one in self.ranking() if one.candidate.baseline]
        return scored[0] if scored and scored[0].score is not None else None
