"""Cells in copies and pickles of a layer: by the name under which Python can import them."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

from gatewright.equations import Cell


class ByName:
    """Stands for a cell in the state of a layer: copied as itself, pickled as its address."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def __deepcopy__(self, _: dict[int, Any]) -> ByName:
        return self  # a cell never changes

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        definition = self.cell.definition
        module, name = definition.__module__, definition.__qualname__
        if _find(module, name) is not self.cell:
            raise pickle.PicklingError(
                f"the cell {self.cell.name} cannot be found as {module}.{name}; to pickle a layer, "
                "define its cell at the top level of a module (a state_dict can always be saved)"
            )
        return load, (module, name)


def load(module: str, name: str) -> ByName:
    """The cell at that address; UnpicklingError where there is none."""
    cell = _find(module, name)
    if not isinstance(cell, Cell):
        raise pickle.UnpicklingError(f"{module}.{name} is not a cell here")
    return ByName(cell)


def _find(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
