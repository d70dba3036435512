"""The compiled library: finding it, its structs, its cells and CPU levels.

A plain C interface called through ctypes: no version of Python or torch is built in, and other
Python threads run while a call computes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gatewright import __path__ as folders
from gatewright.equations import Cell

# The version of the interface; the library adds the size of its Call, so that a library of other
# structs is refused and not called.
INTERFACE = 2_000_000
MOST_STATES = 8

OUT_OF_MEMORY, CHANGED, NOT_FINITE = 1, 2, 3  # Status of engine/call.h

_States = c_void_p * MOST_STATES


class Weights(Structure):
    """``Weights`` of engine/call.h."""

    _fields_ = [(name, c_void_p) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


class Direction(Structure):
    """``Direction`` of engine/call.h."""

    _fields_ = [
        ("packed", c_void_p),
        ("packed_back", c_void_p),
        ("learned", c_void_p),
        ("initial", _States),
        ("final", _States),
        ("output", c_void_p),
        ("states", c_void_p),
        ("saved", c_void_p),
        ("source", c_void_p),
        ("recurrent", c_void_p),
        ("mask", c_void_p),
        ("zone", c_void_p),
        ("grad_output", c_void_p),
        ("incoming", c_void_p),
        ("grad_x", c_void_p),
        ("grad_weight_ih", c_void_p),
        ("grad_weight_hh", c_void_p),
        ("grad_bias_ih", c_void_p),
        ("grad_bias_hh", c_void_p),
        ("grad_learned", c_void_p),
        ("reverse", c_int64),
        ("verify", c_int64),
        ("weights", Weights),
        ("digest", c_uint64),
    ]


class Call(Structure):
    """``Call`` of engine/call.h."""

    _fields_ = [
        *[(name, c_int64) for name in ("level", "cell", "is_double", "threads", "save")],
        *[(name, c_int64) for name in ("time", "batch", "input", "hidden", "directions")],
        ("x", c_void_p),
        *[(name, c_int64) for name in ("x_time", "x_batch", "output_time", "output_batch")],
        *[(name, c_int64) for name in ("zone_time", "zone_batch")],
        *[(name, c_int64) for name in ("grad_output_time", "grad_output_batch")],
        *[(name, c_int64) for name in ("grad_x_time", "grad_x_batch")],
        ("order", c_void_p),
        ("lengths", c_void_p),
        ("direction", Direction * 2),
    ]


class Stream(Structure):
    """``Stream`` of engine/call.h."""

    _fields_ = [
        ("calls", c_void_p),
        *[(name, c_int64) for name in ("layers", "states", "layer_bytes")],
        ("x", c_void_p),
        ("initial", _States),
        ("final", _States),
        ("output", c_void_p),
    ]


class _CellCounts(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("fingerprint", c_char_p),
        *[(name, c_int64) for name in ("states", "vectors", "saved", "sums", "stages")],
    ]


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


_SIGNATURES = {
    "gatewright_interface": (c_int64, []),
    "gatewright_levels": (c_int64, []),
    "gatewright_level_name": (c_char_p, [c_int64]),
    "gatewright_cells": (c_int64, []),
    "gatewright_cell": (None, [c_int64, POINTER(_CellCounts)]),
    "gatewright_forward": (ctypes.c_int, [c_void_p]),
    "gatewright_backward": (ctypes.c_int, [c_void_p]),
    "gatewright_packed_size": (c_int64, [c_int64] * 6),
    "gatewright_pack": (c_uint64, [c_int64] * 6 + [POINTER(Weights), c_void_p, c_void_p]),
    "gatewright_function": (
        ctypes.c_int,
        [c_int64, c_char_p, c_int64, c_int64, c_void_p, c_void_p],
    ),
    "gatewright_step": (ctypes.c_int, [c_void_p]),
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
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise EngineError(f"{path} cannot be loaded: {error}") from None
    if functions.gatewright_interface() != INTERFACE + ctypes.sizeof(Call):
        raise EngineError(f"{path} was built from another version; build it again")
    kernels = {}
    for place in range(functions.gatewright_cells()):
        counts = _CellCounts()
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
    if found is None:
        raise EngineError(
            f"the engine was built without the cell {cell.name}; a cell put into gatewright/cells "
            "is compiled in with the next build"
        )
    if found.fingerprint != cell.fingerprint:
        raise EngineError(
            f"the engine holds other equations for {cell.name}; build it again to run these"
        )
    return found
