"""Reverse-mode derivatives of expressions, as expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gatewright.equations.expressions import Expression, constant, in_order
from gatewright.equations.functions import FUNCTIONS


def _partial(item: Expression, seed: Expression) -> Iterable[tuple[Expression, Expression]]:
    """What each argument of ``item`` gets of the derivative ``seed`` by its value."""
    arguments = item.arguments
    match item.operation:
        case "add":
            return zip(arguments, (seed, seed), strict=True)
        case "subtract":
            return zip(arguments, (seed, -seed), strict=True)
        case "multiply":
            return zip(arguments, (seed * arguments[1], seed * arguments[0]), strict=True)
        case "divide":
            first = seed / arguments[1]
            return zip(arguments, (first, -(first * item)), strict=True)
        case "negate":
            return zip(arguments, (-seed,), strict=True)
    derivative = FUNCTIONS[item.operation].derivative
    assert derivative is not None, "the language takes first derivatives only"
    return zip(arguments, derivative(item, seed), strict=True)


def adjoints(
    seeds: Mapping[Expression, Expression], leaves: Iterable[Expression]
) -> dict[Expression, Expression]:
    """The derivative by every value below the seeds' keys, down to the leaves.

    seeds: from a value to the derivative that reaches it from outside. A value that is a leaf
    is not looked into, and gets what reaches it.
    """
    stop = set(leaves)
    totals = dict(seeds)
    for item in reversed(in_order(seeds, stop)):
        if item in stop or not item.arguments or item not in totals:
            continue
        for argument, share in _partial(item, totals[item]):
            if argument.operation == "constant" or share is constant(0):
                continue
            totals[argument] = totals[argument] + share if argument in totals else share
    return totals
