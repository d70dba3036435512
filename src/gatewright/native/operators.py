"""The engine as torch operators: their meta versions for torch.compile, and their derivatives.

In ordinary code the passes are called through an autograd function, which costs a few
microseconds; compiled and exported programs see the registered operator ``gatewright::forward``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatewright import cells, reference
from gatewright.native.library import Direction
from gatewright.native.problem import Problem, dense, in_order, like_input, results


def forward_pass(
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
    """The output, the final states, and the four tensors of :data:`KEPT`.

    parameters: those of all directions, one after the other.
    """
    problem = Problem(cell, x, states, parameters, directions, lengths, mask, zone)
    made = results(cell, x, states, directions, mask is not None, save)
    output, finals, kept = made[0], made[1 : 1 + len(states)], made[1 + len(states) :]
    if lengths is not None:
        output.zero_()
    call = problem.call(output, kept, save)
    for d in range(directions):
        for place, final in enumerate(finals):
            call.direction[d].final[place] = final[d].data_ptr()
    problem.run(call, backward=False)
    return made


def backward_pass(
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
    problem = Problem(cell, x, states, parameters, directions, lengths, mask, zone)
    call = problem.call(output, kept, save=True)
    grads = _empty_gradients(x, states, parameters, with_x)
    grad_parameters = [grad.zero_() for grad in grads[1 + len(states) :]]
    # Each direction writes an input gradient of its own; they are added up at the end.
    grad_xs = [grads[0], *[torch.empty_like(grads[0]) for _ in range(directions - 1)]]
    if lengths is not None:
        grad_xs = [grad.zero_() for grad in grad_xs]
    incoming = in_order(grad_finals, problem.order).clone()
    if grad_output is not None:
        grad_output = dense(grad_output)
        call.grad_output_time, call.grad_output_batch = grad_output.stride()[:2]
    if with_x:
        call.grad_x_time, call.grad_x_batch = grad_xs[0].stride()[:2]
    each = len(parameters) // directions
    learned = []
    for d in range(directions):
        direction = call.direction[d]
        direction.incoming = incoming[d].data_ptr()
        if grad_output is not None:
            offset = d * problem.hidden * grad_output.element_size()
            direction.grad_output = grad_output.data_ptr() + offset
        direction.grad_x = grad_xs[d].data_ptr() if with_x else None
        learned.append(_point_grads(direction, grad_parameters[d * each : (d + 1) * each], problem))
    finite = problem.run(call, backward=True)
    if not finite and x.dtype == torch.float32:
        given = (cell, x, states, parameters, directions, lengths, mask, zone)
        return _wide_gradients(given, grad_output, grad_finals, with_x)
    if with_x and directions > 1:
        grads[0].add_(grad_xs[1])
    if problem.order is not None:
        incoming = torch.empty_like(incoming).index_copy_(1, problem.order, incoming)
    for place in range(len(states)):
        grads[1 + place].copy_(incoming[:, :, place])
    for d, vectors in enumerate(learned):
        for place, vector in enumerate(vectors):
            grad_parameters[d * each + problem.sizes.weights + place].copy_(vector)
    return grads


def _wide_gradients(
    given: tuple[Any, ...], grad_output: Tensor | None, grad_finals: Tensor, with_x: bool
) -> list[Tensor]:
    """The gradients by way of float64.

    A sum may leave the range of float32 on its way and come back to it. Whether it does depends on
    the order of its terms, which differs between the engine and the reference.
    """

    def wide(value: Any) -> Any:
        if isinstance(value, list):
            return [wide(one) for one in value]
        return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value

    cell, x, states, parameters, directions, lengths, mask, zone = wide(list(given))
    same = (cell, x, states, parameters, directions, lengths, mask, zone)
    output, *rest = forward_pass(*same, True)
    kept, grads = rest[len(states) :], (wide(grad_output), wide(grad_finals))
    return [grad.float() for grad in backward_pass(*same, output, kept, *grads, with_x)]


def _point_grads(direction: Direction, grads: list[Tensor], problem: Problem) -> Tensor:
    """Have the engine add into these gradients; gives those of the learned vectors, (V, H)."""
    for field, grad in zip(problem.sizes.fields, grads, strict=False):
        setattr(direction, "grad_" + field, grad.data_ptr())
    vectors = len(grads) - problem.sizes.weights
    learned = problem.x.new_zeros(vectors, problem.hidden)
    direction.grad_learned = learned.data_ptr()
    return learned


def _empty_gradients(
    x: Tensor, states: list[Tensor], parameters: list[Tensor], with_x: bool
) -> list[Tensor]:
    made = [like_input(x, x.shape[2]) if with_x else x.new_empty(0)]
    return made + [tensor.new_empty(tensor.shape) for tensor in (*states, *parameters)]


def gradients(
    given: tuple[Any, ...],
    output: Tensor,
    kept: list[Tensor],
    grad_output: Tensor | None,
    grad_finals: Sequence[Tensor | None],
    with_x: bool,
    through: Any,
) -> list[Tensor | None]:
    """Derivatives by x, the states and the parameters, from those of output and final states.

    given: the arguments of :func:`forward_pass` but ``save``. through: :func:`backward_pass` or
    the operator that wraps it.
    """
    states = given[2]
    if torch.is_grad_enabled():
        # A derivative of the derivative is asked for: through the reference.
        return _reference_gradients(given, grad_output, grad_finals)
    parts = [
        torch.zeros_like(state) if grad is None else grad
        for grad, state in zip(grad_finals, states, strict=True)
    ]
    made = through(*given, output, kept, grad_output, torch.stack(parts, 2), with_x)
    return [made[0] if with_x else None, *made[1:]]


def _reference_gradients(
    given: tuple[Any, ...], grad_output: Tensor | None, grad_finals: Sequence[Tensor | None]
) -> list[Tensor | None]:
    name, x, states, parameters, directions, lengths, mask, zone = given
    each = len(parameters) // directions
    # Views, so that this graph's gradients are those of this operator alone.
    leaves = [tensor.view_as(tensor) for tensor in (x, *states, *parameters)]
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
    found = torch.autograd.grad(
        [value for value, _ in pairs],
        wanted,
        [grad for _, grad in pairs],
        create_graph=True,
        allow_unused=True,
    )
    by_leaf = dict(zip(map(id, wanted), found, strict=True))
    return [by_leaf.get(id(leaf)) for leaf in leaves]


class OverTime(torch.autograd.Function):
    """The passes as an autograd function, for ordinary code."""

    @staticmethod
    def forward(ctx: Any, cell: str, counts: tuple[int, int, int], *tensors: Any) -> Any:
        """counts: of states, parameters and directions. tensors: x, them, lengths, mask, zone."""
        of_states, _, directions = counts
        x, states = tensors[0], list(tensors[1 : 1 + of_states])
        parameters = list(tensors[1 + of_states : -3])
        lengths, mask, zone = tensors[-3:]
        made = forward_pass(cell, x, states, parameters, directions, lengths, mask, zone, True)
        ctx.set_materialize_grads(False)
        ctx.cell, ctx.counts = cell, counts
        ctx.save_for_backward(*tensors, made[0], *made[1 + of_states :])
        return tuple(made[: 1 + of_states])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        x, states, parameters, rest = _apart(ctx.saved_tensors, ctx.counts)
        lengths, mask, zone, output, *kept = rest
        given = (ctx.cell, x, states, parameters, ctx.counts[2], lengths, mask, zone)
        needed = ctx.needs_input_grad[2]
        made = gradients(given, output, kept, grads[0], grads[1:], needed, backward_pass)
        return (None, None, *made, None, None, None)


def _apart(
    held: Sequence[Any], counts: tuple[int, int, int]
) -> tuple[Tensor, list[Tensor], list[Tensor], list[Any]]:
    """x, the states, the parameters, and what follows them."""
    end_of_states = 1 + counts[0]
    end = end_of_states + counts[1]
    return held[0], list(held[1:end_of_states]), list(held[end_of_states:end]), list(held[end:])


# The registered operators ----------------------------------------------------------------------

forward_operator = torch.library.custom_op("gatewright::forward", forward_pass, mutates_args=())
backward_operator = torch.library.custom_op("gatewright::backward", backward_pass, mutates_args=())


@forward_operator.register_fake
def _(*given: Any) -> list[Tensor]:
    cell, x, states, _, directions, _, mask, _, save = given
    return results(cell, x, states, directions, mask is not None, save)


@backward_operator.register_fake
def _(*given: Any) -> list[Tensor]:
    x, states, parameters, with_x = *given[1:4], given[-1]
    return _empty_gradients(x, states, parameters, with_x)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    cell, x, states, parameters, directions, lengths, mask, zone, save = inputs
    ctx.set_materialize_grads(False)
    ctx.cell, ctx.counts, ctx.save = cell, (len(states), len(parameters), directions), save
    kept = output[1 + len(states) :]
    ctx.save_for_backward(x, *states, *parameters, lengths, mask, zone, output[0], *kept)


def _derive(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    x, states, parameters, rest = _apart(ctx.saved_tensors, ctx.counts)
    lengths, mask, zone, output, *kept = rest
    given = (ctx.cell, x, states, parameters, ctx.counts[2], lengths, mask, zone)
    if not ctx.save:
        # A program exported without gradients, and run with them: once more, keeping everything.
        output, *rest = forward_operator(*given, True)
        kept = rest[len(states) :]
    finals = grads[1 : 1 + len(states)]
    needed = ctx.needs_input_grad[1]
    made = gradients(given, output, kept, grads[0], finals, needed, backward_operator)
    end = 1 + len(states)
    return (None, made[0], made[1:end], made[end:], None, None, None, None, None)


forward_operator.register_autograd(_derive, setup_context=_keep)
