"""Layers as modules: how they start, copies, compilation, autocast, what they run on."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gatewright as gw
from gatewright import cells
from gatewright.backends import native
from gatewright.backends.choice import check_backend

DOUBLE = torch.float64
each_cell = pytest.mark.parametrize("name", cells.names())


@gw.cell(source="tests")
def leaky(x, h, state, p):  # type: ignore[no-untyped-def]
    """A cell of one's own, with a gate called forget and a learned vector."""
    forget = gw.sigmoid(x.forget + h.forget + p.rate)
    return gw.step(h=forget * state.h + (1 - forget) * gw.tanh(x.new), gates=dict(forget=forget))


def with_gate(gate: str) -> list[str]:
    return [name for name in cells.names() if gate in cells.get(name).x_projections]


# The start ------------------------------------------------------------------------------------


@each_cell
@pytest.mark.parametrize("bias", [False, True])
def test_names_shapes_and_start_of_parameters(name: str, bias: bool) -> None:
    layer = gw.Recurrent(name, 3, 16, 2, bias, bidirectional=True)
    cell = layer.cell
    for weights in layer.all_weights:
        assert len(weights) == (1 + bool(cell.h_projections)) * (1 + bias) + len(cell.vectors)
    for parameter, tensor in layer.named_parameters():
        vector = parameter.removeprefix("p_").partition("_l")[0]
        low, high = -0.25, 0.25
        if parameter.startswith("p_"):
            low, high = cell.initial.get(vector, (low, high))
        assert low <= tensor.min()
        assert tensor.max() <= high
        assert tensor.std() > 0
    assert layer.get_parameter("weight_ih_l1_reverse").shape == (len(cell.x_projections) * 16, 32)
    before = copy.deepcopy(layer.state_dict())
    layer.reset_parameters()
    after = layer.state_dict()
    assert not any(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", with_gate("forget"))
def test_forget_bias(name: str) -> None:
    layer = gw.Recurrent(name, 3, 4, 2, bidirectional=True, forget_bias=1.0)
    x_place = layer.cell.x_projections.index("forget")
    for layer_and_direction in ("l0", "l0_reverse", "l1", "l1_reverse"):
        bias = getattr(layer, f"bias_ih_{layer_and_direction}").chunk(len(layer.cell.x_projections))
        total = bias[x_place]
        if "forget" in layer.cell.h_projections:
            recurrent = getattr(layer, f"bias_hh_{layer_and_direction}")
            parts = recurrent.chunk(len(layer.cell.h_projections))
            total = total + parts[layer.cell.h_projections.index("forget")]
        assert bool((total == 1).all())
        assert sum(bool((part == 1).all()) for part in bias) == 1


def test_forget_bias_without_a_forget_gate() -> None:
    without = next(name for name in cells.names() if name not in with_gate("forget"))
    with pytest.raises(ValueError, match=r"has no gate x\.forget"):
        gw.Recurrent(without, 3, 4, forget_bias=1.0)
    with pytest.raises(ValueError, match="but bias is False"):
        gw.Recurrent(leaky, 3, 4, bias=False, forget_bias=1.0)


@pytest.mark.parametrize("name", [name for name in cells.names() if cells.get(name).h_projections])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.bfloat16])
def test_orthogonal(name: str, dtype: torch.dtype) -> None:
    layer = gw.Recurrent(name, 3, 4, bidirectional=True, orthogonal=True, dtype=dtype)
    for end in ("l0", "l0_reverse"):
        for gate in layer.get_parameter(f"weight_hh_{end}").split(4):
            torch.testing.assert_close(
                (gate @ gate.T).double(), torch.eye(4, dtype=DOUBLE), rtol=0, atol=2e-2
            )


@pytest.mark.parametrize(
    "name", [name for name in cells.names() if not cells.get(name).h_projections]
)
def test_orthogonal_needs_recurrent_projections(name: str) -> None:
    with pytest.raises(ValueError, match="orthogonal needs recurrent projections"):
        gw.Recurrent(name, 3, 4, orthogonal=True)


@each_cell
def test_learned_initial_states(name: str) -> None:
    layer = gw.Recurrent(name, 3, 4, 2, learn_initial_state=True, dtype=DOUBLE)
    plain = gw.Recurrent(name, 3, 4, 2, dtype=DOUBLE)
    plain.load_state_dict(layer.state_dict(), strict=False)
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    torch.testing.assert_close(layer(x), plain(x))
    learned = [getattr(layer, f"{state}_0") for state in layer.cell.states]
    with torch.no_grad():
        for tensor in learned:
            tensor.uniform_(0.5, 1.5)
    given = [tensor.detach().unsqueeze(1).expand(2, 2, 4) for tensor in learned]
    hx: Any = given[0] if len(given) == 1 else tuple(given)
    torch.testing.assert_close(layer(x), plain(x, hx))
    torch.testing.assert_close(layer(x, hx), plain(x, hx))
    layer(x)[0].sum().backward()
    assert all(tensor.grad is not None for tensor in learned)


def test_projection_needs_a_cell_that_allows_it() -> None:
    with pytest.raises(ValueError, match="proj_size needs a cell whose h enters recurrent"):
        gw.Recurrent(leaky, 3, 4, proj_size=2)


def test_any_function_may_be_a_cell() -> None:
    made = [gw.Recurrent(given, 3, 4, dtype=DOUBLE) for given in (leaky, leaky.definition)]
    made[1].load_state_dict(made[0].state_dict())
    x = torch.randn(5, 2, 3, dtype=DOUBLE)
    torch.testing.assert_close(made[0](x), made[1](x))
    assert list(made[0].state_dict()) == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "p_rate_l0",
    ]  # fmt: skip
    assert repr(made[0]) == "Recurrent(leaky, 3, 4)"
    with pytest.raises(ValueError, match="no cell is called 'lsmt': did you mean"):
        gw.Recurrent("lsmt", 3, 4)


def test_text() -> None:
    layer = gw.LSTM(3, 4, 2, zoneout={"c": 0.5}, recurrent_dropout=0.1, backend="reference")
    assert repr(layer) == (
        "LSTM(3, 4, num_layers=2, recurrent_dropout=0.1, zoneout={'h': 0.0, 'c': 0.5}, "
        "backend=reference)"
    )


# Copies ---------------------------------------------------------------------------------------


def pickled(layer: gw.Recurrent) -> gw.Recurrent:
    made: gw.Recurrent = pickle.loads(pickle.dumps(layer))
    return made


def saved(layer: gw.Recurrent) -> gw.Recurrent:
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    made: gw.Recurrent = torch.load(buffer, weights_only=False)
    return made


def from_state_dict(layer: gw.Recurrent) -> gw.Recurrent:
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    made = gw.Recurrent(layer.cell, 3, 4, 2)
    made.load_state_dict(torch.load(buffer, weights_only=True))
    return made


@pytest.mark.parametrize("name", [*cells.names(), leaky], ids=str)
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickled, saved, from_state_dict])
def test_copies(name: Any, way: Callable[[gw.Recurrent], gw.Recurrent]) -> None:
    layer = gw.Recurrent(name, 3, 4, 2)
    made, x = way(layer), torch.randn(5, 2, 3)
    torch.testing.assert_close(made(x), layer(x))
    assert made.cell is layer.cell
    assert made.backend == layer.backend
    if way is not copy.copy:
        with torch.no_grad():
            made.get_parameter("weight_ih_l0").zero_()
        assert layer.get_parameter("weight_ih_l0").any()


def test_a_cell_that_cannot_be_found_again_is_copied_but_not_pickled() -> None:
    layer = gw.Recurrent(leaky.definition, 3, 4)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x))
    with pytest.raises(pickle.PicklingError, match="define its cell at the top level"):
        pickle.dumps(layer)


# Transformations of torch ---------------------------------------------------------------------


@each_cell
def test_double_backward(name: str) -> None:
    layer = gw.Recurrent(name, 2, 2, dtype=DOUBLE)
    x = torch.randn(3, 1, 2, dtype=DOUBLE, requires_grad=True)
    (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
    found = torch.autograd.grad(first.square().sum(), x)
    reference = gw.Recurrent(name, 2, 2, dtype=DOUBLE, backend="reference")
    reference.load_state_dict(layer.state_dict())
    (first,) = torch.autograd.grad(reference(x)[0].square().sum(), x, create_graph=True)
    torch.testing.assert_close(found, torch.autograd.grad(first.square().sum(), x))


@pytest.mark.slow
@each_cell
def test_compile(name: str) -> None:
    torch.compiler.reset()  # each layer counts against one limit of recompilations
    layer = gw.Recurrent(name, 3, 4, dtype=DOUBLE)
    # aot_eager: everything but the code generator, which needs a compiler and half a minute.
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 2, 3, dtype=DOUBLE)
    torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.slow
def test_compile_with_everything() -> None:
    torch.compiler.reset()
    layer = gw.Recurrent(leaky, 3, 4, 2, True, True, 0.1, True, zoneout=0.1, dtype=DOUBLE).eval()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x, hx = torch.randn(2, 3, 3, dtype=DOUBLE), torch.randn(4, 2, 4, dtype=DOUBLE)
    lengths = torch.tensor([2, 0])
    torch.testing.assert_close(compiled(x, hx, lengths=lengths), layer(x, hx, lengths=lengths))


@each_cell
def test_export(name: str) -> None:
    layer = gw.Recurrent(name, 3, 4, dtype=DOUBLE)
    x = torch.randn(2, 2, 3, dtype=DOUBLE)
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))


@each_cell
@pytest.mark.parametrize("weights", [torch.float32, DOUBLE, torch.bfloat16])
def test_autocast_computes_in_float32_or_better(name: str, weights: torch.dtype) -> None:
    layer = gw.Recurrent(name, 3, 4, 2, dtype=weights)
    dtype = DOUBLE if weights == DOUBLE else torch.float32
    wide = copy.deepcopy(layer).to(dtype)
    x = torch.randn(5, 2, 3, dtype=torch.bfloat16)
    with torch.autocast("cpu"):
        found = layer(x)
        again = layer(x, found[1])
        one = layer.step(x[0])
        trace = layer.trace(x)
    expected = wide(x.to(dtype))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(again, wide(x.to(dtype), expected[1]))
    torch.testing.assert_close(one[0], expected[0][0])
    torch.testing.assert_close(trace.output, expected[0])


@each_cell
def test_half_precision_without_autocast(name: str) -> None:
    layer = gw.Recurrent(name, 3, 4, dtype=torch.bfloat16)
    x = torch.randn(5, 2, 3)
    output, _ = layer(x.bfloat16())
    assert output.dtype == torch.bfloat16
    expected, _ = copy.deepcopy(layer).float()(x)
    torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)
    assert layer.backend == "reference (torch.bfloat16 is not in the engine)"


def test_weights_may_be_replaced_for_a_call() -> None:
    layer = gw.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    other = {name: torch.randn_like(tensor) for name, tensor in layer.named_parameters()}
    found = torch.func.functional_call(layer, other, (x,))
    layer.load_state_dict(other)
    torch.testing.assert_close(found, layer(x))
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    torch.testing.assert_close(found, layer(x))


# What runs ------------------------------------------------------------------------------------


def test_the_reference_may_be_asked_for() -> None:
    assert gw.GRU(3, 4, backend="reference").backend == "reference (asked for)"
    with pytest.raises(ValueError, match="backend should be one of 'native', 'cudnn', 'reference'"):
        gw.GRU(3, 4, backend="fast")  # type: ignore[arg-type]


def test_a_backend_asked_for_runs_or_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(layer: gw.Recurrent, text: str) -> None:
        with pytest.raises(RuntimeError, match=text):
            layer(torch.zeros(1, 1, 3))
        with pytest.raises(RuntimeError, match=text):
            _ = layer.backend

    raises(gw.GRU(3, 4, backend="cudnn"), "'cudnn' was asked for, but cuDNN runs on CUDA devices")
    raises(gw.LSTM(3, 4, proj_size=2, backend="native"), "proj_size is not in the engine")
    monkeypatch.setattr(native, "unavailable", lambda cell, dtype: "it is away")
    raises(gw.GRU(3, 4, backend="native"), "backend='native' was asked for, but it is away")
    assert gw.GRU(3, 4).backend == "reference (it is away)"


def test_the_engine_runs_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Tensor] = []

    def run(cell: gw.Cell, x: Tensor, states: list[Tensor], *_: Any, **given: Any) -> Any:
        calls.append(x)
        assert sorted(given) == ["lengths", "mask", "zone"]
        return x.new_zeros(x.size(0), x.size(1), 4), states

    monkeypatch.setattr(native, "unavailable", lambda cell, dtype: None)
    monkeypatch.setattr(native, "level", lambda: "avx512")
    monkeypatch.setattr(native, "run", run)
    layer = gw.GRU(3, 4, batch_first=True)
    assert layer.backend == "native avx512"
    x = torch.ones(2, 5, 3)
    layer(x)
    assert calls[0].shape == (5, 2, 3)
    assert calls[0].data_ptr() == x.data_ptr()
    assert gw.LSTM(3, 4, proj_size=2).backend == "reference (proj_size is not in the engine)"
    meta = gw.GRU(3, 4, device="meta")
    assert meta.backend == "reference (the engine runs on the CPU, not on meta)"
    meta(torch.zeros(5, 2, 3, device="meta"))
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("lengths", [None, [3, 0, 5, 1]])
def test_the_operator_behind_cudnn(name: str, lengths: list[int] | None) -> None:
    """The same operator runs on the CPU, so that the path to cuDNN is tested without it."""
    layer = getattr(gw, name)(3, 4, 2, bidirectional=True, backend="reference", dtype=DOUBLE)
    x = torch.randn(5, 4, 3, dtype=DOUBLE)
    _, before = layer(torch.randn(5, 4, 3, dtype=DOUBLE))
    expected, final = layer(x, before, lengths=lengths)
    ends = None if lengths is None else torch.tensor(lengths)
    states = [before] if isinstance(before, Tensor) else list(before)
    output, found = layer._run_cudnn(x, states, ends)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(found, [final] if isinstance(final, Tensor) else list(final))


def test_what_cudnn_cannot_run() -> None:
    device = torch.device("cuda")
    for layer, reason in [
        (gw.GRU(3, 4), None),
        (gw.LSTM(3, 4, proj_size=2), None),
        (gw.Recurrent(leaky, 3, 4), "leaky is not in cuDNN"),
        (gw.GRU(3, 4, recurrent_dropout=0.1), "recurrent_dropout is not in cuDNN"),
        (gw.GRU(3, 4, zoneout=0.1), "zoneout is not in cuDNN"),
    ]:
        choice = layer._choice.choose(device, torch.float32)
        assert choice == (("cudnn", "") if reason is None else ("reference", reason))
    with pytest.raises(ValueError, match="backend should be one of"):
        check_backend("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("lengths", [None, [3, 0, 5, 1]])
def test_cudnn(name: str, lengths: list[int] | None) -> None:
    layer = getattr(gw, name)(3, 4, 2, bidirectional=True, dtype=DOUBLE)
    moved = copy.deepcopy(layer).cuda()
    assert moved.backend == "cudnn"
    x = torch.randn(5, 4, 3, dtype=DOUBLE)
    expected, found = layer(x, lengths=lengths)[0], moved(x.cuda(), lengths=lengths)[0]
    torch.testing.assert_close(found.cpu(), expected)


# The package ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_names_of_the_package() -> None:
    assert all(hasattr(gw, name) for name in gw.__all__)
    assert set(gw.__all__) <= set(dir(gw))
    assert isinstance(gw.__version__, str)
    with pytest.raises(AttributeError, match="has no attribute 'LSMT'"):
        _ = gw.LSMT


def test_the_language_works_without_torch() -> None:
    code = (
        "import sys, gatewright as gw\n"
        "made = gw.cell(lambda x, h: gw.step(h=gw.tanh(x.a + h.a)))\n"
        "sys.exit('torch' in sys.modules or made.states != ('h',))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
