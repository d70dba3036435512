"""One step of a live stream after another, without autograd, in a few microseconds each.

What does not change from step to step is prepared once: the calls, scratch memory, packed weights.
A step then fills in a handful of addresses. To read every weight at each step would cost as much as
the step itself. A step that goes on with the very state that the last one returned looks at
addresses and version counters only; with any other state a stream begins, and every weight is
verified.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from ctypes import POINTER, addressof, c_void_p, cast, pointer

import torch
from torch import Tensor

from gatewright.backends.native import library
from gatewright.backends.native.library import CHANGED
from gatewright.backends.native.packing import DirectionWeights, sizes
from gatewright.backends.native.problem import DTYPES, WORTH_THREADS
from gatewright.backends.native.structs import Call, Stream
from gatewright.equations import Cell


class Stepper:
    """The layers of a cell, stepping.

    held: the module's own table of parameters, to notice when one is replaced.
    names: of each layer's parameters, in the engine's order.
    """

    def __init__(
        self,
        cell: Cell,
        held: Mapping[str, Tensor | None],
        names: list[list[str]],
        input_size: int,
        hidden_size: int,
    ) -> None:
        self.cell, self.held, self.names = cell, held, names
        self.input, self.hidden = input_size, hidden_size
        self.kernel = library.kernel(cell)
        self.loaded = library.load()
        self.run = self.loaded.functions.gatewright_step
        self.count = len(cell.states)
        self.lock = threading.Lock()
        self.batch = self.level = -1
        self.going: dict[int, weakref.ref[Tensor]] = {}  # what steps returned last, by identity
        self.known: list[tuple[str, Tensor, int, int]] = []  # with version and address

    def step(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]] | None:
        """The output and the next states, or None where only the general way will do.

        That is so for a second thread while one is stepping: what is prepared serves one at a time.
        """
        if not self.lock.acquire(False):
            return None
        try:
            return self._step(x, states)
        finally:
            self.lock.release()

    def _step(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]] | None:
        size = x.shape
        batch = size[0] if len(size) == 2 else 1
        if len(states) != self.count:
            return None
        begins = self._begins(states[0])
        if begins and self.cell.vectors:  # which are copied when a step is prepared, in no digest
            self.forget()
        if (batch != self.batch or not self._current()) and not self._prepare(batch):
            return None
        shape, dtype = self.shapes.get(len(size)), self.dtype
        if shape is None or size[-1] != self.input:
            return None
        for given in (x, *states):
            if type(given) is not Tensor or given.dtype is not dtype:
                return None
            if not (given.is_cpu and given.is_contiguous()) or given.is_neg():
                return None
        initial, final, made = self.initial, self.final, []
        for place, state in enumerate(states):
            if state.shape != shape:
                return None
            fresh = torch.empty_like(state)
            initial[place], final[place] = state.data_ptr(), fresh.data_ptr()
            made.append(fresh)
        output = torch.empty_like(self.outputs[len(size)])
        self.stream.x, self.stream.output = x.data_ptr(), output.data_ptr()
        status = self._run(begins=begins)
        if status == CHANGED:
            return self._step(x, states) if self._prepare(batch) else None
        if status:
            raise MemoryError("the engine found no memory for a step; use a smaller batch")
        self._goes_on(made[0])
        return output, made

    def _run(self, *, begins: bool) -> int:
        for call in self.calls if begins else ():
            call.direction[0].verify = True
        status: int = self.run(self.address)
        for call in self.calls if begins else ():
            call.direction[0].verify = False
        return status

    def _begins(self, state: Tensor) -> bool:
        """Whether a step did not return this state, so that a stream begins with it."""
        known = self.going.get(id(state))
        return known is None or known() is not state

    def _goes_on(self, state: Tensor) -> None:
        key, going = id(state), self.going
        going[key] = weakref.ref(state, lambda _: going.pop(key, None))

    def forget(self) -> None:
        """Prepare anew at the next step."""
        self.batch = -1

    def _current(self) -> bool:
        """If nothing that can be seen from outside the weights' values has changed."""
        held = self.held
        for name, weight, version, address in self.known:
            if held.get(name) is not weight or weight._version != version:
                return False
            if weight.data_ptr() != address:
                return False
        return self.level == self.loaded.level and self.threads == torch.get_num_threads()

    def _prepare(self, batch: int) -> bool:
        """Everything that stays from step to step. False for weights of an unusual kind."""
        layers = [[self.held.get(name) for name in names] for names in self.names]
        flat = [weight for weights in layers for weight in weights if weight is not None]
        if len(flat) != sum(map(len, self.names)) or not all(map(_ordinary, flat)):
            return False
        first = flat[0]
        if first.dtype not in DTYPES or any(w.dtype is not first.dtype for w in flat):
            return False
        names = [name for layer in self.names for name in layer]
        self.known = [
            (name, weight, weight._version, weight.data_ptr())
            for name, weight in zip(names, flat, strict=True)
        ]
        self.dtype, self.batch, self.level = first.dtype, batch, self.loaded.level
        self.threads = torch.get_num_threads()
        hidden = self.hidden
        count = len(self.names)
        self.shapes = {2: (count, batch, hidden)} | ({1: (count, hidden)} if batch == 1 else {})
        self.outputs = {
            dimensions: first.new_empty(shape[1:]).detach()
            for dimensions, shape in self.shapes.items()
        }
        scratch = [
            first.new_empty(batch, width, hidden)
            for width in (len(self.cell.states) - 1, self.kernel.saved, 1)
        ]
        self.memory: list[object] = [scratch]
        self.calls = [self._call(weights, batch, hidden, scratch) for weights in layers]
        self._stream(batch * hidden * first.element_size())
        return True

    def _stream(self, layer_bytes: int) -> None:
        calls = self.calls
        table = (POINTER(Call) * len(calls))(*[pointer(call) for call in calls])
        self.memory.append(table)
        self.stream = Stream(
            calls=cast(table, c_void_p),
            layers=len(calls),
            states=len(self.cell.states),
            layer_bytes=layer_bytes,
        )
        self.address = addressof(self.stream)
        self.initial, self.final = self.stream.initial, self.stream.final

    def _call(
        self, given: list[Tensor | None], batch: int, hidden: int, scratch: list[Tensor]
    ) -> Call:
        weights = [weight for weight in given if weight is not None]
        call = Call()
        direction = call.direction[0]
        call.level, call.cell = self.level, self.kernel.index
        call.is_double = self.dtype == torch.float64
        work = batch * sum(weight.numel() for weight in weights)
        call.threads = self.threads if work > WORTH_THREADS else 1
        call.time, call.batch, call.directions = 1, batch, 1
        first_layer = weights[0] is self.known[0][1]
        call.input, call.hidden = self.input if first_layer else hidden, hidden
        call.x_time = call.x_batch = call.input
        call.output_time = call.output_batch = hidden
        own = sizes(self.cell.name, len(weights))
        read = DirectionWeights(self.kernel, weights, own, call.input, hidden)
        ready = read.packed(backward=False, anew=True)
        direction.weights, direction.digest = read.pointers, ready.digest
        learned = [weight.detach() for weight in weights[own.weights :]]
        vectors = torch.stack(learned) if learned else ready.memory
        direction.packed, direction.learned = ready.memory.data_ptr(), vectors.data_ptr()
        self.memory += [read, ready, vectors]
        for field, tensor in zip(("states", "saved", "source"), scratch, strict=True):
            setattr(direction, field, tensor.data_ptr())
        return call


def _ordinary(weight: Tensor) -> bool:
    plain = weight.is_cpu and weight.is_contiguous() and not weight.is_neg()
    return plain and not weight.is_inference()
