"""Ridge regression from sums over rows, so that the rows need not be in memory at once.

Hoerl and Kennard 1970. With G the centred products of features, C those of features and targets:
weights = (G + alpha I)^-1 C, one Cholesky factor an alpha; the intercept is not penalised. That is
what scikit-learn's Ridge solves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from gatewright.baselines._spread import evenly

# Penalties tried, for each row of training. Inputs are about of unit variance, and windows that
# overlap are far from independent rows, so strong ones are among them.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
DEFAULT_PENALTY = 1e-2  # where there is no validation part to choose on

MOST_WORK = 5e10  # multiplications for the products of features: some seconds on one core
ROUNDS = 30  # to fit targets that are missing in part
TOLERANCE = 1e-8

# Rows, what they should predict (NaN where missing), and what to start from where it is missing.
Piece = tuple[Tensor, Tensor, Tensor]


@dataclasses.dataclass(frozen=True)
class Line:
    """One solution, in float64."""

    weights: Tensor  # (features, outputs)
    intercept: Tensor  # (outputs,)
    alpha: float

    def __call__(self, rows: Tensor) -> Tensor:
        """(rows, features) to (rows, outputs)."""
        return torch.addmm(self.intercept, rows, self.weights)


class Sums:
    """What ridge regression needs to know of all rows."""

    def __init__(self, features: int, outputs: int) -> None:
        self.count = 0
        self.rows = torch.zeros(features, dtype=torch.float64)
        self.targets = torch.zeros(outputs, dtype=torch.float64)
        self.inner = torch.zeros(features, features, dtype=torch.float64)
        self.outer = torch.zeros(features, outputs, dtype=torch.float64)

    def add(self, rows: Tensor, targets: Tensor) -> None:
        self.count += len(rows)
        self.rows += rows.sum(0)
        self.inner.addmm_(rows.T, rows)
        self.add_targets(rows, targets)

    def add_targets(self, rows: Tensor, targets: Tensor) -> None:
        """Add to the targets of rows that were added before."""
        self.targets += targets.sum(0)
        self.outer.addmm_(rows.T, targets)

    def factor(self, alpha: float) -> Tensor | None:
        """The Cholesky factor; None where the products are singular to working precision."""
        centred = torch.addr(self.inner, self.rows, self.rows, alpha=-1 / self.count)
        centred.diagonal().add_(alpha)
        factor, failed = torch.linalg.cholesky_ex(centred)
        return None if failed else factor

    def solve(self, factor: Tensor, alpha: float) -> Line:
        mean, target_mean = self.rows / self.count, self.targets / self.count
        weights = torch.cholesky_solve(self.outer - torch.outer(self.rows, target_mean), factor)
        return Line(weights, target_mean - mean @ weights, alpha)


def fit(
    pieces: Callable[[], Iterator[Piece]], judge: Callable[[Line], float]
) -> tuple[Line, float]:
    """The line with the best penalty, and its loss.

    pieces: gives all of training in pieces, the same ones at every call.
    judge: the loss on validation; NaN if there is nothing to judge by.
    """
    sums, missing = _sums(pieces())
    best, best_loss = None, math.inf
    for penalty in PENALTIES:
        alpha = penalty * sums.count
        factor = sums.factor(alpha)
        if factor is None:
            continue
        line = sums.solve(factor, alpha)
        loss = judge(line)
        if math.isnan(loss):
            loss = abs(math.log(penalty / DEFAULT_PENALTY))
        if best is None or loss < best_loss:
            best, best_loss = line, loss
    if best is None:
        raise ArithmeticError("no penalty gave a solution: the inputs are not finite")
    if missing:
        best = _without_missing(sums, best, pieces)
        best_loss = judge(best)
    return best, best_loss


def _sums(pieces: Iterable[Piece]) -> tuple[Sums, bool]:
    sums, missing = None, False
    for rows, targets, guess in pieces:
        sums = sums or Sums(rows.shape[1], targets.shape[1])
        unknown = targets.isnan()
        missing = missing or bool(unknown.any())
        sums.add(rows, torch.where(unknown, guess, targets))
    if sums is None:
        raise ValueError("ridge regression needs at least one row")
    return sums, missing


def _without_missing(sums: Sums, line: Line, pieces: Callable[[], Iterator[Piece]]) -> Line:
    """The line that fits the known targets alone, each output by the rows that have it.

    Each output would need products of features of its own. Instead what is missing is filled with
    what the line itself predicts, until that no longer changes it: then missing targets have no
    influence. This is expectation maximisation (Dempster, Laird and Rubin 1977); a round leaves
    about the fraction that is missing of the distance to go.
    """
    factor = sums.factor(line.alpha)
    assert factor is not None
    before: Line | None = None
    for _ in range(ROUNDS):
        for rows, targets, guess in pieces():
            unknown = targets.isnan()
            touched = unknown.any(1)
            rows = rows[touched]
            filled = guess[touched] if before is None else before(rows)
            sums.add_targets(rows, torch.where(unknown[touched], line(rows) - filled, 0.0))
        before, line = line, sums.solve(factor, line.alpha)
        change = (line.weights - before.weights).abs().max()
        if change <= TOLERANCE * line.weights.abs().max():
            break
    return line


def thinned(examples: Tensor, rows_each: int, features: int) -> Tensor:
    """Examples spread evenly over all, so few that their products of features stay affordable."""
    most = max(features, int(MOST_WORK / (features * features))) // rows_each + 1
    return examples[evenly(len(examples), most)]
