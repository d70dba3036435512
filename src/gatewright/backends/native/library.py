"""The compiled library: finding it, its functions, its cells and CPU levels.

A plain C interface called through ctypes: no version of Python or torch is built in, and other
Python threads run while a call computes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_int, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gatewright import __path__ as folders
from gatewright.backends.native.structs import (
    STRUCTS,
    CellCounts,
    Field,
    Place,
    Weights,
    difference,
    places,
)
from gatewright.compiler.kernel import unfit
from gatewright.equations import Cell

INTERFACE = 3  # the version of what engine/dispatch.cpp exports

OUT_OF_MEMORY, CHANGED, NOT_FINITE = 1, 2, 3  # Status of engine/call.h


@dataclass(frozen=True)
class Kernel:
    """A cell as the library has it: its place, and how much it keeps."""

    index: int
    fingerprint: str
    saved: int
    sums: int
    stages: int


@dataclass
class Engine:
    """The loaded library: its functions, cells and CPU levels.

    level: the place of the level in use among ``levels``.
    """

    functions: ctypes.CDLL
    kernels: dict[str, Kernel]
    levels: tuple[str, ...]
    level: int


class EngineError(RuntimeError):
    """The library cannot be used; the text says why and what to do."""


_SHAPE = [c_int64, c_int64, c_bool, c_int64, c_int64]  # level, cell, is_double, input, hidden
_SIGNATURES = {
    "gatewright_fields": (c_int64, []),
    "gatewright_field": (None, [c_int64, POINTER(Field)]),
    "gatewright_levels": (c_int64, []),
    "gatewright_level_name": (c_char_p, [c_int64]),
    "gatewright_cells": (c_int64, []),
    "gatewright_cell": (None, [c_int64, POINTER(CellCounts)]),
    "gatewright_forward": (c_int, [c_void_p]),
    "gatewright_backward": (c_int, [c_void_p]),
    "gatewright_packed_size": (c_int64, [*_SHAPE, c_bool]),
    "gatewright_pack": (c_uint64, [*_SHAPE, c_int64, POINTER(Weights), c_void_p, c_void_p]),
    "gatewright_function": (c_int, [c_int64, c_char_p, c_bool, c_int64, c_void_p, c_void_p]),
    "gatewright_step": (c_int, [c_void_p]),
    "gatewright_multiply_adds": (c_double, [c_int64, c_int64, c_int64]),
}


def _path() -> Path:
    if given := os.environ.get("GATEWRIGHT_ENGINE"):
        return Path(given)
    name = "libgatewright_engine" + (".dylib" if sys.platform == "darwin" else ".so")
    places = [Path(folder) / name for folder in folders]
    for place in places:
        if place.exists():
            return place
    raise EngineError(
        f"{name} is not beside the package ({places[0].parent}); build it with pip install ."
    )


@cache
def load() -> Engine:
    """The library, loaded once. torch must be loaded before, so that both share its threads.

    ``GATEWRIGHT_ENGINE`` names another file, ``GATEWRIGHT_CPU`` a lower CPU level.

    Raises EngineError.
    """
    path = _path()
    try:
        functions = ctypes.CDLL(str(path))
        version = functions.gatewright_interface
        version.restype, version.argtypes = c_int64, []
        if version() != INTERFACE:
            raise EngineError(f"{path} was built from another version; build it again")
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise EngineError(f"{path} cannot be loaded: {error}") from None
    if reason := difference(_fields(functions), places(STRUCTS)):
        raise EngineError(f"{path} was built from other structs ({reason}); build it again")
    kernels = {}
    for place in range(functions.gatewright_cells()):
        counts = CellCounts()
        functions.gatewright_cell(place, byref(counts))
        kernels[counts.name.decode()] = Kernel(
            place, counts.fingerprint.decode(), counts.saved, counts.sums, counts.stages
        )
    count = functions.gatewright_levels()
    levels = tuple(functions.gatewright_level_name(place).decode() for place in range(count))
    wanted = os.environ.get("GATEWRIGHT_CPU", levels[-1])
    if wanted not in levels:
        raise EngineError(
            f"GATEWRIGHT_CPU is {wanted!r}, but this processor has the levels {', '.join(levels)}"
        )
    return Engine(functions, kernels, levels, levels.index(wanted))


def _fields(functions: ctypes.CDLL) -> Iterator[Place]:
    """Where the library has the fields of its structs."""
    field = Field()
    for place in range(functions.gatewright_fields()):
        functions.gatewright_field(place, byref(field))
        yield Place(field.of.decode(), field.name.decode(), field.offset, field.size)


@contextmanager
def at_level(name: str) -> Iterator[None]:
    """Use another of the CPU levels that this processor has, for a while."""
    engine = load()
    before, engine.level = engine.level, engine.levels.index(name)
    try:
        yield
    finally:
        engine.level = before


def kernel(cell: Cell) -> Kernel:
    """The library's kernel of a cell.

    Raises EngineError where it has none, or one of other equations.
    """
    found = load().kernels.get(cell.name)
    if found is not None and found.fingerprint == cell.fingerprint:
        return found
    if reason := unfit(cell):
        raise EngineError(reason)
    if found is None:
        raise EngineError(
            f"the engine was built without the cell {cell.name}; a cell put into gatewright/cells "
            "is compiled in with the next build"
        )
    raise EngineError(
        f"the engine holds other equations for {cell.name}; build it again to run these"
    )
