"""The structs of a call as engine/call.h has them, and the check that both sides agree.

The library tells where each of its fields lies (engine/fields.h). All of it is compared when the
library is loaded, so that a field in another place ends in an error, and not in wrong numbers.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from ctypes import Structure, c_bool, c_char_p, c_int64, c_uint64, c_void_p
from typing import NamedTuple

from gatewright.compiler.kernel import MOST_STATES

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
        ("reverse", c_bool),
        ("verify", c_bool),
        ("weights", Weights),
        ("digest", c_uint64),
    ]


class Call(Structure):
    """``Call`` of engine/call.h."""

    _fields_ = [
        *[(name, c_int64) for name in ("level", "cell", "threads")],
        *[(name, c_bool) for name in ("is_double", "save")],
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


class CellCounts(Structure):
    """``CellCounts`` of engine/level.h."""

    _fields_ = [
        ("name", c_char_p),
        ("fingerprint", c_char_p),
        *[(name, c_int64) for name in ("states", "vectors", "saved", "sums", "stages")],
    ]


STRUCTS: tuple[type[Structure], ...] = (Weights, Direction, Call, Stream, CellCounts)


class Field(Structure):
    """``Field`` of engine/fields.h: where the library has a field, or (no name) a whole struct."""

    _fields_ = [("of", c_char_p), ("name", c_char_p), ("offset", c_int64), ("size", c_int64)]


class Place(NamedTuple):
    """Where a field lies, in bytes."""

    struct: str
    field: str
    offset: int
    size: int


def places(structs: Iterable[type[Structure]]) -> Iterator[Place]:
    """Where each field of the mirrored structs lies; a whole struct has no field's name."""
    for struct in structs:
        yield Place(struct.__name__, "", 0, ctypes.sizeof(struct))
        for name, *_ in struct._fields_:
            field = getattr(struct, name)
            yield Place(struct.__name__, name, field.offset, field.size)


def difference(theirs: Iterable[Place], ours: Iterable[Place]) -> str | None:
    """What the library and the mirror do not agree on, or None."""
    sides = [{place[:2]: place[2:] for place in side} for side in (theirs, ours)]
    for key in sides[0] | sides[1]:
        said = ["nowhere" if key not in side else _words(*side[key]) for side in sides]
        if said[0] != said[1]:
            name = ".".join(part for part in key if part)
            return f"its {name} is {said[0]}, and {said[1]} in Python"
    return None


def _words(offset: int, size: int) -> str:
    return f"{size} bytes at {offset}"
