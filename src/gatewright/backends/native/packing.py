"""Weights in the engine's order, kept until the parameters change.

Weights can be written unseen: through ``.data`` or numpy, or by a fused optimiser. So the engine
reads every element at each call and compares a digest with that of the weights that were packed
(engine/digest.h). Nothing here decides by a sample, or by version counters alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from ctypes import byref
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from gatewright import cells
from gatewright.backends.native import library
from gatewright.backends.native.library import Kernel
from gatewright.backends.native.structs import Weights

# More layers than this in use at once are packed anew at each call.
MOST_KEPT = 1024

# Fewer elements than this are packed before other threads have woken up.
WORTH_THREADS = 30_000


@dataclass(frozen=True)
class Sizes:
    """Which parameters a direction has: their fields in the engine, before the learned vectors."""

    fields: tuple[str, ...]
    x_projections: int
    h_projections: int

    @property
    def weights(self) -> int:
        return len(self.fields)


@cache
def sizes(name: str, count: int) -> Sizes:
    """The parameters of a built-in cell, where a direction has ``count`` of them."""
    cell = cells.get(name)
    fields = ["weight_ih"] + ["weight_hh"] * bool(cell.h_projections)
    biases = ["bias_ih"] + ["bias_hh"] * bool(cell.h_projections)
    if count > len(fields) + len(cell.vectors):
        fields += biases
    return Sizes(tuple(fields), len(cell.x_projections), len(cell.h_projections))


@dataclass(frozen=True)
class Packed:
    """The weights and biases of one direction as the engine reads them.

    known: whether they were packed just now, so that nothing is to be verified.
    """

    memory: Tensor
    digest: int  # of the weights when they were packed
    known: bool


@dataclass(frozen=True)
class _Entry:
    storages: tuple[StorageWeakRef, ...]
    versions: tuple[int, ...]
    packed: Packed


# Held while the table changes: calls come from several threads at once.
_changing = threading.Lock()
_kept: OrderedDict[tuple[object, ...], _Entry] = OrderedDict()


def forget() -> None:
    """Drop all packed weights."""
    with _changing:
        _kept.clear()


class DirectionWeights:
    """The weights of one direction of a layer, and their packed forms.

    parameters: in the engine's order; those beyond ``sizes.weights`` are learned vectors.

    Raises RuntimeError for parameters that were replaced by others of a wrong shape.
    """

    def __init__(
        self, kernel: Kernel, parameters: list[Tensor], sizes: Sizes, input: int, hidden: int
    ) -> None:
        _check_shapes(parameters, sizes, input, hidden)
        self.kernel, self.input, self.hidden = kernel, input, hidden
        # Without gaps: the engine reads the memory from end to end.
        self.tensors = [
            parameter.detach().resolve_neg().contiguous()
            for parameter in parameters[: sizes.weights]
        ]
        self.is_double = self.tensors[0].dtype == torch.float64
        self.pointers = Weights(
            **{
                field: weight.data_ptr()
                for field, weight in zip(sizes.fields, self.tensors, strict=True)
            }
        )

    def packed(self, *, backward: bool, anew: bool = False) -> Packed:
        """Packed before, as far as is known here; ``anew`` for weights that the engine found to
        differ."""
        places = [(weight.data_ptr(), weight.dtype) for weight in self.tensors]
        level = library.load().level
        key = (self.kernel.index, level, backward, self.input, self.hidden, *places)
        versions = tuple(0 if w.is_inference() else w._version for w in self.tensors)
        entry = _kept.get(key)
        # A counter that moved tells of a change before anything is read.
        if not anew and entry is not None and entry.versions == versions:
            return entry.packed
        fresh = self._pack(backward)
        storages = tuple(StorageWeakRef(weight.untyped_storage()) for weight in self.tensors)
        with _changing:
            _kept[key] = _Entry(storages, versions, Packed(fresh.memory, fresh.digest, False))
            _kept.move_to_end(key)
            _purge()
        return fresh

    def _pack(self, backward: bool) -> Packed:
        loaded = library.load()
        where = (loaded.level, self.kernel.index, self.is_double, self.input, self.hidden)
        size = loaded.functions.gatewright_packed_size(*where, backward)
        memory = self.tensors[0].new_empty(size)
        targets = (None, memory.data_ptr()) if backward else (memory.data_ptr(), None)
        threads = torch.get_num_threads() if size > WORTH_THREADS else 1
        digest = loaded.functions.gatewright_pack(*where, threads, byref(self.pointers), *targets)
        return Packed(memory, digest, True)


def _check_shapes(parameters: list[Tensor], sizes: Sizes, input: int, hidden: int) -> None:
    x_rows, h_rows = sizes.x_projections * hidden, sizes.h_projections * hidden
    wanted = {
        "weight_ih": (x_rows, input),
        "weight_hh": (h_rows, hidden),
        "bias_ih": (x_rows,),
        "bias_hh": (h_rows,),
    }
    shapes = [wanted[field] for field in sizes.fields]
    shapes += [(hidden,)] * (len(parameters) - len(shapes))
    for place, (parameter, shape) in enumerate(zip(parameters, shapes, strict=True)):
        if parameter.shape != shape:
            name = sizes.fields[place] if place < sizes.weights else "a learned vector"
            raise RuntimeError(f"{name} should be {shape}, got {tuple(parameter.shape)}")


def _purge() -> None:
    """Drop what belonged to weights that are gone, and the oldest beyond the limit."""
    gone = [
        key for key, entry in _kept.items() if any(storage.expired() for storage in entry.storages)
    ]
    for key in gone:
        del _kept[key]
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
