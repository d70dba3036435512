"""On a GPU: the numbers of the CPU, the types and dtypes of torch's layer, cuDNN where it can."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gatewright as gw
from gatewright import cells

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DOUBLE = torch.float64
STANDARD = ["RNN", "LSTM", "GRU"]
TIME, BATCH, INPUTS, UNITS = 7, 4, 3, 5


def on_both(layer: nn.Module) -> tuple[nn.Module, nn.Module]:
    return layer, copy.deepcopy(layer).cuda()


def ours_and_torchs(name: str, *sizes: int, **options: Any) -> tuple[nn.Module, nn.Module]:
    """Of the same weights, on the GPU."""
    ours = getattr(gw, name)(*sizes, device="cuda", **options)
    theirs = getattr(nn, name)(*sizes, device="cuda", **options)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def flat(found: Any) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return [tensor for part in found for tensor in flat(part)]


def assert_same(found: Any, expected: Any, **tolerance: float) -> None:
    for one, other in zip(flat(found), flat(expected), strict=True):
        torch.testing.assert_close(one.cpu(), other.cpu(), **tolerance)


def gradients(layer: nn.Module, x: Tensor, **options: Any) -> list[Tensor]:
    """Of the input and of every parameter, of a loss that every output and state enters."""
    x = x.detach().requires_grad_()
    found = layer(x, **options)
    like = {"dtype": x.dtype, "device": x.device}
    loss = sum(
        (tensor * torch.linspace(-1, 1, tensor.numel(), **like).view_as(tensor)).sum()
        for tensor in flat(found)
    )
    return list(torch.autograd.grad(loss, [x, *layer.parameters()]))


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bidirectional": True},
        {"bias": False, "batch_first": True},
        {"learn_initial_state": True},
    ],
    ids=["plain", "deep", "batch_first", "learned"],
)
@pytest.mark.parametrize("lengths", [None, [3, 0, 7, 1]], ids=["whole", "lengths"])
def test_numbers_and_gradients(name: str, options: dict[str, Any], lengths: Any) -> None:
    layer, moved = on_both(getattr(gw, name)(INPUTS, UNITS, dtype=DOUBLE, **options))
    assert moved.backend == "cudnn"
    x = torch.randn(
        (BATCH, TIME, INPUTS) if options.get("batch_first") else (TIME, BATCH, INPUTS), dtype=DOUBLE
    )
    assert_same(moved(x.cuda(), lengths=lengths), layer(x, lengths=lengths))
    assert_same(gradients(moved, x.cuda(), lengths=lengths), gradients(layer, x, lengths=lengths))


@pytest.mark.parametrize("cell", sorted(cells.names()))
@pytest.mark.parametrize("lengths", [None, [3, 0, 7, 1]], ids=["whole", "lengths"])
def test_every_cell(cell: str, lengths: Any) -> None:
    layer, moved = on_both(gw.Recurrent(cell, INPUTS, UNITS, 2, bidirectional=True, dtype=DOUBLE))
    x = torch.randn(TIME, BATCH, INPUTS, dtype=DOUBLE)
    assert_same(moved(x.cuda(), lengths=lengths), layer(x, lengths=lengths))
    assert_same(gradients(moved, x.cuda(), lengths=lengths), gradients(layer, x, lengths=lengths))
    assert_same(moved.trace(x.cuda())["h"], layer.trace(x)["h"])


@pytest.mark.parametrize("name", STANDARD)
def test_packed_sequences(name: str) -> None:
    layer, moved = on_both(getattr(gw, name)(INPUTS, UNITS, 2, dtype=DOUBLE))
    x = torch.randn(TIME, BATCH, INPUTS, dtype=DOUBLE)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([3, 7, 1, 5]), enforce_sorted=False)
    found, final = moved(packed.to("cuda"))
    expected, last = layer(packed)
    assert_same(found.data, expected.data)
    assert_same(final, last)


@pytest.mark.parametrize("name", STANDARD)
def test_initial_states_no_batch_and_no_row(name: str) -> None:
    layer, moved = on_both(getattr(gw, name)(INPUTS, UNITS, dtype=DOUBLE))
    _, state = layer(torch.randn(TIME, BATCH, INPUTS, dtype=DOUBLE))
    on_gpu = tuple(s.cuda() for s in state) if isinstance(state, tuple) else state.cuda()
    x = torch.randn(TIME, BATCH, INPUTS, dtype=DOUBLE)
    assert_same(moved(x.cuda(), on_gpu), layer(x, state))
    assert_same(moved(x[:, 0].cuda()), layer(x[:, 0]))
    assert moved(x[:, :0].cuda())[0].shape == (TIME, 0, UNITS)


@pytest.mark.filterwarnings("ignore:RNN module weights are not part of single")
@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_same_bits_as_torch(name: str, dtype: torch.dtype) -> None:
    """One cuDNN call each, so nothing may differ. Torch warns in bfloat16."""
    ours, theirs = ours_and_torchs(name, INPUTS, UNITS, 2, dtype=dtype)
    x = torch.randn(TIME, BATCH, INPUTS, device="cuda", dtype=dtype)
    assert_same(ours(x), theirs(x), rtol=0, atol=0)
    assert_same(gradients(ours, x), gradients(theirs, x), rtol=0, atol=0)


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("given", [torch.float32, "half"])
def test_autocast_as_torch(name: str, dtype: torch.dtype, given: Any) -> None:
    ours, theirs = ours_and_torchs(name, INPUTS, UNITS, 2)
    x = torch.randn(TIME, BATCH, INPUTS, device="cuda", dtype=dtype if given == "half" else given)
    with torch.autocast("cuda", dtype):
        found, expected = ours(x), theirs(x)
        assert [one.dtype for one in flat(found)] == [one.dtype for one in flat(expected)]
        assert_same(found, expected, rtol=0, atol=0)
        found[0].float().sum().backward()
        expected[0].float().sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert_same(one.grad, other.grad, rtol=0, atol=0)


def test_autocast_with_lengths_and_other_cells() -> None:
    x = torch.randn(TIME, BATCH, INPUTS, device="cuda")
    for layer in (gw.GRU(INPUTS, UNITS).cuda(), gw.Recurrent("mgu", INPUTS, UNITS).cuda()):
        whole = layer(x, lengths=[3, 0, 7, 1])[0]
        with torch.autocast("cuda", torch.bfloat16):
            found = layer(x, lengths=[3, 0, 7, 1])[0]
        torch.testing.assert_close(found.float(), whole, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, DOUBLE])
def test_weights_stay_in_one_block(name: str, dtype: torch.dtype) -> None:
    """Else cuDNN copies them at each call, and torch warns: moved, copied, loaded, trained."""
    layer = copy.deepcopy(getattr(gw, name)(INPUTS, UNITS, 2).cuda().to(dtype))
    layer.load_state_dict(getattr(gw, name)(INPUTS, UNITS, 2).state_dict())
    optimizer = torch.optim.Adam(layer.parameters(), fused=True)
    x = torch.randn(TIME, BATCH, INPUTS, device="cuda", dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = layer(x)[0]
        before.sum().backward()
        optimizer.step()
        after = layer(x)[0]
    assert not torch.equal(before, after)
    starts = {p.untyped_storage().data_ptr() for p in layer.parameters()}
    assert len(starts) == 1


@pytest.mark.parametrize("name", STANDARD)
def test_steps_are_the_sequence(name: str) -> None:
    layer = getattr(gw, name)(INPUTS, UNITS, 2, dtype=DOUBLE).cuda()
    x = torch.randn(TIME, BATCH, INPUTS, dtype=DOUBLE, device="cuda")
    whole, final = layer(x)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            state, outputs = None, []
            for x_t in x:
                y, state = layer.step(x_t, state)
                outputs.append(y)
        assert_same(torch.stack(outputs), whole)
        assert_same(state, final)


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_cells_as_torch(name: str, dtype: torch.dtype) -> None:
    ours, theirs = ours_and_torchs(name, INPUTS, UNITS, dtype=dtype)
    x = torch.randn(BATCH, INPUTS, device="cuda", dtype=dtype)
    tolerance = {"rtol": 2e-3, "atol": 2e-3} if dtype == torch.float16 else {}
    assert_same(ours(x), theirs(x), **tolerance)
    assert_same(gradients(ours, x), gradients(theirs, x), **tolerance)


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_under_autocast(name: str) -> None:
    ours, theirs = ours_and_torchs(name, INPUTS, UNITS)
    x = torch.randn(BATCH, INPUTS, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        found, expected = flat(ours(x)), flat(theirs(x))
    assert [one.dtype for one in found] == [one.dtype for one in expected]
    assert_same(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", STANDARD)
def test_dropout_between_layers(name: str) -> None:
    layer = getattr(gw, name)(INPUTS, UNITS, 2, dropout=0.5).cuda()
    x = torch.randn(TIME, BATCH, INPUTS, device="cuda")
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch 2.11 about itself
@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("layers", [1, 2])
def test_compiled(name: str, layers: int) -> None:
    layer = getattr(gw, name)(INPUTS, UNITS, layers, dtype=DOUBLE).cuda()
    x = torch.randn(TIME, BATCH, INPUTS, dtype=DOUBLE, device="cuda")
    assert_same(torch.compile(layer, fullgraph=True)(x), layer(x))


def test_standard_cells_by_name_use_cudnn_too() -> None:
    @gw.cell
    def gru(x: Any, h: Any, state: Any) -> Any:  # not the built-in one
        return gw.step(h=gw.tanh(x.new + h.new) * state.h)

    assert gw.Recurrent("gru", INPUTS, UNITS).cuda().backend == "cudnn"
    assert gw.Recurrent(gru, INPUTS, UNITS).cuda().backend == "reference (gru is not in cuDNN)"
    options = {"proj_size": 2, "device": "cuda"}
    assert gw.Recurrent("lstm", INPUTS, UNITS, **options).backend == "cudnn"
    found = gw.Recurrent("gru_reset_before", INPUTS, UNITS, device="cuda").backend
    assert found == "reference (gru_reset_before is not in cuDNN)"


def test_devices_that_do_not_agree() -> None:
    layer = gw.GRU(INPUTS, UNITS).cuda()
    with pytest.raises(RuntimeError, match=r"cuda:0.*cpu|cpu.*cuda:0"):
        layer(torch.randn(TIME, BATCH, INPUTS))
    with pytest.raises(RuntimeError, match="'native' was asked for"):
        gw.GRU(INPUTS, UNITS, backend="native").cuda()(
            torch.randn(TIME, BATCH, INPUTS, device="cuda")
        )
    back = layer.cpu()
    assert back.backend.startswith(("native", "reference"))
    assert back(torch.randn(TIME, BATCH, INPUTS))[0].shape == (TIME, BATCH, UNITS)
