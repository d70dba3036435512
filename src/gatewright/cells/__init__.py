"""The built-in cells, one file each. A file put here is a cell: nothing else lists them."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from gatewright.equations import Cell


@cache
def names() -> tuple[str, ...]:
    """The names of the built-in cells, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def get(name: str) -> Cell:
    """The built-in cell of that name.

    Raises ValueError, with the nearest name, where there is none.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no cell is called {name!r}: {hint}the cells are {', '.join(names())}")
    cell = getattr(importlib.import_module(f"{__name__}.{name}"), name, None)
    if not isinstance(cell, Cell):
        raise ValueError(f"cells/{name}.py must define a cell called {name}, with @cell")
    return cell
