"""The functions of the language: each with its derivative and how it is set in type.

Called on an expression they build the graph; called on anything else they ask
:func:`compute`, for which ``gatewright.reference`` registers torch tensors. The C++ of each
stands under the same name in ``engine/math.h``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from gatewright.equations.expressions import Expression, constant, node, wrap

Derivative = Callable[[Expression, Expression], tuple[Expression, ...]]


@dataclass(frozen=True)
class Function:
    """derivative: from the node, and the derivative that reaches it, to what each argument gets.

    Where a function is constant its argument gets 0, whatever reaches it: 0 times infinity is none.
    """

    derivative: Derivative
    latex: str
    costly: bool = True  # worth saving for the backward pass rather than computing again
    written: bool = True  # may stand in equations; the others come from derivatives only


def _none(*_: Expression) -> tuple[Expression, ...]:
    raise AssertionError("the language takes first derivatives only")


ONE = constant(1)

FUNCTIONS: dict[str, Function] = {
    "sigmoid": Function(lambda y, seed: (seed * (y * (ONE - y)),), r"\sigma"),
    "tanh": Function(lambda y, seed: (seed * (ONE - y * y),), r"\tanh"),
    "relu": Function(
        lambda y, seed: (node("where_positive", (seed, y)),), r"\mathrm{relu}", costly=False
    ),
    "exp": Function(lambda y, seed: (seed * y,), r"\exp"),
    "log_sigmoid": Function(
        lambda y, seed: (seed * node("sigmoid", (-y.arguments[0],)),), r"\log\sigma"
    ),
    "softplus": Function(
        lambda y, seed: (seed * node("sigmoid", y.arguments),), r"\mathrm{softplus}"
    ),
    "maximum": Function(
        lambda y, seed: (
            node("where_larger", (seed, *y.arguments)),
            node("where_larger", (seed, *y.arguments[::-1])),
        ),
        r"\max",
        costly=False,
    ),
    # The first argument where the second is above 0 (or no number), else 0.
    "where_positive": Function(_none, r"\mathbb{1}_{>0}", costly=False, written=False),
    # The first argument where the second is larger than the third, half of it at a tie, as torch,
    # and 0 where it is smaller.
    "where_larger": Function(_none, r"\mathbb{1}_{>}", costly=False, written=False),
}


@singledispatch
def compute(first: Any, name: str, *rest: Any) -> Any:
    """Apply the function called ``name`` to values; other packages register their types."""
    raise TypeError(f"{name} takes values of the equations or tensors, not {type(first).__name__}")


def _apply(name: str, *arguments: Any) -> Any:
    if any(isinstance(argument, Expression) for argument in arguments):
        return node(name, tuple(wrap(argument) for argument in arguments))
    return compute(arguments[0], name, *arguments[1:])


def sigmoid(a: Any) -> Any:
    """The logistic function, 1 / (1 + exp(-a))."""
    return _apply("sigmoid", a)


def tanh(a: Any) -> Any:
    """The hyperbolic tangent."""
    return _apply("tanh", a)


def relu(a: Any) -> Any:
    """a where a is above 0, else 0."""
    return _apply("relu", a)


def exp(a: Any) -> Any:
    """The exponential function."""
    return _apply("exp", a)


def log_sigmoid(a: Any) -> Any:
    """log(sigmoid(a)), without overflow."""
    return _apply("log_sigmoid", a)


def softplus(a: Any) -> Any:
    """log(1 + exp(a)), without overflow."""
    return _apply("softplus", a)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two, elementwise."""
    return _apply("maximum", a, b)
