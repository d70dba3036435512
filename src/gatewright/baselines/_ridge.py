"""Ridge regression from sums over rows, so that the rows need not be in memory at once.

Hoerl and Kennard 1970. With G the centred products of features, C those of features and targets:
weights = (G + alpha I)^-1 C, one Cholesky factor an alpha; the intercept is not penalised. That is
what scikit-learn's Ridge solves. Up to some thousand features ten factors take less time than one
eigendecomposition.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Penalties tried, for each row of training. Inputs are about of unit variance, and windows that
# overlap are far from independent rows, so strong ones are among them.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
DEFAULT_PENALTY = 1e-2  # where there is nothing to choose by

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


@dataclasses.dataclass(frozen=True)
class Sums:
    """What ridge regression needs to know of rows; those of two sets of rows can be added.

    The last feature is the constant 1, so that the other sums are among the products.
    """

    inner: Tensor  # (features + 1, features + 1)
    outer: Tensor  # (features + 1, outputs)
    squares: Tensor  # (): of all targets

    @classmethod
    def of(cls, rows: Tensor, targets: Tensor) -> Sums:
        """Of rows (rows, features) and targets (rows, outputs), without missing ones."""
        rows = F.pad(rows, (0, 1), value=1.0)
        return cls(rows.T @ rows, rows.T @ targets, targets.square().sum())

    @classmethod
    def none(cls, features: int, outputs: int) -> Sums:
        size = features + 1
        inner, outer, squares = (
            torch.zeros(shape, dtype=torch.float64) for shape in ((size, size), (size, outputs), ())
        )
        return cls(inner, outer, squares)

    def __add__(self, more: Sums) -> Sums:
        outer, squares = self.outer + more.outer, self.squares + more.squares
        return Sums(self.inner + more.inner, outer, squares)

    def __sub__(self, less: Sums) -> Sums:
        outer, squares = self.outer - less.outer, self.squares - less.squares
        return Sums(self.inner - less.inner, outer, squares)

    def first(self, features: int) -> Sums:
        """The sums of the first features alone, and the constant."""
        kept = torch.tensor([*range(features), -1])
        return Sums(self.inner[kept[:, None], kept], self.outer[kept], self.squares)

    @property
    def count(self) -> float:
        return self.inner[-1, -1].item()

    def relative(self, base: Tensor) -> Sums:
        """The sums of the same rows, each feature less the one that ``base`` names, or as it is
        where that is -1, and of the targets less what feature 0 is less of.

        No squares: errors are the same either way.
        """
        own = base >= 0
        inner, level = self.inner.clone(), base[0]
        outer = self.outer - self.inner[:, level, None]
        outer[own] -= outer[base[own]].clone()
        inner[own] -= inner[base[own]].clone()
        inner[:, own] -= inner[:, base[own]].clone()
        return Sums(inner, outer, self.squares)

    def solve(self, alpha: float) -> Line | None:
        """None where the products are singular to working precision."""
        mean, target_mean = (sums[-1] / self.count for sums in (self.inner[:, :-1], self.outer))
        centred = torch.addr(self.inner[:-1, :-1], self.inner[-1, :-1], mean, alpha=-1)
        centred.diagonal().add_(alpha)
        factor, failed = torch.linalg.cholesky_ex(centred)
        if failed:
            return None
        outer = torch.addr(self.outer[:-1], self.inner[:-1, -1], target_mean, alpha=-1)
        weights = torch.cholesky_solve(outer, factor)
        return Line(weights, target_mean - mean @ weights, alpha)

    def loss(self, line: Line) -> float:
        """The mean squared error of a line on these rows, up to rounding; NaN without rows."""
        weights = torch.cat([line.weights, line.intercept[None]])
        explained = (weights * (self.inner @ weights - 2 * self.outer)).sum()
        errors = (self.squares + explained).clamp(min=0)  # a perfect fit is 0 up to rounding
        return (errors / (self.count * weights.shape[1])).item()


def absolute(line: Line, base: Tensor) -> Line:
    """What a line on features relative to others (see ``Sums.relative``) is on these features."""
    own = (base[:-1] >= 0).nonzero()[:, 0]
    weights = line.weights.index_add(0, base[own], -line.weights[own])
    weights[base[0]] += 1
    return dataclasses.replace(line, weights=weights)


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
        line = sums.solve(penalty * sums.count)
        if line is None:
            continue
        loss = judge(line)
        if math.isnan(loss):
            loss = abs(math.log(penalty / DEFAULT_PENALTY))
        if best is None or loss < best_loss:
            best, best_loss = line, loss
    if best is None:
        raise ArithmeticError("no penalty gave a solution: the inputs are not finite")
    if missing:
        alpha = best.alpha
        best = without_missing(sums, lambda sums: sums.solve(alpha), pieces)
        best_loss = judge(best)
    return best, best_loss


def _sums(pieces: Iterable[Piece]) -> tuple[Sums, bool]:
    sums, missing = None, False
    for rows, targets, guess in pieces:
        unknown = targets.isnan()
        missing = missing or bool(unknown.any())
        these = Sums.of(rows, torch.where(unknown, guess, targets))
        sums = these if sums is None else sums + these
    if sums is None:
        raise ValueError("ridge regression needs at least one row")
    return sums, missing


def without_missing(
    sums: Sums, solve: Callable[[Sums], Line | None], pieces: Callable[[], Iterator[Piece]]
) -> Line:
    """The line that fits the known targets alone, each output by the rows that have it.

    sums: of all rows, with the guess of each piece where a target is missing.
    pieces: all rows, or at least those that miss a target.

    Each output would need products of features of its own. Instead what is missing is filled with
    what the line itself predicts, until that no longer changes it: then missing targets have no
    influence. This is expectation maximisation (Dempster, Laird and Rubin 1977); a round leaves
    about the fraction that is missing of the distance to go.
    """
    line, before = solve(sums), None
    for _ in range(ROUNDS):
        assert line is not None, "the features alone decide whether there is a solution"
        added = torch.zeros_like(sums.outer)
        for rows, targets, guess in pieces():
            unknown = targets.isnan()
            touched = unknown.any(1)
            rows = rows[touched]
            filled = guess[touched] if before is None else before(rows)
            change = torch.where(unknown[touched], line(rows) - filled, 0.0)
            added.addmm_(F.pad(rows, (0, 1), value=1.0).T, change)
        sums = dataclasses.replace(sums, outer=sums.outer + added)
        before, line = line, solve(sums)
        assert line is not None
        change = (line.weights - before.weights).abs().max()
        if change <= TOLERANCE * line.weights.abs().max():
            break
    assert line is not None
    return line
