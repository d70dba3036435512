"""Expressions: what the equations of a cell become when they run on symbols instead of tensors.

Nodes are interned, so that the same expression written twice is one node: equality is identity,
common subexpressions need no pass of their own, and a set of nodes is a set of values.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn, Union

from gatewright.equations.functions import WRITTEN, compute

Operand = Union["Expression", float, int]

_interned: weakref.WeakValueDictionary[tuple[object, ...], Expression] = (
    weakref.WeakValueDictionary()
)

# Operations without arguments: the values that a step is given.
INPUTS = ("x", "h", "state", "p")


class CellError(ValueError):
    """A cell's definition that cannot stand; the text says where, and what to write instead."""


class Expression:
    """One value of hidden size, computed at each step.

    operation: ``x``, ``h`` (projections; an ``h`` with an argument projects that vector),
    ``state``, ``p`` (learned vector), ``constant``, ``add``, ``subtract``, ``multiply``,
    ``divide``, ``negate`` or the name of a function of the language.
    """

    __slots__ = ("__weakref__", "arguments", "name", "operation", "value")

    operation: str
    arguments: tuple[Expression, ...]
    name: str
    value: float

    def __repr__(self) -> str:
        return written(self)

    # Arithmetic -----------------------------------------------------------------------------

    def __add__(self, other: Operand) -> Expression:
        return add(self, wrap(other))

    def __radd__(self, other: Operand) -> Expression:
        return add(wrap(other), self)

    def __sub__(self, other: Operand) -> Expression:
        return subtract(self, wrap(other))

    def __rsub__(self, other: Operand) -> Expression:
        return subtract(wrap(other), self)

    def __mul__(self, other: Operand) -> Expression:
        return multiply(self, wrap(other))

    def __rmul__(self, other: Operand) -> Expression:
        return multiply(wrap(other), self)

    def __truediv__(self, other: Operand) -> Expression:
        return divide(self, wrap(other))

    def __rtruediv__(self, other: Operand) -> Expression:
        return divide(wrap(other), self)

    def __neg__(self) -> Expression:
        return negate(self)

    def __pos__(self) -> Expression:
        return self

    def __call__(self, argument: Operand) -> Expression:
        """``h.NAME(vector)``: project that vector instead of the previous output."""
        if self.operation != "h" or self.arguments:
            raise CellError(
                f"{self!r} cannot be called; only a recurrent projection can, as in "
                "h.new(reset * state.h)"
            )
        return node("h", (wrap(argument),), self.name)

    # What the language does not have, each with what to write instead -------------------------

    def __bool__(self) -> NoReturn:
        raise CellError(
            "a Python if, and, or, not or while cannot test a value of the equations: it has no "
            "value until the cell runs. Write the choice as arithmetic, with maximum(a, b), "
            "relu(a) or a gate such as sigmoid(a)"
        )

    def _compared(self, _: object) -> NoReturn:
        raise CellError(
            "values of the equations cannot be compared. Write the choice as arithmetic, with "
            "maximum(a, b), relu(a) or a gate such as sigmoid(a)"
        )

    __lt__ = __le__ = __gt__ = __ge__ = _compared

    def __matmul__(self, _: object) -> NoReturn:
        raise CellError(
            "matrix products are written as projections: x.NAME for W x, h.NAME for U h, and "
            "h.NAME(vector) for U times another vector"
        )

    __rmatmul__ = __matmul__

    def __pow__(self, _: object) -> NoReturn:
        raise CellError("there is no power; write a * a for a square")

    def __float__(self) -> NoReturn:
        raise CellError(
            "a function of Python's math module cannot take a value of the equations; use the "
            "functions of gatewright: " + ", ".join(WRITTEN)
        )

    __int__ = __index__ = __float__

    def __iter__(self) -> Iterator[Expression]:
        raise CellError("a value of the equations cannot be indexed or unpacked; it is one vector")

    __getitem__ = _compared

    @classmethod
    def __torch_function__(cls, function: Any, *_: object) -> NoReturn:
        raise CellError(
            f"torch.{getattr(function, '__name__', 'function')} cannot be used in equations; use "
            "the functions of gatewright: " + ", ".join(WRITTEN)
        )


def node(
    operation: str,
    arguments: tuple[Expression, ...] = (),
    name: str = "",
    value: float = 0.0,
) -> Expression:
    """The one node for this operation on these arguments."""
    key = (operation, tuple(map(id, arguments)), name, repr(value))
    found = _interned.get(key)
    if found is None:
        found = Expression()
        found.operation, found.arguments = operation, arguments
        found.name, found.value = name, value
        _interned[key] = found
    return found


def constant(value: float) -> Expression:
    return node("constant", value=float(value))


def wrap(value: Operand) -> Expression:
    """An operand as an expression."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise CellError(f"{value} cannot stand in the equations; give a finite number")
        return constant(value)
    raise CellError(
        f"{type(value).__name__} cannot stand in the equations; they take x.NAME, h.NAME, "
        "state.NAME, p.NAME and numbers"
    )


@compute.register(Expression)
def _call(_: Expression, name: str, *arguments: Operand) -> Expression:
    """A function of the language as a node of the graph."""
    return node(name, tuple(map(wrap, arguments)))


def is_constant(item: Expression, value: float) -> bool:
    return item.operation == "constant" and item.value == value


def add(a: Expression, b: Expression) -> Expression:
    if is_constant(a, 0):
        return b
    if is_constant(b, 0):
        return a
    if b.operation == "negate":
        return subtract(a, b.arguments[0])
    return node("add", (a, b))


def subtract(a: Expression, b: Expression) -> Expression:
    if is_constant(b, 0):
        return a
    if is_constant(a, 0):
        return negate(b)
    return node("subtract", (a, b))


def multiply(a: Expression, b: Expression) -> Expression:
    if is_constant(a, 0) or is_constant(b, 0):
        return constant(0)
    if is_constant(a, 1):
        return b
    if is_constant(b, 1):
        return a
    return node("multiply", (a, b))


def divide(a: Expression, b: Expression) -> Expression:
    return a if is_constant(b, 1) else node("divide", (a, b))


def negate(a: Expression) -> Expression:
    if a.operation == "negate":
        return a.arguments[0]
    return constant(-a.value) if a.operation == "constant" else node("negate", (a,))


def in_order(roots: Iterable[Expression], leaves: Iterable[Expression] = ()) -> list[Expression]:
    """Every node below the roots, arguments before their users; nothing below a leaf."""
    stop, seen, order = set(leaves), set(), []

    def visit(item: Expression) -> None:
        if item in seen:
            return
        seen.add(item)
        if item not in stop:
            for argument in item.arguments:
                visit(argument)
        order.append(item)

    for root in roots:
        visit(root)
    return order


# How tightly an operation binds; an argument that binds less stands in brackets.
_BINDING = {"add": 1, "subtract": 1, "negate": 2, "multiply": 3, "divide": 3}
ATOM = 4


def binding(item: Expression) -> int:
    return _BINDING.get(item.operation, ATOM)


def written(item: Expression, named: Mapping[Expression, str] | None = None) -> str:
    """An expression as in the definition; the nodes in ``named`` by their names."""
    names = named or {}

    def write(a: Expression, inside: int = 0) -> str:
        if a in names:
            return names[a]
        text = _written(a, write)
        return f"({text})" if binding(a) < inside else text

    return _written(item, write)


def _written(a: Expression, write: Callable[..., str]) -> str:
    arguments, own = a.arguments, binding(a)
    match a.operation:
        case "constant":
            return f"{a.value:g}"
        case "x" | "h" | "state" | "p":
            return f"{a.operation}.{a.name}" + (f"({write(arguments[0])})" if arguments else "")
        case "add" | "subtract" | "multiply" | "divide":
            sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}[a.operation]
            right = own + (a.operation in ("subtract", "divide"))
            return f"{write(arguments[0], own)} {sign} {write(arguments[1], right)}"
        case "negate":
            return f"-{write(arguments[0], ATOM)}"
    return f"{a.operation}({', '.join(write(argument) for argument in arguments)})"
