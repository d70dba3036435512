"""A call of the engine from tensors: layouts, orders, pointers, and the memory for its results."""

from __future__ import annotations

from ctypes import byref

import torch
from torch import Tensor

from gatewright.backends.native import library
from gatewright.backends.native.arguments import Arguments, Kept, Results, like_input
from gatewright.backends.native.library import CHANGED, NOT_FINITE, OUT_OF_MEMORY
from gatewright.backends.native.packing import DirectionWeights, Packed, sizes
from gatewright.backends.native.structs import Call

DTYPES = (torch.float32, torch.float64)

# Work below this many multiply-adds is done before other threads have woken up.
WORTH_THREADS = 100_000


def dense(tensor: Tensor) -> Tensor:
    """Rows without gaps between their features, whatever the other strides."""
    tensor = tensor.resolve_neg()
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()


def _order(lengths: Tensor | None, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Rows by falling length, and the lengths in that order.

    Raises ValueError for lengths that would lead outside of ``x``: compiled and exported programs
    come here unchecked.
    """
    if lengths is None:
        return None, None
    if lengths.shape != x.shape[1:2]:
        raise ValueError(f"lengths should be ({x.shape[1]},), one a row, got {lengths.shape}")
    falling, order = torch.sort(lengths.to(torch.int64), descending=True, stable=True)
    if falling.numel() and not 0 <= int(falling[-1]) <= int(falling[0]) <= x.shape[0]:
        raise ValueError(
            f"lengths should be from 0 to {x.shape[0]}, the time of the input, got "
            f"{int(falling[-1])} to {int(falling[0])}"
        )
    return order.contiguous(), falling.contiguous()


def in_order(tensor: Tensor, order: Tensor | None) -> Tensor:
    """(D, B, ...) with the batch in the engine's order."""
    return (tensor if order is None else tensor.index_select(1, order)).contiguous()


def _dense_zone(zone: Tensor) -> Tensor:
    """A zone whose (states, hidden) lie together; what is the same for all steps stays one."""
    if zone.stride(1) == 0 and zone.stride(2) == 0:
        return zone[:, :1, :1].contiguous().expand(zone.shape)
    return zone.contiguous()


def _check(given: Arguments) -> None:
    """RuntimeError for what would lead the engine outside of a tensor. Parameters have their own
    check of shapes, see packing.py.
    """
    time, batch = given.x.shape[:2]
    directions, hidden = given.directions, given.states[0].shape[-1]
    wanted: list[tuple[str, Tensor, tuple[int, ...]]] = [
        ("state", state, (directions, batch, hidden)) for state in given.states
    ]
    if given.mask is not None:
        wanted.append(("mask", given.mask, (directions, batch, hidden)))
    if given.zone is not None:
        wanted.append(("zone", given.zone, (directions, time, batch, len(given.states), hidden)))
    for name, tensor, shape in wanted:
        if tensor.shape != shape:
            raise RuntimeError(f"{name} should be {shape}, got {tuple(tensor.shape)}")
    dtype = given.x.dtype
    for tensor in (given.x, *[tensor for _, tensor, _ in wanted], *given.parameters):
        if not tensor.is_cpu:
            raise RuntimeError(f"the engine runs on the CPU, but a tensor is on {tensor.device}")
        if tensor.dtype is not dtype:
            raise RuntimeError(f"the input is {dtype}, but a state or parameter {tensor.dtype}")


class Problem:
    """The arguments of a pass as the engine takes them; holds their memory while it runs."""

    def __init__(self, given: Arguments) -> None:
        self.kernel = library.load().kernels[given.cell]
        _check(given)
        self.x = dense(given.x)
        self.states = [state.resolve_neg().contiguous() for state in given.states]
        self.order, self.lengths = _order(given.lengths, given.x)
        mask, zone = given.mask, given.zone
        self.mask = None if mask is None else in_order(mask.resolve_neg(), self.order)
        self.zone = None if zone is None else _dense_zone(zone.resolve_neg())
        self.directions, self.parameters = given.directions, given.by_direction
        self.sizes = sizes(given.cell, len(self.parameters[0]))
        self.time, self.batch, self.input = given.x.shape
        self.hidden = given.states[0].shape[2]
        self.learned = [self._learned(direction) for direction in self.parameters]

    def _learned(self, parameters: list[Tensor]) -> Tensor | None:
        vectors = parameters[self.sizes.weights :]
        return torch.stack(vectors) if vectors else None

    def call(self, output: Tensor, kept: Kept, save: bool) -> Call:
        """The call, without the fields that only one of the passes has."""
        call = Call()
        loaded = library.load()
        call.level, call.cell, call.save = loaded.level, self.kernel.index, save
        call.is_double = self.x.dtype == torch.float64
        call.threads = self._threads()
        call.time, call.batch, call.input = self.time, self.batch, self.input
        call.hidden, call.directions = self.hidden, self.directions
        call.x, call.x_time, call.x_batch = self.x.data_ptr(), *self.x.stride()[:2]
        call.output_time, call.output_batch = output.stride()[:2]
        if self.order is not None and self.lengths is not None:
            call.order, call.lengths = self.order.data_ptr(), self.lengths.data_ptr()
        if self.zone is not None:
            call.zone_time, call.zone_batch = self.zone.stride()[1:3]
        for d in range(self.directions):
            direction = call.direction[d]
            direction.reverse = d == 1
            direction.output = output.data_ptr() + d * self.hidden * output.element_size()
            for place, state in enumerate(self.states):
                direction.initial[place] = state[d].data_ptr()
            for field, tensor in kept._asdict().items():
                setattr(direction, field, tensor[d].data_ptr())
            if self.mask is not None:
                direction.mask = self.mask[d].data_ptr()
            if self.zone is not None:
                direction.zone = self.zone[d].data_ptr()
            learned = self.learned[d]
            direction.learned = None if learned is None else learned.data_ptr()
        return call

    def _threads(self) -> int:
        weights = sum(parameter.numel() for parameter in self.parameters[0])
        work = weights * self.time * self.batch * self.directions
        return torch.get_num_threads() if work > WORTH_THREADS else 1

    def run(self, call: Call, *, backward: bool) -> bool:
        """Run a pass with the weights as they are now; False where a gradient is not finite.

        Raises MemoryError.
        """
        functions = library.load().functions
        run = functions.gatewright_backward if backward else functions.gatewright_forward
        weights = [
            DirectionWeights(self.kernel, own, self.sizes, self.input, self.hidden)
            for own in self.parameters
        ]
        packed = [one.packed(backward=backward) for one in weights]
        _point(call, weights, packed, backward)
        status = run(byref(call))
        if status == CHANGED:
            # What is packed now is not verified again: another thread may write without end.
            packed = [one.packed(backward=backward, anew=True) for one in weights]
            _point(call, weights, packed, backward)
            status = run(byref(call))
        if status == OUT_OF_MEMORY:
            raise MemoryError("the engine found no memory for this call; use a smaller batch")
        return bool(status != NOT_FINITE)


def _point(
    call: Call, weights: list[DirectionWeights], packed: list[Packed], backward: bool
) -> None:
    """Have each direction use these weights, and verify those that may have changed since."""
    for d, (own, ready) in enumerate(zip(weights, packed, strict=True)):
        direction = call.direction[d]
        setattr(direction, "packed_back" if backward else "packed", ready.memory.data_ptr())
        direction.verify, direction.digest = not ready.known, ready.digest
        direction.weights = own.pointers


def empty_results(given: Arguments, save: bool) -> Results:
    """Memory for everything that a forward pass gives."""
    hidden = given.states[0].shape[2]
    return Results(
        like_input(given.x, given.directions * hidden),
        [given.x.new_empty(state.shape) for state in given.states],
        _empty_kept(given, save),
    )


def _empty_kept(given: Arguments, save: bool) -> Kept:
    """Memory for what a step leaves behind: for every step if saved, else for one.

    Sequences of different lengths leave the end untouched, which costs no memory until written.
    """
    kernel = library.load().kernels[given.cell]
    time, batch = given.x.shape[:2]
    hidden, staged = given.states[0].shape[2], kernel.stages > 1
    rows = time * batch if save else batch
    # Masked outputs of a step are read while those of the next are written: two steps.
    masks = 0 if given.mask is None else rows if save else 2 * batch

    def empty(*shape: int) -> Tensor:
        return given.x.new_empty(given.directions, *shape)

    return Kept(
        states=empty(rows, len(given.states) - 1, hidden),
        saved=empty(rows if save or staged else 0, kernel.saved, hidden),
        source=empty(rows if staged else 0, hidden),
        recurrent=empty(masks, hidden),
    )
