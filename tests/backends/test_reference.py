"""The reference: every cell that the folder holds, on the definition's own equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gatewright import cells
from gatewright.backends import reference
from gatewright.equations import (
    Cell,
    CellError,
    cell,
    exp,
    functions,
    log_sigmoid,
    maximum,
    relu,
    sigmoid,
    softplus,
    step,
    tanh,
)

DOUBLE = torch.float64
each_cell = pytest.mark.parametrize("name", cells.names())


def make_parameters(
    cell: Cell, input_size: int, hidden_size: int, *, directions: int = 1, bias: bool = True
) -> list[list[Tensor]]:
    def draw(*shape: int) -> Tensor:
        return (torch.rand(shape, dtype=DOUBLE) * 1.6 - 0.8).requires_grad_()

    x_rows = len(cell.x_projections) * hidden_size
    h_rows = len(cell.h_projections) * hidden_size
    made = []
    for _ in range(directions):
        own = [draw(x_rows, input_size)] + [draw(h_rows, hidden_size)] * bool(h_rows)
        if bias:
            own += [draw(x_rows)] + [draw(h_rows)] * bool(h_rows)
        made.append(own + [draw(hidden_size) for _ in cell.vectors])
    return made


def make_states(cell: Cell, batch: int, hidden_size: int, directions: int = 1) -> list[Tensor]:
    """States that a sequence could have led to: not all signs make sense for every state."""
    x = torch.randn(3, batch, 1, dtype=DOUBLE)
    zeros = [torch.zeros(directions, batch, hidden_size, dtype=DOUBLE) for _ in cell.states]
    parameters = make_parameters(cell, 1, hidden_size, directions=directions)
    _, final = reference.run(cell, x, zeros, parameters)
    return [state.detach().requires_grad_() for state in final]


# Every cell -----------------------------------------------------------------------------------


@pytest.mark.slow
@each_cell
@pytest.mark.parametrize("check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck])
def test_derivatives(name: str, check: Callable[..., bool]) -> None:
    cell = cells.get(name)
    x = torch.randn(3, 2, 2, dtype=DOUBLE, requires_grad=True)
    parameters, states = make_parameters(cell, 2, 2), make_states(cell, 2, 2)
    lengths = torch.tensor([3, 2])

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        given, own = list(rest[: len(states)]), [list(rest[len(states) :])]
        output, final = reference.run(cell, x, given, own, lengths=lengths)
        return output, *final

    assert check(run, (x, *states, *parameters[0]))


@each_cell
def test_padded_equals_one_by_one(name: str) -> None:
    cell = cells.get(name)
    lengths = torch.tensor([2, 0, 5, 3])
    x = torch.randn(5, 4, 3, dtype=DOUBLE)
    parameters = make_parameters(cell, 3, 2, directions=2)
    states = make_states(cell, 4, 2, directions=2)
    padded = x.clone()
    for row, length in enumerate(lengths.tolist()):
        padded[length:, row] = math.nan
    output, final = reference.run(cell, padded, states, parameters, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        own = [state[:, row : row + 1] for state in states]
        assert not output[length:, row].any()
        if length:
            alone, own = reference.run(cell, x[:length, row : row + 1], own, parameters)
            torch.testing.assert_close(output[:length, row], alone[:, 0])
        for a, b in zip(final, own, strict=True):
            torch.testing.assert_close(a[:, row : row + 1], b)
    # NaN in the padding does not reach the gradients either.
    output.sum().backward()
    for tensor in [tensor for own in parameters for tensor in own]:
        assert tensor.grad is not None
        assert bool(tensor.grad.isfinite().all())


@each_cell
def test_directions_are_independent(name: str) -> None:
    cell = cells.get(name)
    x = torch.randn(4, 3, 2, dtype=DOUBLE)
    parameters = make_parameters(cell, 2, 3, directions=2)
    states = make_states(cell, 3, 3, directions=2)
    output, final = reference.run(cell, x, states, parameters)
    for direction, turned in enumerate([x, x.flip(0)]):
        own = [state[direction : direction + 1] for state in states]
        alone, last = reference.run(cell, turned, own, [parameters[direction]])
        alone = alone.flip(0) if direction else alone
        torch.testing.assert_close(output.chunk(2, -1)[direction], alone)
        for a, b in zip(final, last, strict=True):
            torch.testing.assert_close(a[direction], b[0])


@each_cell
def test_a_record_holds_every_gate_and_state(name: str) -> None:
    cell = cells.get(name)
    x = torch.randn(4, 3, 2, dtype=DOUBLE)
    parameters = make_parameters(cell, 2, 3, directions=2, bias=False)
    states = make_states(cell, 3, 3, directions=2)
    output, final = reference.run(cell, x, states, parameters)
    values, again = reference.record(cell, x, states, parameters)
    assert tuple(values) == (*cell.gates, *cell.states)
    assert all(value.shape == output.shape for value in values.values())
    torch.testing.assert_close(values["h"], output, rtol=0, atol=0)
    for state, last, same in zip(cell.states, final, again, strict=True):
        torch.testing.assert_close(last, same, rtol=0, atol=0)
        forward, backward = values[state].chunk(2, -1)
        torch.testing.assert_close(last, torch.stack([forward[-1], backward[0]]))


@each_cell
def test_zoneout_and_mask_as_a_plain_loop(name: str) -> None:
    cell = cells.get(name)
    T, B, H = 4, 2, 3
    x = torch.randn(T, B, 2, dtype=DOUBLE)
    parameters, states = make_parameters(cell, 2, H, directions=2), make_states(cell, B, H, 2)
    mask = torch.rand(2, B, H, dtype=DOUBLE) * 2
    zone = torch.rand(2, T, B, len(cell.states), H, dtype=DOUBLE)
    output, _ = reference.run(cell, x, states, parameters, mask=mask, zone=zone)
    for direction, order in enumerate([range(T), reversed(range(T))]):
        state = [each[direction : direction + 1] for each in states]
        own = [list(parameters[direction])]
        for t in order:
            _, new = reference.run(
                cell, x[t : t + 1], state, own, mask=mask[direction : direction + 1]
            )
            shares = zone[direction, t].unbind(1)
            state = [
                share * old + (1 - share) * fresh
                for share, old, fresh in zip(shares, state, new, strict=True)
            ]
            torch.testing.assert_close(output.chunk(2, -1)[direction][t], state[0][0])


@pytest.mark.parametrize("name", [name for name in cells.names() if cells.get(name).h_projections])
def test_a_mask_drops_units_from_recurrent_projections_only(name: str) -> None:
    """Masking is the same as having no weights from the units dropped."""
    cell = cells.get(name)
    x = torch.randn(4, 2, 2, dtype=DOUBLE)
    parameters, states = make_parameters(cell, 2, 3), make_states(cell, 2, 3)
    mask = torch.tensor([1.0, 0.0, 2.0], dtype=DOUBLE)
    masked, _ = reference.run(cell, x, states, parameters, mask=mask.expand(1, 2, 3))
    parameters[0][1] = parameters[0][1] * mask
    scaled, _ = reference.run(cell, x, states, parameters)
    torch.testing.assert_close(masked, scaled)


@each_cell
def test_wrong_number_of_parameters(name: str) -> None:
    cell = cells.get(name)
    parameters = make_parameters(cell, 2, 2)
    parameters[0].insert(1, parameters[0][0])
    with pytest.raises(ValueError, match="parameters a direction"):
        reference.run(cell, torch.ones(1, 1, 2, dtype=DOUBLE), make_states(cell, 1, 2), parameters)


# The functions of the language ----------------------------------------------------------------

EXACT: dict[str, Callable[..., float]] = {
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)) if a > 0 else math.exp(a) / (1 + math.exp(a)),
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "exp": math.exp,
    "log_sigmoid": lambda a: min(a, 0.0) - math.log1p(math.exp(-abs(a))),
    "softplus": lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))),
    "maximum": max,
}


def test_every_function_of_the_language_is_there() -> None:
    assert set(EXACT) == set(functions.WRITTEN)


@pytest.mark.parametrize("name", EXACT)
@given(a=st.floats(-700, 700), b=st.floats(-700, 700))
def test_functions(name: str, a: float, b: float) -> None:
    arguments = (a, b) if name == "maximum" else (a,)
    tensors = [torch.tensor(argument, dtype=DOUBLE) for argument in arguments]
    found = getattr(functions, name)(*tensors)
    assert found.item() == pytest.approx(EXACT[name](*arguments), rel=1e-14)


@pytest.mark.parametrize("numbers_first", [False, True])
def test_a_number_may_stand_beside_a_tensor(numbers_first: bool) -> None:
    tensor = torch.tensor([-1.0, 1.0])
    found = maximum(0, tensor) if numbers_first else maximum(tensor, 0.0)
    assert found.tolist() == [0, 1]


def test_numbers_alone_are_refused() -> None:
    with pytest.raises(TypeError, match="tanh takes values of the equations or tensors"):
        tanh(0.5)


# Definitions of one's own ---------------------------------------------------------------------


def run_once(made: Cell) -> dict[str, Tensor]:
    x = torch.randn(3, 2, 2, dtype=DOUBLE)
    zeros = [torch.zeros(1, 2, 4, dtype=DOUBLE) for _ in made.states]
    values, _ = reference.record(made, x, zeros, make_parameters(made, 2, 4))
    return values


def test_states_and_gates_may_be_constants_vectors_or_shared() -> None:
    @cell
    def odd(x, h, state, p):  # type: ignore[no-untyped-def]
        """A cell that gives a number and a vector as states."""
        gate = p.gate
        h1 = tanh(x.new + gate * state.n + state.m)
        return step(h=h1, n=1.0, m=p.gate, gates=dict(gate=gate))

    values = run_once(odd)
    assert all(value.shape == (3, 2, 4) for value in values.values())
    assert bool((values["n"] == 1).all())


def test_a_definition_may_read_what_it_does_not_use() -> None:
    @cell
    def wasteful(x, h, state, p):  # type: ignore[no-untyped-def]
        """A cell that computes a value in vain."""
        _ = sigmoid(x.vain + h.vain + p.vain + state.h)
        return step(h=relu(x.new) + 0.5 * state.h)

    assert wasteful.x_projections == ("new",)
    assert run_once(wasteful)["h"].shape == (3, 2, 4)


def unknown_function(x, h):  # type: ignore[no-untyped-def]
    return step(h=sigmoyd(x.a + h.a))  # type: ignore[name-defined]  # noqa: F821


def gate_before_its_equation(x, h):  # type: ignore[no-untyped-def]
    h1 = gate * tanh(x.a + h.a)  # type: ignore[has-type, used-before-def]  # noqa: F821
    gate = sigmoid(x.b)
    return step(h=h1, gates=dict(gate=gate))


def forgotten_state(x, h, state):  # type: ignore[no-untyped-def]
    return step(h=tanh(x.a + h.a) + state.c)


def python_if(x, h):  # type: ignore[no-untyped-def]
    a = tanh(x.a + h.a)
    return step(h=-a if a else a)


def torch_function(x, h):  # type: ignore[no-untyped-def]
    return step(h=torch.sigmoid(x.a + h.a))


def infinite(x, h):  # type: ignore[no-untyped-def]
    return step(h=tanh(x.a + h.a) + math.inf)


def no_step(x, h):  # type: ignore[no-untyped-def]
    return exp(log_sigmoid(softplus(x.a)))


@pytest.mark.parametrize(
    ("definition", "line", "text"),
    [
        (unknown_function, 1, "did you mean sigmoid"),
        (gate_before_its_equation, 1, "gate is used before it is defined; move its equation up"),
        (forgotten_state, 0, r"add c=\.\.\. to return step"),
        (python_if, 2, r"a Python if.*Write the choice as arithmetic"),
        (torch_function, 1, "torch.sigmoid cannot be used in equations"),
        (infinite, 1, "inf cannot stand in the equations"),
        (no_step, 0, "end it with return step"),
    ],
)
def test_errors_name_the_line_and_say_what_to_write(
    definition: Callable[..., Any], line: int, text: str
) -> None:
    with pytest.raises(CellError, match=text) as error:
        cell(definition)
    first = definition.__code__.co_firstlineno
    assert str(error.value).startswith(f"test_reference.py:{first + line}: ")
