"""Who may be timed: only a side whose numbers are right.

The truth is the cell's reference in float64. A side's largest error may be at most twice that of
the same reference in float32, plus the rounding that a sum of that many terms brings along.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gatewright.bench.cases import TRAINING
from gatewright.bench.problem import Problem

FACTOR = 2.0
UNIT = torch.finfo(torch.float32).eps
# The derivative of a function with a kink jumps where rounding decides on which side a value
# falls. Each such value moves a gradient by about one term of many, in any implementation: these
# gradients are compared by their mean square, with room for a few dozen of those values.
KINKED = frozenset({"relu"})
KINK_ROOM = 5e-3


def judge(
    problem: Problem,
    results: Mapping[str, Tensor],
    rounded: Mapping[str, Tensor],
    exact: Mapping[str, Tensor],
) -> str | None:
    """Why a side that gave these results may not be timed, in a sentence, or None.

    ``exact`` is the truth in float64, ``rounded`` what the same equations give in float32.
    """
    kinked = any(item.operation in KINKED for item in problem.cell.values())
    for name, true in exact.items():
        result = results.get(name)
        if result is None:
            return f"it gives no {name}"
        if result.shape != true.shape:
            return f"its {name} has shape {tuple(result.shape)}, not {tuple(true.shape)}"
        mean = kinked and problem.case.work == TRAINING and name != "output"
        room = KINK_ROOM if mean else UNIT * _terms(problem, name) ** 0.5
        error = _size(result.double() - true, mean)
        limit = FACTOR * _size(rounded[name].double() - true, mean) + room * _size(true, mean)
        if not error <= limit:  # so that NaN is refused too
            return f"its {name} is off by {error:.1e} where {limit:.1e} is allowed"
    return None


def _size(value: Tensor, mean: bool) -> float:
    if value.numel() == 0:
        return 0.0
    return float(value.square().mean().sqrt() if mean else value.abs().max())


def _terms(problem: Problem, name: str) -> int:
    """How many terms a number of this result sums."""
    shape = problem.case.shape
    if name in ("output", "gradient of x"):
        return shape.input_size + len(problem.cell.h_projections) * shape.hidden_size + 1
    return shape.time * shape.batch
