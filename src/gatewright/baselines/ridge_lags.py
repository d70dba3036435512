"""Linear regression of the future on the window."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gatewright.baselines._ridge import Line, Piece, fit, thinned
from gatewright.baselines._windows import WindowRows
from gatewright.baselines.baseline import Fitted
from gatewright.data.batching import Batch
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers

BLOCK = 1 << 21  # numbers of a block of windows


class RidgeLags(Fitted):
    """Validation chooses the penalty, whether windows are taken relative to their mean and
    spread, and whether each target sees all targets or only itself, with weights that all share.

    Toner and Darlow 2024 show how strong these are: all linear networks for forecasts come down
    to them.
    """

    title = "ridge"
    summary = "ridge regression of every step ahead on the window and what is known ahead"
    source = "Toner and Darlow, An Analysis of Linear Time Series Forecasting Models, 2024"
    examples = Windows
    target = Numbers

    line: Line
    window: WindowRows

    def fit(self, data: Prepared) -> None:
        best = math.inf
        for joint in (False, True):
            for relative in (False, True):
                window = WindowRows(self.task.preparation, joint, relative)
                if joint and (window.targets == 1 or not window.fits):
                    continue
                line, loss = self._fit(data, window)
                if loss < best:
                    self.line, self.window, best = line, window, loss

    def _fit(self, data: Prepared, window: WindowRows) -> tuple[Line, float]:
        train = self.task.examples.of_part(data, "train")
        validation = self.task.examples.of_part(data, "validation")
        features = window.rows(self.task.examples.batch(data, train[:1]))[0].shape[1]
        train = thinned(train, 1 if window.joint else window.targets, features)

        def judge(line: Line) -> float:
            losses = [
                self.task.losses(_predict(window, line, batch), batch)
                for batch in self._batches(data, validation)
            ]
            return torch.cat(losses).nanmean().item() if losses else math.nan

        def pieces() -> Iterator[Piece]:
            for some in self._blocks(train):
                batch = self.task.examples.batch(data, some)
                yield _piece(window, batch, self._imputed(data, some))

        return fit(pieces, judge)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        forecasts = [
            _predict(self.window, self.line, batch) for batch in self._batches(data, examples)
        ]
        return torch.cat(forecasts)

    def _blocks(self, examples: Tensor) -> tuple[Tensor, ...]:
        layout = self.task.layout
        each = layout.context * len(self.task.preparation.channels)
        return examples.split(max(1, BLOCK // each)) if len(examples) else ()

    def _batches(self, data: Prepared, examples: Tensor) -> Iterator[Batch]:
        return (self.task.examples.batch(data, some) for some in self._blocks(examples))

    def _imputed(self, data: Prepared, examples: Tensor) -> Tensor:
        """(batch, horizon, targets): the targets with what was missing imputed."""
        rows = examples[:, None] + torch.arange(self.task.layout.horizon)
        return data.values[rows, : len(self.task.layout.targets)]

    def state(self) -> dict[str, Tensor]:
        return {
            "weights": self.line.weights,
            "intercept": self.line.intercept,
            "alpha": torch.tensor(self.line.alpha, dtype=torch.float64),
            "joint": torch.tensor(self.window.joint),
            "relative": torch.tensor(self.window.relative),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        self.line = Line(state["weights"], state["intercept"], state["alpha"].item())
        self.window = WindowRows(
            self.task.preparation, bool(state["joint"]), bool(state["relative"])
        )

    def parameters(self) -> int:
        return self.line.weights.numel() + self.line.intercept.numel()


def _piece(window: WindowRows, batch: Batch, imputed: Tensor) -> Piece:
    rows, level, spread = window.rows(batch)
    targets, guess = (
        window.target_rows((target - level) / spread).double() for target in (batch.target, imputed)
    )
    return rows, targets, guess


def _predict(window: WindowRows, line: Line, batch: Batch) -> Tensor:
    """(batch, horizon, targets, 1)"""
    rows, level, spread = window.rows(batch)
    return (window.from_target_rows(line(rows)) * spread + level).float()[..., None]
