"""Equations as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gatewright.equations import Cell
from gatewright.equations.expressions import Expression, written

Write = Callable[[Expression, Mapping[Expression, str]], str]


def lines(cell: Cell, name: Callable[[str], str], write: Write) -> list[tuple[str, str]]:
    """(name, right-hand side) of each gate and state, each in terms of those before it."""
    order = {item: place for place, item in enumerate(cell.values())}
    entries = [(gate, item) for gate, item in cell.step.gates.items()]
    entries += [(state, item) for state, item in cell.step.states.items()]
    entries.sort(key=lambda entry: order[entry[1]])
    found, named = [], dict[Expression, str]()
    for label, item in entries:
        shown = name(label)
        found.append((shown, named[item] if item in named else write(item, named)))
        if item.operation not in ("state", "p", "constant"):
            named.setdefault(item, shown)
    return found


def equations(cell: Cell) -> list[str]:
    """The equations of a cell, a line each; ``h'`` is the next state."""
    found = lines(cell, lambda name: name + "'" * (name in cell.states), written)
    width = max(len(name) for name, _ in found)
    return [f"{name:<{width}} = {side}" for name, side in found]
