"""One step of a live stream after another, without autograd, in a few microseconds each.

What does not change from step to step is prepared once: the call's struct, scratch memory, packed
weights. A step then fills in four or five addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import addressof, c_int64, c_uint64, c_void_p

import torch
from torch import Tensor

from gatewright import engine
from gatewright.engine import Call
from gatewright.equations import Cell
from gatewright.packing import packed, sizes
from gatewright.problem import WORTH_THREADS


class Stepper:
    """The layers of a cell, stepping.

    held: the module's own table of parameters, to notice when one is replaced.
    names: of each layer's parameters, in the engine's order.
    """

    def __init__(
        self, cell: Cell, held: Mapping[str, Tensor | None], names: list[list[str]]
    ) -> None:
        self.cell, self.names = cell, names
        self.held = held
        self.kernel = engine.kernel(cell)
        self.library = engine.load().library
        self.flat = [name for layer in names for name in layer]
        self.batch = -1
        self.weights: list[Tensor] = []

    def step(self, x: Tensor, states: tuple[Tensor, ...]) -> list[Tensor] | None:
        """The next states, or None where only the general way will do.

        x: (batch, input_size) or (input_size,). states: (num_layers, batch, hidden_size) each, or
        (num_layers, hidden_size). Nothing is assumed of them: what does not fit gives None, and
        the general way says what is wrong.
        """
        batched = x.dim() == 2
        batch = x.shape[0] if batched else 1
        held = self.held
        weights = self.weights
        if (
            batch != self.batch
            or self.level != engine.load().level
            or any(held.get(n) is not w for n, w in zip(self.flat, weights, strict=True))
            or self._digest() != self.digest
        ) and not self._prepare(batch):
            return None
        shape = (len(self.names), batch, self.hidden) if batched else (len(self.names), self.hidden)
        if x.shape[-1] != self.input or not self._fits(x):
            return None
        for state in states:
            if state.shape != shape or not self._fits(state):
                return None
        made = [torch.empty(shape, dtype=self.dtype) for _ in states]
        given = [state.data_ptr() for state in states]
        wanted = [tensor.data_ptr() for tensor in made]
        source = x.data_ptr()
        for call, address, initial, final, direction in self.calls:
            call.x = source
            for place, pointer in enumerate(given):
                initial[place] = pointer
                final[place] = wanted[place]
            source = direction.output = wanted[0]
            self.library.gatewright_forward(address)
            given = [pointer + self.layer_bytes for pointer in given]
            wanted = [pointer + self.layer_bytes for pointer in wanted]
        return made

    def _fits(self, tensor: Tensor) -> bool:
        return (
            tensor.dtype is self.dtype
            and tensor.is_cpu
            and tensor.is_contiguous()
            and type(tensor) is Tensor
        )

    def _digest(self) -> tuple[object, ...]:
        """Changes when the weights do."""
        self.library.gatewright_samples(self.addresses, self.words, len(self.flat), self.sample)
        return (self.sample.value, [weight._version for weight in self.weights])

    def _prepare(self, batch: int) -> bool:
        """Everything that stays from step to step. False for weights of an unusual kind."""
        weights = [self.held.get(name) for name in self.flat]
        if any(w is None or not w.is_contiguous() or w.is_inference() for w in weights):
            return False
        self.weights = [weight for weight in weights if weight is not None]
        first = self.weights[0]
        self.dtype, self.batch, self.level = first.dtype, batch, engine.load().level
        self.hidden = first.shape[0] // len(self.cell.x_projections)
        self.input = first.shape[1]
        self.layer_bytes = batch * self.hidden * first.element_size()
        self.addresses = (c_void_p * len(self.flat))(*[w.data_ptr() for w in self.weights])
        counts = [w.numel() * w.element_size() // 4 for w in self.weights]
        self.words = (c_int64 * len(self.flat))(*counts)
        self.sample = c_uint64()
        self.digest = self._digest()
        scratch = _scratch(batch, len(self.cell.states) - 1, self.kernel, first, self.hidden)
        self.memory = [scratch]
        self.calls = []
        place = 0
        for names in self.names:
            own = self.weights[place : place + len(names)]
            place += len(names)
            self.calls.append(self._call(own, batch, scratch))
        return True

    def _call(self, weights: list[Tensor], batch: int, scratch: list[Tensor]) -> tuple[object, ...]:
        field_count = sizes(self.cell.name, len(weights))
        call, direction = Call(), None
        direction = call.direction[0]
        call.level, call.cell = self.level, self.kernel.index
        call.is_double = self.dtype == torch.float64
        work = batch * sum(weight.numel() for weight in weights)
        call.threads = torch.get_num_threads() if work > WORTH_THREADS else 1
        call.time, call.batch, call.directions = 1, batch, 1
        call.input, call.hidden = weights[0].shape[1], self.hidden
        call.x_time = call.x_batch = call.input
        call.output_time = call.output_batch = self.hidden
        ready = packed(self.kernel, weights, field_count, call.input, self.hidden, False)
        learned = weights[field_count.weights :]
        vectors = torch.stack(learned) if learned else ready
        direction.packed, direction.learned = ready.data_ptr(), vectors.data_ptr()
        self.memory.append([ready, vectors])
        for field, tensor in zip(("states", "saved", "source"), scratch, strict=True):
            setattr(direction, field, tensor.data_ptr())
        return call, addressof(call), direction.initial, direction.final, direction


def _scratch(
    batch: int, others: int, kernel: engine.Kernel, like: Tensor, hidden: int
) -> list[Tensor]:
    return [
        torch.empty(batch, others, hidden, dtype=like.dtype),
        torch.empty(batch, kernel.saved, hidden, dtype=like.dtype),
        torch.empty(batch, hidden, dtype=like.dtype),
    ]
