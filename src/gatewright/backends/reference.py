"""Any cell in plain torch, step by step: the ground truth beside the compiled engine.

The definition of the cell itself runs here, on tensors, so there is no second place where its
equations stand. Everything is differentiable, twice too, on any device and in any dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.equations import Cell
from gatewright.equations.functions import compute, functions_of

__all__ = ["record", "run"]

_TORCH = functions_of("torch")


@compute.register(Tensor)
def _compute(like: Tensor, name: str, *arguments: Tensor | float) -> Tensor:
    """A function of the language on tensors; a number among them is a constant vector."""
    tensors = (_tensor(argument, like) for argument in arguments)
    result: Tensor = _TORCH[name](*tensors)
    return result


def _tensor(value: Tensor | float, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.full_like(like, value)


def run(
    cell: Cell,
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Sequence[Tensor]],
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    zone: Tensor | None = None,
    projection: Sequence[Tensor] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Run a cell over sequences, in one direction or in both.

    x: (time, batch, input_size), any strides.
    states: for each state of the cell, in its order, (directions, batch, hidden_size).
    parameters: for each direction ``weight_ih`` (len(x_projections) * hidden_size, input_size);
        ``weight_hh`` (len(h_projections) * hidden_size, hidden_size) if the cell has recurrent
        projections; ``bias_ih`` and, with ``weight_hh``, ``bias_hh``, or neither; then one
        (hidden_size,) for each learned vector. The second direction runs backwards in time.
    lengths: (batch,) int64. Rows past their length are zero in the output, whatever x holds
        there; the backward direction starts at each row's own end; a row's final state is that at
        its last step, or its initial state if its length is 0.
    mask: (directions, batch, hidden_size), multiplies what enters a recurrent projection.
    zone: (directions, time, batch, states, hidden_size), the share of its previous value that
        each state keeps.
    projection: for each direction (proj_size, hidden_size), applied to h at the end of a step.

    Returns the output (time, batch, directions * hidden_size) and the final states, shaped as
    ``states``.
    """
    values, final = _sequence(cell, x, states, parameters, ("h",), lengths, mask, zone, projection)
    return values["h"], final


def record(
    cell: Cell,
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Sequence[Tensor]],
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    zone: Tensor | None = None,
    projection: Sequence[Tensor] | None = None,
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """As :func:`run`, with every gate and state of each step by its name in place of the output.

    Each is (time, batch, directions * hidden_size); the output of :func:`run` is that of ``h``.
    """
    names = (*cell.gates, *cell.states)
    return _sequence(cell, x, states, parameters, names, lengths, mask, zone, projection)


Values = dict[str, Tensor]
# From the input projections (batch, len(x_projections), hidden_size) and the states of one step
# to the next states and the gates.
_Step = Callable[[Tensor, Values], tuple[Values, Values]]


def _sequence(
    cell: Cell,
    x: Tensor,
    states: Sequence[Tensor],
    parameters: Sequence[Sequence[Tensor]],
    names: tuple[str, ...],
    lengths: Tensor | None,
    mask: Tensor | None,
    zone: Tensor | None,
    projection: Sequence[Tensor] | None,
) -> tuple[Values, list[Tensor]]:
    active = None
    if lengths is not None:
        steps = torch.arange(x.size(0), device=x.device)
        active = (steps[:, None] < lengths.to(x.device)).unsqueeze(-1)  # (time, batch, 1)
        # Padding may hold NaN; a gradient of 0 times NaN would reach the weights.
        x = torch.where(active, x, 0)
    found: list[Values] = []
    finals: list[list[Tensor]] = []
    for direction, tensors in enumerate(parameters):
        own = _by_kind(cell, tensors)
        step = _stepper(
            cell,
            own,
            None if mask is None else mask[direction],
            None if projection is None else projection[direction],
        )
        count = len(cell.x_projections)
        size = own.weight_ih.size(0) // count
        values, final = _scan(
            cell,
            step,
            F.linear(x, own.weight_ih, own.bias_ih).unflatten(-1, (count, size)),
            {name: state[direction] for name, state in zip(cell.states, states, strict=True)},
            names,
            active,
            None if zone is None else zone[direction],
            backwards=direction == 1,
        )
        found.append(values)
        finals.append([final[name] for name in cell.states])
    joined = {name: torch.cat([values[name] for values in found], -1) for name in names}
    return joined, [torch.stack(same) for same in zip(*finals, strict=True)]


class _Parameters(NamedTuple):
    """Those of one direction; vectors: the learned ones by name."""

    weight_ih: Tensor
    bias_ih: Tensor | None
    weight_hh: Tensor | None
    bias_hh: Tensor | None
    vectors: Values


def _by_kind(cell: Cell, tensors: Sequence[Tensor]) -> _Parameters:
    weights = 2 if cell.h_projections else 1
    first_vector = len(tensors) - len(cell.vectors)
    biases = tensors[weights:first_vector]
    if len(biases) not in (0, weights):
        raise ValueError(
            f"{cell.name} takes {weights + len(cell.vectors)} parameters a direction, or "
            f"{2 * weights + len(cell.vectors)} with biases; got {len(tensors)}"
        )
    return _Parameters(
        weight_ih=tensors[0],
        bias_ih=biases[0] if biases else None,
        weight_hh=tensors[1] if weights == 2 else None,
        bias_hh=biases[1] if len(biases) == 2 else None,
        vectors=dict(zip(cell.vectors, tensors[first_vector:], strict=True)),
    )


class _Names:
    """``x``, ``h``, ``state`` or ``p`` while a definition runs on tensors."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        # What reaches neither a state nor a gate has no tensor, but a definition may read it.
        return self._values.get(name, 0.0)


def _stepper(cell: Cell, own: _Parameters, mask: Tensor | None, projection: Tensor | None) -> _Step:
    """One step of the cell with these parameters."""
    weight_hh, bias_hh = own.weight_hh, own.bias_hh
    plain = [name for name in cell.h_projections if name not in cell.applied]
    weights, biases = _by_name(cell, weight_hh), _by_name(cell, bias_hh)
    if cell.applied and plain:
        weight_hh = torch.cat([weights[name] for name in plain])
        bias_hh = torch.cat([biases[name] for name in plain]) if biases else None

    def project(vector: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(vector if mask is None else vector * mask, weight, bias)

    def applied(name: str) -> Callable[[Tensor], Tensor]:
        return lambda vector: project(vector, weights[name], biases.get(name))

    def step(x: Tensor, state: Values) -> tuple[Values, Values]:
        like = x[:, 0]  # (batch, hidden_size)
        h: dict[str, Any] = {name: applied(name) for name in cell.applied}
        if plain and weight_hh is not None:
            product = project(state["h"], weight_hh, bias_hh).unflatten(-1, (len(plain), -1))
            h |= dict(zip(plain, product.unbind(-2), strict=True))
        result = cell(
            x=_Names(dict(zip(cell.x_projections, x.unbind(-2), strict=True))),
            h=_Names(h),
            state=_Names(state),
            p=_Names(own.vectors),
        )
        # The equations may give a number or a learned vector for the whole batch.
        states = {name: _tensor(v, like).expand_as(like) for name, v in result.states.items()}
        gates = {name: _tensor(v, like).expand_as(like) for name, v in result.gates.items()}
        if projection is not None:
            states["h"] = F.linear(states["h"], projection)
        return states, gates

    return step


def _by_name(cell: Cell, stacked: Tensor | None) -> Values:
    """The rows of each recurrent projection."""
    if stacked is None:
        return {}
    count = len(cell.h_projections)
    parts = stacked.unflatten(0, (count, stacked.size(0) // count)).unbind(0)
    return dict(zip(cell.h_projections, parts, strict=True))


def _scan(
    cell: Cell,
    step: _Step,
    projected: Tensor,
    state: Values,
    names: tuple[str, ...],
    active: Tensor | None,
    zone: Tensor | None,
    backwards: bool,
) -> tuple[Values, Values]:
    """The named values of every step, (time, batch, hidden_size), and the final states.

    projected: (time, batch, len(x_projections), hidden_size). A row's state stands still outside
    its active steps; so the backward direction begins at each row's own end.
    """
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    inputs = projected.unbind(0)
    order = range(len(inputs))
    for t in reversed(order) if backwards else order:
        new, gates = step(inputs[t], state)
        if zone is not None:
            for place, name in enumerate(cell.states):
                share = zone[t, :, place, : new[name].size(-1)]
                new[name] = new[name] + share * (state[name] - new[name])
        if active is not None:
            new = {name: torch.where(active[t], new[name], state[name]) for name in new}
        state = new
        found = gates | state
        for name in names:
            kept[name].append(found[name])
    values = {}
    for name, steps in kept.items():
        values[name] = torch.stack(steps[::-1] if backwards else steps)
        if active is not None:
            values[name] = torch.where(active, values[name], 0)
    return values, state
