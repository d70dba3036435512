"""The engine as torch operators: their meta versions for torch.compile, and their derivatives.

In ordinary code the passes are called through an autograd function, which costs a few
microseconds; compiled and exported programs see the registered operator ``gatewright::forward``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gatewright import cells
from gatewright.backends import reference
from gatewright.backends.native.arguments import (
    Arguments,
    Form,
    Gradients,
    Kept,
    Results,
    empty_gradients,
    stack_finals,
)
from gatewright.backends.native.problem import Problem, dense, empty_results, in_order
from gatewright.backends.native.structs import Direction


def forward_pass(given: Arguments, save: bool) -> Results:
    """Run over the sequences. save: keep what the backward pass reads."""
    problem, made = Problem(given), empty_results(given, save)
    if given.lengths is not None:
        made.output.zero_()
    call = problem.call(made.output, made.kept, save)
    for d in range(given.directions):
        for place, final in enumerate(made.finals):
            call.direction[d].final[place] = final[d].data_ptr()
    problem.run(call, backward=False)
    return made


def backward_pass(
    given: Arguments,
    output: Tensor,
    kept: Kept,
    grad_output: Tensor | None,
    grad_finals: Tensor,
    with_x: bool,
) -> Gradients:
    """The gradients of a run. grad_finals: (D, B, states, H). with_x: whether x's is asked for."""
    problem = Problem(given)
    call = problem.call(output, kept, save=True)
    grads = empty_gradients(given, with_x)
    # Each direction writes an input gradient of its own; they are added up at the end.
    grad_xs = [grads.x, *[torch.empty_like(grads.x) for _ in range(given.directions - 1)]]
    if given.lengths is not None:
        grad_xs = [grad.zero_() for grad in grad_xs]
    incoming = in_order(grad_finals, problem.order).clone()
    if grad_output is not None:
        grad_output = dense(grad_output)
        call.grad_output_time, call.grad_output_batch = grad_output.stride()[:2]
    if with_x:
        call.grad_x_time, call.grad_x_batch = grad_xs[0].stride()[:2]
    by_direction = given._replace(parameters=grads.parameters).by_direction
    learned = []
    for d, own in enumerate(by_direction):
        direction = call.direction[d]
        direction.incoming = incoming[d].data_ptr()
        if grad_output is not None:
            offset = d * problem.hidden * grad_output.element_size()
            direction.grad_output = grad_output.data_ptr() + offset
        direction.grad_x = grad_xs[d].data_ptr() if with_x else None
        learned.append(_point_grads(direction, own, problem))
    finite = problem.run(call, backward=True)
    if not finite and given.x.dtype == torch.float32:
        return _gradients_in_double(given, grad_output, grad_finals, with_x)
    if with_x and given.directions > 1:
        grads.x.add_(grad_xs[1])
    if problem.order is not None:
        incoming = torch.empty_like(incoming).index_copy_(1, problem.order, incoming)
    for place, grad in enumerate(grads.states):
        grad.copy_(incoming[:, :, place])
    for own, vectors in zip(by_direction, learned, strict=True):
        for grad, vector in zip(own[problem.sizes.weights :], vectors, strict=True):
            grad.copy_(vector)
    return grads


def _gradients_in_double(
    given: Arguments, grad_output: Tensor | None, grad_finals: Tensor, with_x: bool
) -> Gradients:
    """The gradients by way of float64.

    A sum may leave the range of float32 on its way and come back to it. Whether it does depends on
    the order of its terms, which differs between the engine and the reference.
    """
    wide = given.in_double()
    made = forward_pass(wide, True)
    grad_output = None if grad_output is None else grad_output.double()
    grads = backward_pass(wide, made.output, made.kept, grad_output, grad_finals.double(), with_x)
    return Gradients(
        grads.x.float(),
        [grad.float() for grad in grads.states],
        [grad.float() for grad in grads.parameters],
    )


def _point_grads(direction: Direction, grads: list[Tensor], problem: Problem) -> Tensor:
    """Have the engine add into these gradients; gives those of the learned vectors, (V, H)."""
    for grad in grads:
        grad.zero_()
    for field, grad in zip(problem.sizes.fields, grads, strict=False):
        setattr(direction, "grad_" + field, grad.data_ptr())
    vectors = len(grads) - problem.sizes.weights
    learned = problem.x.new_zeros(vectors, problem.hidden)
    direction.grad_learned = learned.data_ptr()
    return learned


# As backward_pass, which it is or wraps.
Backward = Callable[[Arguments, Tensor, Kept, Tensor | None, Tensor, bool], Gradients]


def gradients(
    given: Arguments,
    output: Tensor,
    kept: Kept,
    grad_output: Tensor | None,
    grad_finals: Sequence[Tensor | None],
    with_x: bool,
    through: Backward,
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor | None]]:
    """Derivatives by x, the states and the parameters, from those of output and final states."""
    if torch.is_grad_enabled():
        # A derivative of the derivative is asked for: through the reference.
        return _reference_gradients(given, grad_output, grad_finals)
    made = through(given, output, kept, grad_output, stack_finals(given, grad_finals), with_x)
    return made.x if with_x else None, [*made.states], [*made.parameters]


def _reference_gradients(
    given: Arguments, grad_output: Tensor | None, grad_finals: Sequence[Tensor | None]
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor | None]]:
    # Views, so that this graph's gradients are those of this operator alone.
    x = given.x.view_as(given.x)
    states = [state.view_as(state) for state in given.states]
    parameters = [parameter.view_as(parameter) for parameter in given.parameters]
    output, finals = reference.run(
        cells.get(given.cell),
        x,
        states,
        given._replace(parameters=parameters).by_direction,
        lengths=given.lengths,
        mask=given.mask,
        zone=given.zone,
    )
    pairs = [
        (value, grad)
        for value, grad in zip([output, *finals], [grad_output, *grad_finals], strict=True)
        if grad is not None and value.requires_grad
    ]
    wanted = [leaf for leaf in (x, *states, *parameters) if leaf.requires_grad]
    found = torch.autograd.grad(
        [value for value, _ in pairs],
        wanted,
        [grad for _, grad in pairs],
        create_graph=True,
        allow_unused=True,
    )
    by_leaf = dict(zip(map(id, wanted), found, strict=True))
    return (
        by_leaf.get(id(x)),
        [by_leaf.get(id(state)) for state in states],
        [by_leaf.get(id(parameter)) for parameter in parameters],
    )


class OverTime(torch.autograd.Function):
    """The passes as an autograd function, for ordinary code."""

    @staticmethod
    def forward(ctx: Any, form: Form, *tensors: Any) -> Any:
        """tensors: those of the :class:`Arguments`, in their order."""
        made = forward_pass(form.gather(tensors)[0], True)
        ctx.set_materialize_grads(False)
        ctx.form = form
        ctx.save_for_backward(*tensors, made.output, *made.kept)
        return (made.output, *made.finals)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        given, (output, *kept) = ctx.form.gather(ctx.saved_tensors)
        with_x = ctx.needs_input_grad[1]
        x, states, parameters = gradients(
            given, output, Kept(*kept), grads[0], grads[1:], with_x, backward_pass
        )
        return (None, x, *states, *parameters, None, None, None)


# The registered operators ----------------------------------------------------------------------
#
# torch reads their schemas off the annotations, and knows flat arguments and lists of tensors only.


@torch.library.custom_op("gatewright::forward", mutates_args=())
def forward_operator(
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
    given = Arguments(cell, x, states, parameters, directions, lengths, mask, zone)
    return forward_pass(given, save).tensors


@torch.library.custom_op("gatewright::backward", mutates_args=())
def backward_operator(
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
    given = Arguments(cell, x, states, parameters, directions, lengths, mask, zone)
    return backward_pass(given, output, Kept(*kept), grad_output, grad_finals, with_x).tensors


def _backward_registered(
    given: Arguments,
    output: Tensor,
    kept: Kept,
    grad_output: Tensor | None,
    grad_finals: Tensor,
    with_x: bool,
) -> Gradients:
    made = backward_operator(*given, output, [*kept], grad_output, grad_finals, with_x)
    end = 1 + len(given.states)
    return Gradients(made[0], made[1:end], made[end:])


@forward_operator.register_fake
def _(*flat: Any) -> list[Tensor]:
    *given, save = flat
    return empty_results(Arguments(*given), save).tensors


@backward_operator.register_fake
def _(*flat: Any) -> list[Tensor]:
    given, with_x = Arguments(*flat[: len(Arguments._fields)]), flat[-1]
    return empty_gradients(given, with_x).tensors


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *flat, save = inputs
    given = Arguments(*flat)
    ctx.set_materialize_grads(False)
    ctx.form, ctx.save = given.form, save
    kept = output[1 + len(given.states) :]
    ctx.save_for_backward(*given.tensors, output[0], *kept)


def _derive(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    given, (output, *kept) = ctx.form.gather(ctx.saved_tensors)
    end = 1 + len(given.states)
    if not ctx.save:
        # A program exported without gradients, and run with them: once more, keeping everything.
        output, *rest = forward_operator(*given, True)
        kept = rest[len(given.states) :]
    x, states, parameters = gradients(
        given,
        output,
        Kept(*kept),
        grads[0],
        grads[1:end],
        ctx.needs_input_grad[1],
        _backward_registered,
    )
    return (None, x, states, parameters, None, None, None, None, None)


forward_operator.register_autograd(_derive, setup_context=_keep)
