"""What goes into a pass of the engine and what comes out of it, by name.

torch takes operators with flat lists of tensors only; these are taken apart and put together again
where an operator is registered, in ``operators.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Arguments(NamedTuple):
    """A cell and what it runs on. T: time, B: batch, I: input_size, D: directions, H: hidden_size.

    x: (T, B, I). states: (D, B, H) each. parameters: those of all directions, one after the other.
    lengths: (B,). mask: (D, B, H). zone: (D, T, B, states, H). As ``reference.run`` explains them.
    """

    cell: str
    x: Tensor
    states: list[Tensor]
    parameters: list[Tensor]
    directions: int
    lengths: Tensor | None
    mask: Tensor | None
    zone: Tensor | None

    @property
    def by_direction(self) -> list[list[Tensor]]:
        """The parameters of each direction."""
        each = len(self.parameters) // self.directions
        return [self.parameters[d * each : (d + 1) * each] for d in range(self.directions)]

    @property
    def form(self) -> Form:
        return Form(self.cell, len(self.states), len(self.parameters), self.directions)

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        return (self.x, *self.states, *self.parameters, self.lengths, self.mask, self.zone)

    def in_double(self) -> Arguments:
        """The same in float64."""
        tensors = [None if one is None else _in_double(one) for one in self.tensors]
        return self.form.gather(tensors)[0]


def _in_double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


class Form(NamedTuple):
    """What tells the tensors of :class:`Arguments` apart; the counts are those of its lists."""

    cell: str
    states: int
    parameters: int
    directions: int

    def gather(self, tensors: Sequence[Any]) -> tuple[Arguments, list[Any]]:
        """The arguments whose tensors these begin with, and the tensors that follow."""
        end_of_states = 1 + self.states
        end = end_of_states + self.parameters
        lengths, mask, zone, *rest = tensors[end:]
        states, parameters = list(tensors[1:end_of_states]), list(tensors[end_of_states:end])
        given = Arguments(
            self.cell, tensors[0], states, parameters, self.directions, lengths, mask, zone
        )
        return given, rest


class Kept(NamedTuple):
    """What the forward pass keeps for the backward pass, by the fields of ``Direction``."""

    states: Tensor
    saved: Tensor
    source: Tensor
    recurrent: Tensor


class Results(NamedTuple):
    """output: (T, B, D * H), which lies in memory as x does. finals: the final states."""

    output: Tensor
    finals: list[Tensor]
    kept: Kept

    @property
    def tensors(self) -> list[Tensor]:
        return [self.output, *self.finals, *self.kept]


class Gradients(NamedTuple):
    """Derivatives by ``x`` (empty where not asked for), the states and the parameters."""

    x: Tensor
    states: list[Tensor]
    parameters: list[Tensor]

    @property
    def tensors(self) -> list[Tensor]:
        return [self.x, *self.states, *self.parameters]


def like_input(x: Tensor, features: int) -> Tensor:
    """An empty (T, B, features) that lies in memory as ``x`` does: time or batch outermost."""
    time, batch = x.shape[:2]
    if x.stride(1) > x.stride(0):
        return x.new_empty(batch, time, features).transpose(0, 1)
    return x.new_empty(time, batch, features)


def empty_gradients(given: Arguments, with_x: bool) -> Gradients:
    x = like_input(given.x, given.x.shape[2]) if with_x else given.x.new_empty(0)
    return Gradients(
        x,
        [state.new_empty(state.shape) for state in given.states],
        [parameter.new_empty(parameter.shape) for parameter in given.parameters],
    )


def stack_finals(given: Arguments, grads: Sequence[Tensor | None]) -> Tensor:
    """The derivatives by the final states, (D, B, states, H), zero where there is none."""
    pairs = zip(grads, given.states, strict=True)
    return torch.stack(
        [torch.zeros_like(state) if grad is None else grad for grad, state in pairs], 2
    )
