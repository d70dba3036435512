"""Equations in LaTeX, for documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gatewright.compiler.printers.text import lines
from gatewright.equations import Cell
from gatewright.equations.expressions import ATOM, Expression, binding
from gatewright.equations.functions import FUNCTIONS


def _latex_name(name: str, index: str) -> str:
    head, _, tail = name.partition("_")
    letter = head if len(head) == 1 else rf"\mathrm{{{head}}}"
    upper = rf"^{{\mathrm{{{tail.replace('_', ' ')}}}}}" if tail else ""
    return f"{letter}{upper}_{{{index}}}"


def _latex(a: Expression, write: Callable[..., str]) -> str:
    arguments, own = a.arguments, binding(a)
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
            right = own + (a.operation == "subtract")
            return f"{write(arguments[0], own)} {sign} {write(arguments[1], right)}"
        case "divide":
            return rf"\frac{{{write(arguments[0])}}}{{{write(arguments[1])}}}"
        case "negate":
            return f"-{write(arguments[0], ATOM)}"
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
        own = 1 if a.operation in ("x", "h") else binding(a)
        return rf"\left({text}\right)" if own < inside else text

    return _latex(item, write)


def equations(cell: Cell) -> str:
    """The equations of a cell as a LaTeX ``aligned`` block."""
    found = lines(cell, lambda name: _latex_name(name, "t"), latex)
    body = " \\\\\n".join(rf"{name} &= {side}" for name, side in found)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
