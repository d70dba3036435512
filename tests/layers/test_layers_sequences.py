"""Every cell as a layer: lengths, traces, steps, dropout and zoneout over sequences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

import gatewright as gw
from gatewright import cells

DOUBLE = torch.float64
each_cell = pytest.mark.parametrize("name", cells.names())


def make(name: str, **options: Any) -> gw.Recurrent:
    return gw.Recurrent(name, 3, 4, dtype=DOUBLE, **options)


def states_of(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


def close(a: Any, b: Any) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def recurrent_cells() -> list[str]:
    return [name for name in cells.names() if cells.get(name).h_projections]


@each_cell
def test_no_state_equals_a_zero_state(name: str) -> None:
    layer = make(name, num_layers=2, bidirectional=True)
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    zeros = [torch.zeros(4, 2, 4, dtype=DOUBLE) for _ in layer.cell.states]
    close(layer(x), layer(x, zeros[0] if len(zeros) == 1 else tuple(zeros)))


@each_cell
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_equal_one_by_one(name: str, batch_first: bool) -> None:
    layer = make(name, num_layers=2, bidirectional=True, batch_first=batch_first)
    lengths = [3, 0, 5, 1]
    x = torch.randn(4, 5, 3, dtype=DOUBLE)
    given_as = x if batch_first else x.transpose(0, 1)
    _, before = layer(given_as)
    output, final = layer(given_as, before, lengths=lengths)
    output = output if batch_first else output.transpose(0, 1)
    for row, length in enumerate(lengths):
        assert not output[row, length:].any()
        own = [state[:, row] for state in states_of(before)]
        if length:
            alone, own = layer(x[row, :length], own[0] if len(own) == 1 else tuple(own))
            close(output[row, :length], alone)
        close([state[:, row] for state in states_of(final)], states_of(own))


@pytest.mark.slow
@each_cell
@given(
    lengths=st.lists(st.integers(0, 4), max_size=3),
    kind=st.sampled_from([list, tuple, torch.tensor, "int32", "uint8"]),
)
def test_lengths_may_be_given_in_many_ways(name: str, lengths: list[int], kind: Any) -> None:
    layer = make(name)
    x = torch.randn(4, len(lengths), 3, dtype=DOUBLE)
    tensor = torch.tensor(lengths, dtype=torch.int64)
    given_as = tensor.to(getattr(torch, kind)) if isinstance(kind, str) else kind(lengths)
    if isinstance(given_as, Tensor) and not lengths:
        given_as = tensor
    close(layer(x, lengths=given_as), layer(x, lengths=tensor))


@pytest.mark.parametrize(
    ("lengths", "error", "text"),
    [
        ([1, 2, 6], ValueError, "between 0 and 5, the number of time steps, got 6 at index 2"),
        ([1, -1, 5], ValueError, "between 0 and 5, the number of time steps, got -1 at index 1"),
        ([1, 2], ValueError, r"lengths should have shape \(3,\), one for each .*, got \(2,\)"),
        ([[1, 2, 3]], ValueError, r"lengths should have shape \(3,\).*got \(1, 3\)"),
        (3, ValueError, r"lengths should have shape \(3,\).*got \(\)"),
        ([1.0, 2.0, 3.0], TypeError, "lengths should be integers, got torch.float32"),
        ([True, True, True], TypeError, "lengths should be integers, got torch.bool"),
    ],
)
def test_errors_of_lengths(lengths: Any, error: type[Exception], text: str) -> None:
    layer = make(cells.names()[0])
    x = torch.zeros(5, 3, 3, dtype=DOUBLE)
    for given_as in (lengths, torch.tensor(lengths)):
        with pytest.raises(error, match=text):
            layer(x, lengths=given_as)


# Traces and steps -----------------------------------------------------------------------------


@each_cell
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_trace_is_what_forward_computed(name: str, batch_first: bool) -> None:
    layer = make(name, num_layers=2, bidirectional=True, batch_first=batch_first)
    x, lengths = torch.randn(4, 4, 3, dtype=DOUBLE), [2, 4, 0, 3]
    output, final = layer(x, lengths=lengths)
    trace = layer.trace(x, lengths=lengths)
    assert tuple(trace) == tuple(trace.keys()) == (*layer.cell.gates, *layer.cell.states)
    close(trace.output, output)
    close(trace["h"], output)
    close(states_of(trace.state), states_of(final))
    assert len(trace.layers) == 2
    assert trace.layers[-1]["h"] is trace["h"]
    for values in trace.layers:
        assert all(value.shape == (4, 4, 8) for value in values.values())
    ends = [layer.num_layers * 2 - 2, layer.num_layers * 2 - 1]
    for state, last in zip(layer.cell.states, states_of(final), strict=True):
        rows = trace[state] if batch_first else trace[state].transpose(0, 1)
        for row, length in enumerate(lengths):
            if length:
                close(rows[row, length - 1, :4], last[ends[0], row])
                close(rows[row, 0, 4:], last[ends[1], row])
    total = torch.stack([value.sum() for value in trace.values()]).sum()
    assert all(
        gradient is not None for gradient in torch.autograd.grad(total, list(layer.parameters()))
    )


def test_the_gates_of_a_trace_make_up_its_states() -> None:
    layer = gw.LSTM(3, 4, dtype=DOUBLE)
    trace = layer.trace(torch.randn(5, 2, 3, dtype=DOUBLE))
    before = torch.cat([torch.zeros(1, 2, 4, dtype=DOUBLE), trace["c"][:-1]])
    close(trace["c"], trace["forget"] * before + trace["input"] * trace["cell"])
    close(trace["h"], trace["output"] * trace["c"].tanh())


def test_a_trace_without_batch_and_packed() -> None:
    layer = gw.LSTM(3, 4, proj_size=2, dtype=DOUBLE)
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    alone = layer.trace(x[:, 0])
    assert alone["forget"].shape == (5, 4)
    assert alone["h"].shape == (5, 2)
    packed = layer.trace(pack_padded_sequence(x, torch.tensor([3, 5]), enforce_sorted=False))
    close(packed["c"], layer.trace(x, lengths=[3, 5])["c"])
    assert repr(alone) == "Trace(input, forget, cell, output, h, c; layers=1, output=(5, 2))"
    with pytest.raises(KeyError, match="'forgot'; this trace has input, forget"):
        alone["forgot"]


@each_cell
@pytest.mark.parametrize("batch_first", [False, True])
def test_steps_equal_the_whole(name: str, batch_first: bool) -> None:
    layer = make(name, num_layers=2, batch_first=batch_first, zoneout=0.2).eval()
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    output, final = layer(x.transpose(0, 1) if batch_first else x)
    output = output.transpose(0, 1) if batch_first else output
    alone, last = layer(x[:, 0])
    state = own = None
    for t in range(5):
        y, state = layer.step(x[t], state)
        close(y, output[t])
        y, own = layer.step(x[t, 0], own)
        close(y, alone[t])
    close(states_of(state), states_of(final))
    close(states_of(own), states_of(last))


def test_errors_of_steps() -> None:
    with pytest.raises(RuntimeError, match="a bidirectional layer has no step"):
        gw.GRU(3, 4, bidirectional=True).step(torch.zeros(3))
    with pytest.raises(ValueError, match="Expected x_t to be 1D or 2D, got 3D"):
        gw.GRU(3, 4).step(torch.zeros(1, 1, 3))
    with pytest.raises(RuntimeError, match="Expected 3, got 2"):
        gw.GRU(3, 4).step(torch.zeros(1, 2))


# Recurrent dropout and zoneout ----------------------------------------------------------------


@pytest.mark.parametrize("name", recurrent_cells())
def test_recurrent_dropout(name: str) -> None:
    layer = make(name, recurrent_dropout=0.5, bidirectional=True)
    x = torch.randn(5, 6, 3, dtype=DOUBLE)

    def run() -> Tensor:
        torch.manual_seed(1)
        output: Tensor = layer(x)[0]
        return output

    close(run(), run())
    torch.manual_seed(1)
    close(layer.trace(x).output, run())
    # The first step of each direction starts from zeros, from which nothing can be dropped.
    forward, backward = run().chunk(2, -1)
    plain_forward, plain_backward = layer.eval()(x)[0].chunk(2, -1)
    close(forward[0], plain_forward[0])
    close(backward[-1], plain_backward[-1])
    assert not torch.allclose(forward[-1], plain_forward[-1])


@pytest.mark.parametrize("name", recurrent_cells())
def test_dropping_everything_leaves_the_steps_alone(name: str) -> None:
    """With nothing of h entering a projection, its weights have no part."""
    layer = make(name, recurrent_dropout=1.0)
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    dropped, _ = layer(x)
    with torch.no_grad():
        layer.get_parameter("weight_hh_l0").zero_()
    close(dropped, layer.eval()(x)[0])


@each_cell
def test_zoneout_in_evaluation_keeps_a_share(name: str) -> None:
    layer = make(name, zoneout={"h": 0.25}, num_layers=1).eval()
    plain = make(name)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    output, _ = layer(x)
    state = None
    h = torch.zeros(1, 2, 4, dtype=DOUBLE)
    for t in range(5):
        _, state = plain(x[t : t + 1], state)
        h = 0.25 * h + 0.75 * states_of(state)[0]
        state = h if isinstance(state, Tensor) else (h, *state[1:])
        close(output[t], h[0])


@each_cell
def test_zoneout_in_training_keeps_units_or_not(name: str) -> None:
    layer = make(name, zoneout=0.5)
    x = torch.randn(7, 6, 3, dtype=DOUBLE)
    output, _ = layer(x)
    kept = output[1:] == output[:-1]
    assert 0.3 < kept.double().mean() < 0.8
    all_kept = make(name, zoneout=1.0)(x)[0]
    close(all_kept, torch.zeros_like(all_kept))


def test_rates_that_are_none() -> None:
    without = next(name for name in cells.names() if not cells.get(name).h_projections)
    with pytest.raises(ValueError, match="recurrent_dropout needs recurrent projections"):
        make(without, recurrent_dropout=0.1)
    name = recurrent_cells()[0]
    with pytest.raises(ValueError, match=r"recurrent_dropout should be a number in .*, got 1.5"):
        make(name, recurrent_dropout=1.5)
    with pytest.raises(ValueError, match=r"zoneout should be a number in range \[0, 1\], got -1"):
        make(name, zoneout=-1)
    with pytest.raises(ValueError, match=r"zoneout\['h'\] should be a number"):
        make(name, zoneout={"h": 2})
    with pytest.raises(ValueError, match="zoneout names the state 'q', but the states are h"):
        make(name, zoneout={"q": 0.1})
