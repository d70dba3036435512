"""Weights in the engine's order, kept until the parameters change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from ctypes import Array, byref, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from gatewright import cells
from gatewright.native import library
from gatewright.native.library import Kernel, Weights

# More layers than this in use at once are packed anew at each call.
MOST_KEPT = 1024


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
class _Entry:
    storages: tuple[StorageWeakRef, ...]
    versions: tuple[int, ...]
    sample: int
    packed: Tensor


# Held while the table changes: calls come from several threads at once.
_changing = threading.Lock()
_kept: OrderedDict[tuple[object, ...], _Entry] = OrderedDict()


def forget() -> None:
    """Drop all packed weights, for changes that torch's version counters do not see."""
    with _changing:
        _kept.clear()


def sample(weights: list[Tensor]) -> tuple[int, tuple[Array[c_void_p], Array[c_int64]]]:
    """A digest of the values, and what it was taken of: addresses and sizes.

    Of all values in float64, where numerical derivatives change one at a time; of some in float32.
    """
    count = len(weights)
    addresses = (c_void_p * count)(*[weight.data_ptr() for weight in weights])
    words = (c_int64 * count)(*[weight.numel() * weight.element_size() // 4 for weight in weights])
    digest = library.load().functions.gatewright_sample(
        addresses, words, count, weights[0].dtype == torch.float64
    )
    return digest, (addresses, words)


def packed(
    kernel: Kernel,
    parameters: list[Tensor],
    sizes: Sizes,
    input: int,
    hidden: int,
    backward: bool,
) -> Tensor:
    """The weights and biases of one direction as the engine reads them.

    They are packed again when a version counter, the memory, or a sample of the values changes:
    writes through ``.data`` move no counter, but nearly always the sample.
    """
    # Without gaps: a sample reads the memory from end to end.
    weights = [
        parameter.detach().resolve_neg().contiguous() for parameter in parameters[: sizes.weights]
    ]
    level = library.load().level
    _check_shapes(parameters, sizes, input, hidden)
    places = [(weight.data_ptr(), weight.dtype) for weight in weights]
    key = (kernel.index, level, backward, input, hidden, *places)
    if any(weight.is_inference() for weight in weights):
        return _pack(kernel, weights, sizes, input, hidden, backward)
    versions = tuple(weight._version for weight in weights)
    digest, _ = sample(weights)
    entry = _kept.get(key)
    if (
        entry is not None
        and entry.versions == versions
        and entry.sample == digest
        and not any(storage.expired() for storage in entry.storages)
    ):
        return entry.packed
    fresh = _pack(kernel, weights, sizes, input, hidden, backward)
    storages = tuple(StorageWeakRef(weight.untyped_storage()) for weight in weights)
    with _changing:
        _kept[key] = _Entry(storages, versions, digest, fresh)
        _kept.move_to_end(key)
        _purge()
    return fresh


def _check_shapes(parameters: list[Tensor], sizes: Sizes, input: int, hidden: int) -> None:
    """RuntimeError for parameters that were replaced by others of a wrong shape."""
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


def _pack(
    kernel: Kernel,
    weights: list[Tensor],
    sizes: Sizes,
    input: int,
    hidden: int,
    backward: bool,
) -> Tensor:
    loaded = library.load()
    is_double = weights[0].dtype == torch.float64
    size = loaded.functions.gatewright_packed_size(
        loaded.level, kernel.index, is_double, input, hidden, backward
    )
    result = weights[0].new_empty(size)
    given = Weights(**{field: w.data_ptr() for field, w in zip(sizes.fields, weights, strict=True)})
    targets = (None, result.data_ptr()) if backward else (result.data_ptr(), None)
    loaded.functions.gatewright_pack(
        loaded.level, kernel.index, is_double, input, hidden, byref(given), *targets
    )
    return result
