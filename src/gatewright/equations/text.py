"""Equations as people read them: plain text for a terminal, LaTeX for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gatewright.equations.expressions import Expression
from gatewright.equations.functions import FUNCTIONS

if TYPE_CHECKING:
    from gatewright.equations.cell import Cell

# How tightly an operation binds; an argument that binds less stands in brackets.
_BINDING = {"add": 1, "subtract": 1, "negate": 2, "multiply": 3, "divide": 3}
_ATOM = 4


def _binding(item: Expression) -> int:
    return _BINDING.get(item.operation, _ATOM)


Write = Callable[[Expression], str]


def plain(item: Expression, named: Mapping[Expression, str] | None = None) -> str:
    """An expression as in the definition; the nodes in ``named`` by their names."""
    names = named or {}

    def write(a: Expression, inside: int = 0) -> str:
        if a in names:
            return names[a]
        text = _plain(a, write)
        return f"({text})" if _binding(a) < inside else text

    return _plain(item, write)


def _plain(a: Expression, write: Callable[..., str]) -> str:
    arguments, binding = a.arguments, _binding(a)
    match a.operation:
        case "constant":
            return f"{a.value:g}"
        case "x" | "h" | "state" | "p":
            return f"{a.operation}.{a.name}" + (f"({write(arguments[0])})" if arguments else "")
        case "add" | "subtract" | "multiply" | "divide":
            sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}[a.operation]
            right = binding + (a.operation in ("subtract", "divide"))
            return f"{write(arguments[0], binding)} {sign} {write(arguments[1], right)}"
        case "negate":
            return f"-{write(arguments[0], _ATOM)}"
    return f"{a.operation}({', '.join(write(argument) for argument in arguments)})"


def _latex_name(name: str, index: str) -> str:
    head, _, tail = name.partition("_")
    letter = head if len(head) == 1 else rf"\mathrm{{{head}}}"
    upper = rf"^{{\mathrm{{{tail.replace('_', ' ')}}}}}" if tail else ""
    return f"{letter}{upper}_{{{index}}}"


def _latex(a: Expression, write: Callable[..., str]) -> str:
    arguments, binding = a.arguments, _binding(a)
    match a.operation:
        case "constant":
            return f"{a.value:g}"
        case "x":
            return rf"W_{{\mathrm{{{a.name}}}}} x_t + b_{{\mathrm{{{a.name}}}}}"
        case "h":
            vector = rf"({write(arguments[0])})" if arguments else "h_{t-1}"
            return rf"U_{{\mathrm{{{a.name}}}}} {vector} + c_{{\mathrm{{{a.name}}}}}"
        case "state":
            return _latex_name(a.name, "t-1")
        case "p":
            return rf"p_{{\mathrm{{{a.name}}}}}"
        case "add" | "subtract" | "multiply":
            sign = {"add": "+", "subtract": "-", "multiply": r"\odot"}[a.operation]
            right = binding + (a.operation == "subtract")
            return f"{write(arguments[0], binding)} {sign} {write(arguments[1], right)}"
        case "divide":
            return rf"\frac{{{write(arguments[0])}}}{{{write(arguments[1])}}}"
        case "negate":
            return f"-{write(arguments[0], _ATOM)}"
    inner = ", ".join(write(argument) for argument in arguments)
    return rf"{FUNCTIONS[a.operation].latex}\left({inner}\right)"


def latex(item: Expression, named: Mapping[Expression, str] | None = None) -> str:
    """An expression in LaTeX; the nodes in ``named`` by their names."""
    names = named or {}

    def write(a: Expression, inside: int = 0) -> str:
        if a in names:
            return names[a]
        text = _latex(a, write)
        # A projection is a sum: inside a product it needs brackets.
        binding = 1 if a.operation in ("x", "h") else _binding(a)
        return rf"\left({text}\right)" if binding < inside else text

    return _latex(item, write)


def _lines(
    cell: Cell, name: Callable[[str], str], write: Callable[..., str]
) -> list[tuple[str, str]]:
    """(name, right-hand side) of each gate and state, each in terms of those before it."""
    order = {item: place for place, item in enumerate(cell.values())}
    entries = [(gate, item) for gate, item in cell.step.gates.items()]
    entries += [(state, item) for state, item in cell.step.states.items()]
    entries.sort(key=lambda entry: order[entry[1]])
    lines, named = [], dict[Expression, str]()
    for label, item in entries:
        shown = name(label)
        lines.append((shown, named[item] if item in named else write(item, named)))
        if item.operation not in ("state", "p", "constant"):
            named.setdefault(item, shown)
    return lines


def equations(cell: Cell) -> list[str]:
    """The equations of a cell, a line each; ``h'`` is the next state."""
    lines = _lines(cell, lambda name: name + "'" * (name in cell.states), plain)
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}} = {side}" for name, side in lines]


def latex_equations(cell: Cell) -> str:
    """The equations of a cell as a LaTeX ``aligned`` block."""
    lines = _lines(cell, lambda name: _latex_name(name, "t"), latex)
    body = " \\\\\n".join(rf"{name} &= {side}" for name, side in lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
