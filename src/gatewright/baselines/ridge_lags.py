"""Linear regression of the future on the window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from gatewright.baselines._harmonics import cycles_of, seen_whole
from gatewright.baselines._ridge import Line, Piece, Sums, without_missing
from gatewright.baselines._spread import evenly
from gatewright.baselines._window_sums import WindowSums, held_out, solution
from gatewright.baselines._windows import WindowRows, before_test
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers

BLOCK = 1 << 22  # numbers of a block of windows
MOST_WORK = 5e10  # multiplications for the products of features: some seconds on one core
MOST_PRODUCTS = 8e6  # products of the features of all lines: 64 MB, some times over
FOLDS = 4  # of training


class RidgeLags(Fitted):
    """What is chosen: the penalty; whether windows are taken as they are, less their last value
    (Zeng and others 2023), or both ways, for the mean of the two lines; whether each target sees
    the others too; whether other channels are seen at all steps or by their means.

    It is chosen by the squared error on validation and on each fourth of training, by lines that
    learn from the other fourths: one stretch of time alone may favour what fails in the next. Of
    more windows than would take seconds, some are taken, spread evenly.

    Toner and Darlow 2024 show how strong these are: all linear networks for forecasts come down
    to them.
    """

    title = "ridge"
    summary = "ridge regression of every step ahead on the window and what is known ahead"
    source = "Toner and Darlow, An Analysis of Linear Time Series Forecasting Models, 2024"
    examples = Windows
    target = Numbers

    window: WindowRows
    relative: float  # to the last value: 1, 0, or half for the mean of both
    penalty: float  # for each row
    lines: list[Line]  # one for all targets, or one for each

    def fit(self, data: Prepared) -> None:
        best, parts = math.inf, self._parts(data)
        for window in self._windows(data):
            *folds, validation = [self._sums(data, window, part) for part in parts]
            losses = held_out(folds, validation, window)
            way = min(losses, key=lambda way: losses[way])
            if losses[way] < best:
                best, self.window, (self.relative, self.penalty) = losses[way], window, way
        if best == math.inf:
            raise ArithmeticError("no penalty gave a solution: the inputs are not finite")
        self._learn(data)

    def refit(self, data: Prepared) -> None:
        self._learn(before_test(data))

    def _windows(self, data: Prepared) -> Iterator[WindowRows]:
        """The ways to see a window that are affordable and differ."""
        seen = {cycle.name for cycle in cycles_of(data.layout) if seen_whole(data, cycle)}
        cycles = [
            number
            for number, channel in enumerate(self.task.preparation.channels)
            if channel.role == "calendar" and channel.name.partition(" (")[0] in seen
        ]
        for joint, whole in product((False, True), (False, True)):
            window = WindowRows(self.task.preparation, joint=joint, whole=whole, cycles=cycles)
            if whole and not (window.fits and window.others):
                continue
            if not joint or 1 < window.targets <= MOST_PRODUCTS / window.features**2:
                yield window

    def _parts(self, data: Prepared) -> list[Tensor]:
        """The windows of each fourth of training in the order of time, or of all of a short one;
        last those of validation, perhaps none."""
        train = self.task.examples.of_part(data, "train")
        train = train[data.time[train].argsort(stable=True)]
        folds = FOLDS if len(train) >= FOLDS * self.task.layout.horizon else 1
        return [*train.chunk(folds), self.task.examples.of_part(data, "validation")]

    def _sums(self, data: Prepared, window: WindowRows, examples: Tensor) -> WindowSums:
        most = max(window.features, int(MOST_WORK / window.features**2)) // window.targets + 1
        lines = window.targets if window.joint else 1
        sums = WindowSums(lines, window.features, window.horizon)
        for some in self._blocks(examples[evenly(len(examples), most)]):
            sums.add(some, self._pieces(data, window, some))
        return sums

    def _pieces(self, data: Prepared, window: WindowRows, examples: Tensor) -> list[Piece]:
        """Rows, targets, and targets with what is missing imputed, for each line."""
        batch = self.task.examples.batch(data, examples)
        steps = examples[:, None] + torch.arange(self.task.layout.horizon)
        imputed = data.values[steps, : window.targets]
        told = (one.permute(2, 0, 1).double() for one in (batch.target, imputed))
        return list(zip(*(window.by_line(one) for one in (window(batch), *told)), strict=True))

    def _learn(self, data: Prepared) -> None:
        """All windows of training, with what was chosen."""
        sums = self._sums(data, self.window, self.task.examples.of_part(data, "train"))
        self.lines = [
            self._line(data, number, every, sums.incomplete)
            for number, every in enumerate(sums.every)
        ]

    def _line(self, data: Prepared, number: int, sums: Sums, incomplete: Tensor) -> Line:
        line, penalty = solution(sums, self.window, self.relative, self.penalty)
        if not len(incomplete):
            return line

        def solve(sums: Sums) -> Line:
            return solution(sums, self.window, self.relative, penalty)[0]

        def pieces() -> Iterator[Piece]:
            for some in self._blocks(incomplete):
                yield self._pieces(data, self.window, some)[number]

        return without_missing(sums, solve, pieces)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        forecasts = []
        for some in self._blocks(examples):
            rows = self.window.by_line(self.window(self.task.examples.batch(data, some)))
            told = [line(each) for line, each in zip(self.lines, rows, strict=True)]
            by_target = torch.cat(told).view(self.window.targets, len(some), -1)
            forecasts.append(by_target.permute(1, 2, 0).float())
        return torch.cat(forecasts)[..., None]

    def _blocks(self, examples: Tensor) -> tuple[Tensor, ...]:
        layout = self.task.layout
        each = layout.context * len(self.task.preparation.channels)
        return examples.split(max(1, BLOCK // each)) if len(examples) else ()

    def state(self) -> dict[str, Tensor]:
        return {
            "weights": torch.stack([line.weights for line in self.lines]),
            "intercept": torch.stack([line.intercept for line in self.lines]),
            "alpha": torch.tensor([line.alpha for line in self.lines], dtype=torch.float64),
            "penalty": torch.tensor(self.penalty, dtype=torch.float64),
            "relative": torch.tensor(self.relative, dtype=torch.float64),
            "joint": torch.tensor(self.window.joint),
            "whole": torch.tensor(self.window.whole),
            "cycles": torch.tensor(self.window.cycles, dtype=torch.int64),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        self.penalty, self.relative = state["penalty"].item(), state["relative"].item()
        self.window = WindowRows(
            self.task.preparation,
            joint=bool(state["joint"]),
            whole=bool(state["whole"]),
            cycles=state["cycles"].tolist(),
        )
        every = zip(state["weights"], state["intercept"], state["alpha"].tolist(), strict=True)
        self.lines = [Line(*one) for one in every]

    def parameters(self) -> int:
        return sum(line.weights.numel() + line.intercept.numel() for line in self.lines)
