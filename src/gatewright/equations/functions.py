"""The functions of the language: each with its derivative, and how every other world writes it.

A function is called on whatever the equations run on: expressions build the graph, tensors
compute. Each kind registers itself with :func:`compute`. The vectors of the C++ engine stand under
the same names in ``engine/math.h``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from pkgutil import resolve_name
from typing import Any

# From a node, and the derivative that reaches it, to what each of its arguments gets.
Derivative = Callable[[Any, Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Function:
    """A function of the language.

    derivative: None for what stands in derivatives only, never in equations. Where a function is
        constant its argument gets 0, whatever reaches it: 0 times infinity is none.
    torch, jax: where these libraries have it, as ``module:name``.
    by_others: what it is in other functions of the language, for a library without it.
    """

    latex: str
    derivative: Derivative | None
    torch: str = ""
    jax: str = ""
    by_others: Callable[..., Any] | None = None
    costly: bool = True  # worth saving for the backward pass rather than computing again


FUNCTIONS: dict[str, Function] = {
    "sigmoid": Function(
        r"\sigma",
        lambda y, seed: (seed * (y * (1 - y)),),
        torch="torch:sigmoid",
        jax="jax.nn:sigmoid",
    ),
    "tanh": Function(
        r"\tanh",
        lambda y, seed: (seed * (1 - y * y),),
        torch="torch:tanh",
        jax="jax.numpy:tanh",
    ),
    "relu": Function(
        r"\mathrm{relu}",
        lambda y, seed: (_apply("where_positive", seed, y),),
        torch="torch:relu",
        jax="jax.nn:relu",
        costly=False,
    ),
    "exp": Function(
        r"\exp",
        lambda y, seed: (seed * y,),
        torch="torch:exp",
        jax="jax.numpy:exp",
    ),
    "log_sigmoid": Function(
        r"\log\sigma",
        lambda y, seed: (seed * sigmoid(-y.arguments[0]),),
        torch="torch.nn.functional:logsigmoid",
        jax="jax.nn:log_sigmoid",
    ),
    # torch's softplus is the identity above 20, which is not exact in float64.
    "softplus": Function(
        r"\mathrm{softplus}",
        lambda y, seed: (seed * sigmoid(y.arguments[0]),),
        jax="jax.nn:softplus",
        by_others=lambda a: -log_sigmoid(-a),
    ),
    "maximum": Function(
        r"\max",
        lambda y, seed: (
            _apply("where_larger", seed, *y.arguments),
            _apply("where_larger", seed, *y.arguments[::-1]),
        ),
        torch="torch:maximum",
        jax="jax.numpy:maximum",
        costly=False,
    ),
    # The first argument where the second is above 0 (or no number), else 0.
    "where_positive": Function(r"\mathbb{1}_{>0}", None, costly=False),
    # The first argument where the second is larger than the third, half of it at a tie, as torch,
    # and 0 where it is smaller.
    "where_larger": Function(r"\mathbb{1}_{>}", None, costly=False),
}

# What equations may call, in alphabetical order.
WRITTEN = sorted(name for name, function in FUNCTIONS.items() if function.derivative)


def functions_of(library: str) -> dict[str, Callable[..., Any]]:
    """What equations may call as ``torch`` or ``jax`` has it, by its name in the language."""
    found = {}
    for name in WRITTEN:
        place, otherwise = getattr(FUNCTIONS[name], library), FUNCTIONS[name].by_others
        found[name] = resolve_name(place) if place or otherwise is None else otherwise
    return found


@singledispatch
def compute(like: Any, name: str, *arguments: Any) -> Any:
    """Apply the function called ``name``. like: the argument whose kind says how."""
    kind = type(like).__name__
    raise TypeError(f"{name} takes values of the equations or tensors, not {kind}")


def _apply(name: str, *arguments: Any) -> Any:
    unknown = compute.dispatch(object)
    known = (item for item in arguments if compute.dispatch(type(item)) is not unknown)
    return compute(next(known, arguments[0]), name, *arguments)


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
