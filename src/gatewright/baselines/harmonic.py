"""Sines and cosines of each cycle, and what was left of them of late."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gatewright.baselines._harmonics import cycles_of, seen_whole
from gatewright.baselines._level import Axis, Form, Level, LevelSums
from gatewright.baselines._ridge import Line, Sums, absolute
from gatewright.baselines._spread import evenly
from gatewright.baselines._window_sums import WindowSums, usable
from gatewright.baselines._windows import before_test, items_of, widths
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers
from gatewright.tasks import Task

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24)  # harmonics of a cycle that are tried
PULLS = (1.0, 0.1, 0.01)
WORTH = 0.002  # of the loss that one more thing has to save
PENALTY = 1e-4  # of the weights of what was left, for each window
USUAL = 3  # harmonics, where there is nothing to choose by
PARTS = (4, 2)  # of training: the later half are foretold from what lies before, to choose by
LATEST = 100_000  # rows of training of a series
TRIED, LEARNED = 2048, 32768  # windows at most, spread evenly
MOST_PRODUCTS = 1e7  # of columns, of all series: 80 MB
BLOCK = 1 << 21  # numbers of a block of windows


class Late(NamedTuple):
    """What is seen of what was left of the level of late."""

    means: int  # the first of them
    moved: bool  # whether their weights add up to one


class Harmonic(Fitted):
    """The level at a time, from sines and cosines of the season and of the calendar's day, week and
    year, and a trend; to it comes what was left of it of late, by its means over the latest 1, 2,
    4, ... steps (Corsi 2009), from one regression for each step ahead.

    What is chosen: how many harmonics each cycle has, whether there is a trend, how far series
    differ from what they have in common, how many means are seen, and whether their weights add up
    to one, so that a level which has moved away is not expected to return. It is chosen by the
    squared error on validation and on the third and fourth quarter of training, each foretold from
    what lies before; of a short training on its second half. A year needs a year of training, not
    of context. Without a column of times there are neither cycles nor a trend.
    """

    title = "harmonic regression"
    summary = "sines and cosines of the season and the calendar, a trend, and means of late"
    source = "Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 2021"
    examples = Windows
    target = Numbers

    form: Form
    late: Late
    level: Level
    lines: list[Line]  # one for each target

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.widths = widths(task.layout.context)

    @classmethod
    def suits(cls, layout: Layout) -> bool:
        return layout.time is not None

    def fit(self, data: Prepared) -> None:
        trial = _Trial(self, _latest(data))
        self.form, self.late = trial.chosen()
        self._learn(data)

    def refit(self, data: Prepared) -> None:
        self._learn(before_test(data))

    def _learn(self, data: Prepared) -> None:
        data = _latest(data)
        rows = [(one[0], one[1]) for one in data.bounds.tolist()]
        apart = not math.isinf(self.form.pull)
        full = dataclasses.replace(self.form, trend=True)
        sums = LevelSums.of(data, full, Axis.of(data), rows, apart=apart)
        self.level = sums.level(self.form)
        train = self.task.examples.of_part(data, "train")
        every = self.rest(data, self.level, train[evenly(len(train), LEARNED)])
        self.lines = [self.line(one, self.late) for one in usable([every])[0]]

    def rest(self, data: Prepared, level: Level, examples: Tensor) -> WindowSums:
        """The sums of what was left of the level of late, and in the steps ahead."""
        layout = self.task.layout
        targets = len(layout.targets)
        sums = WindowSums(targets, len(self.widths), layout.horizon)
        for some in self._blocks(examples):
            ahead, late = self._seen(data, level, some)
            rows = some[:, None] + torch.arange(layout.horizon)
            told, imputed = (
                (one - ahead).permute(2, 0, 1)
                for one in (data.target[rows], data.values[rows, :targets])
            )
            sums.add(some, list(zip(late, told, imputed, strict=True)))
        return sums

    def line(self, sums: Sums, late: Late) -> Line:
        """From what was left of late to the steps ahead; from nothing where no window was seen."""
        if sums.count:
            seen = sums.first(late.means)
            if late.moved:
                # Each mean less the first one, and the rest ahead less that too.
                base = torch.tensor([0] * late.means + [-1])
                line = seen.relative(base).solve(PENALTY * sums.count)
                line = None if line is None else absolute(line, base)
            else:
                line = seen.solve(PENALTY * sums.count)
            if line is not None:
                return line
        horizon = self.task.layout.horizon
        weights = torch.zeros(late.means, horizon, dtype=torch.float64)
        return Line(weights, weights.new_zeros(horizon), 0.0)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        forecasts = []
        for some in self._blocks(examples):
            ahead, late = self._seen(data, self.level, some)
            pairs = zip(self.lines, late, strict=True)
            rest = torch.stack([line(means[:, : self.late.means]) for line, means in pairs], 2)
            forecasts.append((ahead + rest).float())
        return torch.cat(forecasts)[..., None]

    def _seen(self, data: Prepared, level: Level, examples: Tensor) -> tuple[Tensor, Tensor]:
        """The level at the steps ahead (batch, horizon, targets), and what was left of it in the
        context, its means (targets, batch, widths), the latest first."""
        layout = self.task.layout
        start = data.bounds[items_of(data, examples), 0]
        begin = int((examples - layout.context).maximum(start).min())
        every = level(data, begin, int(examples.max()) + layout.horizon)
        ahead = every[examples[:, None] + torch.arange(layout.horizon) - begin]
        left = data.values[begin : begin + len(every), : len(layout.targets)] - every
        means, last = [left[examples - 1 - begin]], examples - 1 - begin
        for width in self.widths[1:]:
            # Twice as wide, without a look at any row that lies outside; where the series is too
            # short for it, as before.
            left = torch.cat([left[: width // 2], (left[width // 2 :] + left[: -(width // 2)]) / 2])
            fits = (examples - start >= width)[:, None]
            means.append(left[last].where(fits, means[-1]))
        return ahead, torch.stack(means, 1).permute(2, 0, 1)

    def _blocks(self, examples: Tensor) -> tuple[Tensor, ...]:
        layout = self.task.layout
        each = layout.horizon * len(layout.targets)
        return examples.split(max(1, BLOCK // each)) if len(examples) else ()

    def state(self) -> dict[str, Tensor]:
        form, axis = self.form, self.level.axis
        return {
            "harmonics": torch.tensor(form.harmonics, dtype=torch.int64),
            "trend": torch.tensor(form.trend),
            "pull": torch.tensor(form.pull, dtype=torch.float64),
            "axis": torch.tensor([axis.begin, axis.length]),
            "means": torch.tensor(self.late.means),
            "moved": torch.tensor(self.late.moved),
            "coefficients": self.level.coefficients,
            "weights": torch.stack([line.weights for line in self.lines]),
            "intercept": torch.stack([line.intercept for line in self.lines]),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        harmonics = tuple(state["harmonics"].tolist())
        self.form = Form(harmonics, bool(state["trend"]), state["pull"].item())
        self.late = Late(int(state["means"]), bool(state["moved"]))
        self.level = Level(self.form, Axis(*state["axis"].tolist()), state["coefficients"])
        pairs = zip(state["weights"], state["intercept"], strict=True)
        self.lines = [Line(*pair, 0.0) for pair in pairs]

    def parameters(self) -> int:
        lines = sum(line.weights.numel() + line.intercept.numel() for line in self.lines)
        return self.level.coefficients.numel() + lines


class _Trial:
    """What is tried to choose a form, on training and validation."""

    def __init__(self, harmonic: Harmonic, data: Prepared) -> None:
        self.harmonic, self.data = harmonic, data
        layout, examples = data.layout, harmonic.task.examples
        longest = int((data.bounds[:, 1] - data.bounds[:, 0]).max())
        most = [
            min(cycle.harmonics, longest // 4) if seen_whole(data, cycle) else 0
            for cycle in cycles_of(layout)
        ]
        self.full = Form(tuple(most), trend=True)
        size = len(data.items) * len(layout.targets) * (2 + 2 * sum(most)) ** 2
        self.apart = len(data.items) > 1 and size <= MOST_PRODUCTS

        train = examples.of_part(data, "train")
        validation = examples.of_part(data, "validation")
        last = data.time[train + layout.horizon - 1]
        times = torch.cat([data.time[one[0] : one[1]] for one in data.bounds.tolist()]).sort()[0]
        parts = next((parts for parts in PARTS if len(train) >= 2 * parts * layout.horizon), 1)
        cuts = times[torch.arange(1, parts) * len(times) // parts]
        quarter = torch.bucketize(last, cuts, right=True)
        every = [train[quarter == number] for number in range(parts)] + [validation]
        axis = Axis.of(data)
        rows = _cut(data, cuts)
        sums = [LevelSums.of(data, self.full, axis, one, apart=self.apart) for one in rows]
        # Sums before, windows before, windows to foretell.
        self.steps: list[tuple[LevelSums, Tensor, Tensor]] = []
        for number in range(max(1, parts // 2), parts + 1):
            before, judged = torch.cat(every[:number]), every[number]
            if len(before) and len(judged):
                before, judged = (one[evenly(len(one), TRIED)] for one in (before, judged))
                self.steps.append((sum(sums[1:number], sums[0]), before, judged))

    def chosen(self) -> tuple[Form, Late]:
        """The best form, found one thing after the other, and what it needs of late."""
        if not self.steps:
            return Form(tuple(min(USUAL, most) for most in self.full.harmonics)), Late(1, False)
        starts = [False, True] if self.data.layout.time is not None else [False]
        found = [self._refined(trend) for trend in starts]
        loss, form, late = found[0]
        for other in found[1:]:
            if other[0] < (1 - WORTH) * loss:
                loss, form, late = other
        return form, late

    def _refined(self, trend: bool) -> tuple[float, Form, Late]:
        """The best form with or without a trend, its loss, and what it needs of late."""
        form = Form((0,) * len(self.full.harmonics), trend)
        loss, late = self._loss(form)
        for thing in range(len(form.harmonics) + self.apart):
            worse = 0
            for tried in self._richer(form, thing):
                found, needed = self._loss(tried)
                if found < (1 - WORTH) * loss:
                    form, loss, late, worse = tried, found, needed, 0
                elif (worse := worse + 1) == 2:
                    break
        return loss, form, late

    def _richer(self, form: Form, thing: int) -> Iterator[Form]:
        """Richer forms by a cycle, or by what sets series apart; the simplest first."""
        if thing == len(form.harmonics):
            for pull in PULLS:
                yield dataclasses.replace(form, pull=pull)
            return
        before, after = form.harmonics[:thing], form.harmonics[thing + 1 :]
        for count in LADDER:
            if count <= self.full.harmonics[thing]:
                yield dataclasses.replace(form, harmonics=(*before, count, *after))

    def _loss(self, form: Form) -> tuple[float, Late]:
        """The mean squared error of what is foretold, by what is best seen of late; and that."""
        harmonic, data = self.harmonic, self.data
        every = range(len(harmonic.widths) + 1)
        ways = [Late(means, False) for means in every] + [Late(means, True) for means in every[1:]]
        errors: list[list[float]] = []
        for sums, before, judged in self.steps:
            level = sums.level(form)
            parts = usable([harmonic.rest(data, level, one) for one in (before, judged)])
            for learned, held in zip(*parts, strict=True):
                if min(learned.count, held.count) > 0:
                    errors.append(
                        [held.first(way.means).loss(harmonic.line(learned, way)) for way in ways]
                    )
        if not errors:
            return math.inf, Late(1, False)
        losses = torch.tensor(errors, dtype=torch.float64).mean(0)
        return losses.min().item(), ways[int(losses.argmin())]


def _latest(data: Prepared) -> Prepared:
    """The data with the latest rows of training alone."""
    bounds = data.bounds.clone()
    bounds[:, 0] = bounds[:, 0].maximum(bounds[:, 1] - LATEST)
    return dataclasses.replace(data, bounds=bounds)


def _cut(data: Prepared, cuts: Tensor) -> list[list[tuple[int, int]]]:
    """For each part between cuts of the time, the rows of training of each series there."""
    parts: list[list[tuple[int, int]]] = [[] for _ in range(len(cuts) + 1)]
    for begin, end, *_ in data.bounds.tolist():
        ends = begin + torch.searchsorted(data.time[begin:end].contiguous(), cuts)
        edges = [begin, *ends.tolist(), end]
        for part, rows in zip(parts, itertools.pairwise(edges), strict=True):
            part.append(rows)
    return parts
