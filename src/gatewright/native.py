"""Running a cell in the compiled engine: memory, packed weights, torch's operator and autograd."""

from __future__ import annotations

from ctypes import byref

import torch
from torch import Tensor

from gatewright import engine, reference
from gatewright.engine import Call, Direction, EngineError, at_level
from gatewright.equations import Cell
from gatewright.packing import packed, sizes

__all__ = ["at_level", "fma_peak", "level", "run", "unavailable"]

_DTYPES = (torch.float32, torch.float64)


def unavailable(cell: Cell, dtype: torch.dtype) -> str | None:
    """Why the engine cannot run this cell, or None if it can."""
    if dtype not in _DTYPES:
        return f"{dtype} is not in the engine"
    try:
        engine.kernel(cell)
    except EngineError as error:
        return str(error)
    return None


def level() -> str:
    """The CPU level in use, such as ``avx512``. Raises EngineError without a library."""
    loaded = engine.load()
    return loaded.levels[loaded.level]


def fma_peak(threads: int) -> float:
    """What the processor can do at best in float32, in GFLOP/s, measured now."""
    import time

    loaded, best = engine.load(), 0.0
    for rounds in (1_000_000, 10_000_000, 10_000_000, 10_000_000):
        start = time.perf_counter()
        done = loaded.library.gatewright_multiply_adds(loaded.level, threads, rounds)
        best = max(best, done / (time.perf_counter() - start) / 1e9)
    return best


def run(
    cell: Cell,
    x: Tensor,
    states: list[Tensor],
    parameters: list[list[Tensor]],
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    zone: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """The same as :func:`gatewright.reference.run`, in the engine; float32 or float64 on a CPU.

    A cell that the engine does not have raises EngineError.
    """
    flat = [parameter for direction in parameters for parameter in direction]
    given = [x, *states, *flat]
    save = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    results = _forward(cell.name, x, states, flat, len(parameters), lengths, mask, zone, save)
    return results[0], list(results[1 : 1 + len(states)])


def _like_input(x: Tensor, features: int) -> Tensor:
    """An empty (T, B, features) that lies in memory as ``x`` does: time or batch outermost."""
    time, batch = x.shape[:2]
    if x.stride(1) > x.stride(0):
        return x.new_empty(batch, time, features).transpose(0, 1)
    return x.new_empty(time, batch, features)


def _dense(tensor: Tensor) -> Tensor:
    """Rows without gaps between their features, whatever the other strides."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()


def _order(lengths: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Rows by falling length, and the lengths in that order."""
    if lengths is None:
        return None, None
    falling, order = torch.sort(lengths.to(torch.int64), descending=True, stable=True)
    return order.contiguous(), falling.contiguous()


def _rows(tensor: Tensor, order: Tensor | None) -> Tensor:
    """(D, B, ...) with the batch in the engine's order."""
    return (tensor if order is None else tensor.index_select(1, order)).contiguous()


def _dense_zone(zone: Tensor) -> Tensor:
    """A zone whose (states, hidden) lie together; what is the same for all steps stays one."""
    if zone.stride(1) == 0 and zone.stride(2) == 0:
        return zone[:, :1, :1].contiguous().expand(zone.shape)
    return zone.contiguous()


class _Problem:
    """The tensors of a call as the engine takes them; holds them while it runs."""

    def __init__(
        self,
        name: str,
        x: Tensor,
        states: list[Tensor],
        parameters: list[Tensor],
        directions: int,
        lengths: Tensor | None,
        mask: Tensor | None,
        zone: Tensor | None,
    ) -> None:
        self.kernel = engine.load().kernels[name]
        self.x = _dense(x)
        self.states = [state.contiguous() for state in states]
        self.order, self.lengths = _order(lengths)
        self.mask = None if mask is None else _rows(mask, self.order)
        self.zone = None if zone is None else _dense_zone(zone)
        self.directions = directions
        each = len(parameters) // directions
        self.parameters = [parameters[d * each : (d + 1) * each] for d in range(directions)]
        self.sizes = sizes(name, each)
        self.time, self.batch, self.input = x.shape
        self.hidden = states[0].shape[2]
        self.learned = [self._learned(direction) for direction in self.parameters]

    def _learned(self, parameters: list[Tensor]) -> Tensor | None:
        vectors = parameters[self.sizes.weights :]
        return torch.stack(vectors) if vectors else None

    def call(self, output: Tensor, kept: list[Tensor], save: bool) -> Call:
        """The call, without the fields that only one of the passes has."""
        call = Call()
        loaded = engine.load()
        call.level, call.cell, call.save = loaded.level, self.kernel.index, save
        call.is_double = self.x.dtype == torch.float64
        call.threads = torch.get_num_threads()
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
            direction.reverse = d
            direction.output = output.data_ptr() + d * self.hidden * output.element_size()
            for place, state in enumerate(self.states):
                direction.initial[place] = state[d].data_ptr()
            for field, tensor in zip(_KEPT, kept, strict=True):
                setattr(direction, field, tensor[d].data_ptr())
            if self.mask is not None:
                direction.mask = self.mask[d].data_ptr()
            if self.zone is not None:
                direction.zone = self.zone[d].data_ptr()
            learned = self.learned[d]
            direction.learned = None if learned is None else learned.data_ptr()
        return call

    def packed(self, d: int, backward: bool) -> Tensor:
        return packed(
            self.kernel, self.parameters[d], self.sizes, self.input, self.hidden, backward
        )


# What the forward pass keeps for the backward pass, by the field of Direction.
_KEPT = ("states", "saved", "source", "recurrent")


def _kept_rows(time: int, batch: int, save: bool) -> int:
    # The rows before the first step and one for each step; without saving, one set, or two for
    # masked outputs, which are read while the next ones are written. Sequences of different
    # lengths leave the end untouched, which costs no memory until it is written.
    return (time + 1) * batch if save else 2 * batch


def _empty_kept(
    name: str, x: Tensor, states: list[Tensor], directions: int, masked: bool, save: bool
) -> list[Tensor]:
    kernel = engine.load().kernels[name]
    hidden, rows = states[0].shape[2], _kept_rows(x.shape[0], x.shape[1], save)
    staged = kernel.stages > 1
    return [
        x.new_empty(directions, rows, len(states) - 1, hidden),
        x.new_empty(directions, rows if save or staged else 0, kernel.saved, hidden),
        x.new_empty(directions, rows if staged else 0, hidden),
        x.new_empty(directions, rows if masked else 0, hidden),
    ]


def _results(
    name: str, x: Tensor, states: list[Tensor], directions: int, masked: bool, save: bool
) -> list[Tensor]:
    """Empty tensors for everything that the operator gives."""
    hidden = states[0].shape[2]
    return [
        _like_input(x, directions * hidden),
        *[x.new_empty(state.shape) for state in states],
        *_empty_kept(name, x, states, directions, masked, save),
    ]


def _check(status: int) -> None:
    if status != 0:
        raise MemoryError("the engine found no memory for this call; use a smaller batch")


@torch.library.custom_op("gatewright::forward", mutates_args=())
def _forward(
    cell: str,
    x: Tensor,
    states: list[Tensor],
    parameters: list[Tensor],
    directions: int,
    lengths: Tensor | None,
    mask: Tensor | None,
    zone: Tensor | None,
    save: bool,
) -> list[Tensor]:
    problem = _Problem(cell, x, states, parameters, directions, lengths, mask, zone)
    results = _results(cell, x, states, directions, mask is not None, save)
    output, finals, kept = results[0], results[1 : 1 + len(states)], results[1 + len(states) :]
    if lengths is not None:
        output.zero_()
    call = problem.call(output, kept, save)
    weights = [problem.packed(d, backward=False) for d in range(directions)]
    for d, tensor in enumerate(weights):
        call.direction[d].packed = tensor.data_ptr()
        for place, final in enumerate(finals):
            call.direction[d].final[place] = final[d].data_ptr()
    _check(engine.load().library.gatewright_forward(byref(call)))
    return results


@_forward.register_fake
def _(
    cell: str,
    x: Tensor,
    states: list[Tensor],
    parameters: list[Tensor],
    directions: int,
    lengths: Tensor | None,
    mask: Tensor | None,
    zone: Tensor | None,
    save: bool,
) -> list[Tensor]:
    return _results(cell, x, states, directions, mask is not None, save)


@torch.library.custom_op("gatewright::backward", mutates_args=())
def _backward(
    cell: str,
    x: Tensor,
    states: list[Tensor],
    parameters: list[Tensor],
    directions: int,
    lengths: Tensor | None,
    mask: Tensor | None,
    zone: Tensor | None,
    output: Tensor,
    kept: list[Tensor],
    grad_output: Tensor | None,
    grad_finals: Tensor,
    with_x: bool,
) -> list[Tensor]:
    """Gradients by x (empty if not asked for), the states and the parameters.

    grad_finals: (D, B, states, H).
    """
    problem = _Problem(cell, x, states, parameters, directions, lengths, mask, zone)
    call = problem.call(output, kept, save=True)
    grads = _grads(x, states, parameters, with_x, zeroed=True)
    # Each direction writes an input gradient of its own; they are added up at the end.
    grad_xs = [_like_input(x, x.shape[2]) if with_x else x.new_empty(0) for _ in range(directions)]
    if lengths is not None:
        grad_xs = [grad.zero_() for grad in grad_xs]
    incoming = _rows(grad_finals, problem.order).clone()
    gates = x.new_empty(directions, problem.time * problem.batch, problem.kernel.sums, problem.hidden)
    if grad_output is not None:
        grad_output = _dense(grad_output)
        call.grad_output_time, call.grad_output_batch = grad_output.stride()[:2]
    weights = [problem.packed(d, backward=True) for d in range(directions)]
    grad_parameters = grads[1 + len(states) :]
    each = len(parameters) // directions
    learned = []
    for d in range(directions):
        direction = call.direction[d]
        direction.packed_back = weights[d].data_ptr()
        direction.incoming, direction.gates = incoming[d].data_ptr(), gates[d].data_ptr()
        if grad_output is not None:
            offset = d * problem.hidden * grad_output.element_size()
            direction.grad_output = grad_output.data_ptr() + offset
        if with_x:
            direction.grad_x = grad_xs[d].data_ptr()
            call.grad_x_time, call.grad_x_batch = grad_xs[d].stride()[:2]
        learned.append(_point_grads(direction, grad_parameters[d * each : (d + 1) * each], problem))
    _check(engine.load().library.gatewright_backward(byref(call)))
    if with_x:
        grads[0].copy_(grad_xs[0] if directions == 1 else grad_xs[0] + grad_xs[1])
    initial = incoming
    if problem.order is not None:
        initial = torch.empty_like(incoming).index_copy_(1, problem.order, incoming)
    for place in range(len(states)):
        grads[1 + place].copy_(initial[:, :, place])
    for d, vectors in enumerate(learned):
        for place, vector in enumerate(vectors):
            grad_parameters[d * each + problem.sizes.weights + place].copy_(vector)
    return grads


def _point_grads(direction: Direction, grads: list[Tensor], problem: _Problem) -> Tensor:
    """Have the engine add into these gradients; gives those of the learned vectors, (V, H)."""
    for field, grad in zip(problem.sizes.fields, grads, strict=False):
        setattr(direction, "grad_" + field, grad.data_ptr())
    vectors = len(grads) - problem.sizes.weights
    learned = problem.x.new_zeros(vectors, problem.hidden)
    direction.grad_learned = learned.data_ptr()
    return learned


def _grads(
    x: Tensor, states: list[Tensor], parameters: list[Tensor], with_x: bool, zeroed: bool
) -> list[Tensor]:
    made = [_like_input(x, x.shape[2]) if with_x else x.new_empty(0)]
    made += [state.new_empty(state.shape) for state in states]
    for parameter in parameters:
        grad = parameter.new_empty(parameter.shape)
        made.append(grad.zero_() if zeroed else grad)
    return made


@_backward.register_fake
def _(
    cell: str,
    x: Tensor,
    states: list[Tensor],
    parameters: list[Tensor],
    directions: int,
    lengths: Tensor | None,
    mask: Tensor | None,
    zone: Tensor | None,
    output: Tensor,
    kept: list[Tensor],
    grad_output: Tensor | None,
    grad_finals: Tensor,
    with_x: bool,
) -> list[Tensor]:
    return _grads(x, states, parameters, with_x, zeroed=False)


# Autograd -----------------------------------------------------------------------------------


def _setup(ctx, inputs, output):  # type: ignore[no-untyped-def]
    cell, x, states, parameters, directions, lengths, mask, zone, _ = inputs
    ctx.set_materialize_grads(False)
    ctx.cell, ctx.directions, ctx.count = cell, directions, (len(states), len(parameters))
    kept = output[1 + len(states) :]
    ctx.save_for_backward(x, *states, *parameters, lengths, mask, zone, output[0], *kept)


def _gradient(ctx, grads):  # type: ignore[no-untyped-def]
    held = list(ctx.saved_tensors)
    of_states, of_parameters = ctx.count
    x, states = held[0], held[1 : 1 + of_states]
    parameters = held[1 + of_states : 1 + of_states + of_parameters]
    lengths, mask, zone, output, *kept = held[1 + of_states + of_parameters :]
    grad_output, grad_finals = grads[0], grads[1 : 1 + of_states]
    given = (ctx.cell, x, states, parameters, ctx.directions, lengths, mask, zone)
    if torch.is_grad_enabled():
        # A derivative of the derivative is asked for: through the reference.
        return _reference_gradient(given, grad_output, grad_finals)
    parts = [
        torch.zeros_like(state) if grad is None else grad
        for grad, state in zip(grad_finals, states, strict=True)
    ]
    made = _backward(
        *given, output, kept, grad_output, torch.stack(parts, 2), ctx.needs_input_grad[1]
    )
    return (
        None,
        made[0] if ctx.needs_input_grad[1] else None,
        made[1 : 1 + of_states],
        made[1 + of_states :],
        *[None] * 5,
    )


def _reference_gradient(given, grad_output, grad_finals):  # type: ignore[no-untyped-def]
    from gatewright import cells

    name, x, states, parameters, directions, lengths, mask, zone = given
    each = len(parameters) // directions
    inputs = [x, *states, *parameters]
    with torch.enable_grad():
        # Fresh views, so that this graph's gradients are those of this operator alone.
        leaves = [tensor.view_as(tensor) for tensor in inputs]
        fresh = leaves[1 + len(states) :]
        output, finals = reference.run(
            cells.get(name),
            leaves[0],
            leaves[1 : 1 + len(states)],
            [fresh[d * each : (d + 1) * each] for d in range(directions)],
            lengths=lengths,
            mask=mask,
            zone=zone,
        )
        pairs = [
            (value, grad)
            for value, grad in zip([output, *finals], [grad_output, *grad_finals], strict=True)
            if grad is not None and value.requires_grad
        ]
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        found = iter(
            torch.autograd.grad(
                [value for value, _ in pairs],
                wanted,
                [grad for _, grad in pairs],
                create_graph=True,
                allow_unused=True,
            )
        )
        made = [next(found) if leaf.requires_grad else None for leaf in leaves]
    return (None, made[0], made[1 : 1 + len(states)], made[1 + len(states) :], *[None] * 5)


_forward.register_autograd(_gradient, setup_context=_setup)
