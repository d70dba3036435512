"""The sums that lines on windows are found from, and their errors on what is held out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import torch
from torch import Tensor

from gatewright.baselines._ridge import DEFAULT_PENALTY, PENALTIES, Line, Piece, Sums, absolute
from gatewright.baselines._windows import WindowRows

# How much of the line on windows relative to their last value is taken, beside that on windows as
# they are: the mean of both errs less where a level half returns. And the penalty.
Way = tuple[float, float]
SHARES = (1.0, 0.5, 0.0)


class WindowSums:
    """Of some windows, for each line: of those that know all their targets, and of all, with what
    is missing imputed."""

    def __init__(self, lines: int, features: int, horizon: int) -> None:
        none = Sums.none(features, horizon)
        self.complete, self.every = [none] * lines, [none] * lines
        self.incomplete = torch.zeros(0, dtype=torch.int64)  # windows that miss a target

    def add(self, examples: Tensor, pieces: list[Piece]) -> None:
        """Examples, and for each line their rows, targets, and targets imputed."""
        missing = torch.zeros(len(examples), dtype=torch.bool)
        for line, (rows, targets, imputed) in enumerate(pieces):
            known = ~targets.isnan().any(1)
            complete = Sums.of(rows[known], targets[known])
            self.complete[line] = self.complete[line] + complete
            if known.all():
                self.every[line] = self.every[line] + complete
            else:
                filled = torch.where(targets.isnan(), imputed, targets)
                self.every[line] = (
                    self.every[line] + complete + Sums.of(rows[~known], filled[~known])
                )
                missing |= ~known.view(-1, len(examples)).all(0)
        self.incomplete = torch.cat([self.incomplete, examples[missing]])


def solution(sums: Sums, window: WindowRows, relative: float, penalty: float) -> tuple[Line, float]:
    """The line of a penalty, or of the next larger one that gives any; and that penalty. Without
    rows it repeats the last value."""
    base = window.base()
    if sums.count == 0:
        nothing = Line(torch.zeros_like(sums.outer[:-1]), torch.zeros_like(sums.outer[-1]), 0.0)
        return absolute(nothing, base), penalty
    while math.isfinite(penalty):
        line = _lines(sums, base, penalty).get(relative)
        if line is not None:
            return line, penalty
        penalty *= 10
    raise ArithmeticError("no penalty gave a solution: the inputs are not finite")


def _lines(sums: Sums, base: Tensor, penalty: float) -> dict[float, Line]:
    """The line of each share; none where the products are singular to working precision."""
    alpha = penalty * sums.count
    plain, relative = sums.solve(alpha), sums.relative(base).solve(alpha)
    if plain is None or relative is None:
        return {}
    relative = absolute(relative, base)
    return {
        share: Line(
            torch.lerp(plain.weights, relative.weights, share),
            torch.lerp(plain.intercept, relative.intercept, share),
            alpha,
        )
        for share in SHARES
    }


def usable(parts: Sequence[WindowSums]) -> list[list[Sums]]:
    """The sums to choose by: windows that miss a target have no part, unless most of them do."""
    complete, every = (
        sum(sums.count for part in parts for sums in getattr(part, name))
        for name in ("complete", "every")
    )
    return [part.complete if 2 * complete >= every else part.every for part in parts]


def held_out(
    folds: list[WindowSums], validation: WindowSums, window: WindowRows
) -> dict[Way, float]:
    """The squared error of each way on what its lines have not seen, the mean over validation,
    judged by lines of all folds, and over the folds, each judged by lines of the others.

    Where there is nothing to judge by, a middle penalty is the best, relative to the last value.
    """
    errors: dict[Way, list[float]] = {way: [] for way in product(SHARES, PENALTIES)}
    for *of_folds, last in zip(*usable([*folds, validation]), strict=True):
        total = sum(of_folds[1:], of_folds[0])
        pairs = [(total - one, one) for one in of_folds] if len(of_folds) > 1 else []
        for learned, held in [*pairs, (total, last)]:
            if min(learned.count, held.count) > 0:
                for way, error in _errors(learned, held, window.base()):
                    errors[way].append(error)
    if not any(errors.values()):
        return {
            (relative, penalty): abs(math.log(penalty / DEFAULT_PENALTY)) + 1 - relative
            for relative, penalty in errors
        }
    return {way: sum(found) / len(found) for way, found in errors.items()}


def _errors(learned: Sums, held: Sums, base: Tensor) -> Iterator[tuple[Way, float]]:
    """The mean squared error of the line of each way; infinite where there is none."""
    for penalty in PENALTIES:
        lines = _lines(learned, base, penalty)
        for share in SHARES:
            yield (share, penalty), held.loss(lines[share]) if lines else math.inf
