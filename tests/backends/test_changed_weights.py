"""A layer reads its weights as they are when it is called, however they were written."""

from __future__ import annotations

import copy
from ctypes import byref
from random import Random

import pytest
import torch
from torch import Tensor, nn

import gatewright as gw
from gatewright.backends import native
from gatewright.backends.native import library
from gatewright.backends.native.packing import DirectionWeights, sizes

LEVELS = library.load().levels
WORD = {torch.float32: torch.int32, torch.float64: torch.int64}


def place(weight: Tensor, random: Random) -> tuple[int, ...]:
    return tuple(random.randrange(size) for size in weight.shape)


def element(weight: Tensor, random: Random) -> None:
    weight.data[place(weight, random)] += 1


def row(weight: Tensor, random: Random) -> None:
    weight.data[random.randrange(len(weight))] += 1


def column(weight: Tensor, random: Random) -> None:
    weight.data[..., random.randrange(weight.shape[-1])] += 1


def eight_rows(weight: Tensor, random: Random) -> None:
    weight.data[random.randrange(len(weight)) :][:8] += 1


def through_numpy(weight: Tensor, random: Random) -> None:
    weight.detach().numpy()[place(weight, random)] *= 1.5


def one_bit(weight: Tensor, random: Random) -> None:
    dtype = WORD[weight.dtype]
    bit = random.randrange(8 * dtype.itemsize)
    bits = weight.data.view(dtype)
    bits[place(weight, random)] ^= (1 << bit) if bit < 8 * dtype.itemsize - 1 else -(1 << bit)


def negated(weight: Tensor, random: Random) -> None:
    weight.data.neg_()


def two_rows_negated(weight: Tensor, random: Random) -> None:
    for at in random.sample(range(len(weight)), 2):
        weight.data[at].neg_()


def two_signs_flipped(weight: Tensor, random: Random) -> None:
    flat = weight.data.view(-1)
    flat[torch.tensor(random.sample(range(flat.numel()), 2))] *= -1


def rows_swapped(weight: Tensor, random: Random) -> None:
    one, two = random.sample(range(len(weight)), 2)
    weight.data[[one, two]] = weight.data[[two, one]]


def elements_swapped(weight: Tensor, random: Random) -> None:
    flat = weight.data.view(-1)
    one, two = random.sample(range(flat.numel()), 2)
    flat[[one, two]] = flat[[two, one]]


def rolled(weight: Tensor, random: Random) -> None:
    weight.data.copy_(weight.data.roll(random.randrange(1, len(weight)), 0))


def scaled_to_and_fro(weight: Tensor, random: Random) -> None:
    """What one element gains another one loses."""
    flat = weight.data.view(-1)
    one, two = random.sample(range(flat.numel()), 2)
    flat[one] += 0.25
    flat[two] -= 0.25


WRITES = [
    element, row, column, eight_rows, through_numpy, one_bit, negated, two_rows_negated,
    two_signs_flipped, rows_swapped, elements_swapped, rolled, scaled_to_and_fro,
]  # fmt: skip

# (layer, times over all kinds of writes): 10,010 writes in all
LAYERS = [
    (lambda: gw.GRU(8, 64), 420),
    (lambda: gw.LSTM(64, 128), 60),
    (lambda: gw.RNN(16, 200), 60),
    (lambda: gw.LSTM(300, 300), 10),
    (lambda: gw.GRU(3, 5, num_layers=2, bidirectional=True, dtype=torch.float64), 150),
    (lambda: gw.Recurrent("lstm_peephole", 4, 19), 70),
]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "times"), LAYERS, ids=lambda value: "")
def test_no_write_is_missed(make, times):
    layer, random = make(), Random(0)
    x = torch.randn(2, 2, layer.input_size, dtype=layer.weight_ih_l0.dtype)
    twin = copy.deepcopy(layer)
    parameters, others = list(layer.parameters()), list(twin.parameters())
    missed = []
    with torch.no_grad():
        layer(x)
        for time in range(times):
            for write in WRITES:
                chosen = random.randrange(len(parameters))
                before = parameters[chosen]._version
                write(parameters[chosen], random)
                assert parameters[chosen]._version == before
                others[chosen].copy_(parameters[chosen])  # moves a counter: packed anew
                ours, wanted = (each(x)[0].nan_to_num(0.123) for each in (layer, twin))
                if not torch.equal(ours, wanted):
                    missed.append((write.__name__, time))
                # Small again, and free of what a bit may make: huge numbers, NaN.
                if time % 10 == 0 or not parameters[chosen].abs().max() < 10:
                    parameters[chosen].uniform_(-0.3, 0.3)
                    others[chosen].copy_(parameters[chosen])
    assert not missed


def digests(weights: DirectionWeights, threads: int = 1) -> int:
    loaded = library.load()
    where = (loaded.level, weights.kernel.index, weights.is_double, weights.input, weights.hidden)
    pointers = byref(weights.pointers)
    return loaded.functions.gatewright_pack(*where, threads, pointers, None, None)


def weights_of(layer: gw.Recurrent) -> DirectionWeights:
    parameters = [parameter.detach() for parameter in layer.parameters()]
    own = sizes(layer.cell.name, len(parameters))
    kernel = library.kernel(layer.cell)
    return DirectionWeights(kernel, parameters, own, layer.input_size, layer.hidden_size)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("values", ["drawn", "zero", "one"])
def test_every_bit_is_in_the_digest(level, values):
    layer = gw.GRU(3, 5)
    with torch.no_grad():
        for parameter in layer.parameters():
            {"drawn": lambda p: p, "zero": nn.init.zeros_, "one": nn.init.ones_}[values](parameter)
    weights, seen, bits = weights_of(layer), set(), 0
    with native.at_level(level):
        seen.add(digests(weights))
        for tensor in weights.tensors:
            words = tensor.view(-1).view(torch.int32)
            for at in range(len(words)):
                for bit in range(32):
                    mask = (1 << bit) if bit < 31 else -(1 << 31)
                    words[at] ^= mask
                    seen.add(digests(weights))
                    words[at] ^= mask
                    bits += 1
    assert len(seen) == 1 + bits


@pytest.mark.parametrize("level", LEVELS)
def test_pairs_of_equal_changes_do_not_cancel(level):
    """Every pair of flipped signs in equal and in other values; every pair of places changed."""
    layer = gw.RNN(2, 8)
    weights, seen = weights_of(layer), {}
    flat = weights.tensors[1].view(-1)
    with native.at_level(level):
        for values in (torch.ones(64), torch.arange(64.0), torch.randn(64)):
            flat.copy_(values)
            seen = {digests(weights)}
            for one in range(64):
                for two in range(one):
                    flat[[one, two]] *= -1
                    seen.add(digests(weights))
                    flat[[one, two]] *= -1
            distinct = 64 * 63 // 2 - (63 if values[0] == 0 else 0)
            assert len(seen) >= 1 + distinct
        swapped = {digests(weights)}
        for one in range(64):
            for two in range(one):
                flat[[one, two]] = flat[[two, one]]
                swapped.add(digests(weights))
                flat[[one, two]] = flat[[two, one]]
        assert len(swapped) == 1 + 64 * 63 // 2


def test_the_digest_does_not_depend_on_the_number_of_threads():
    weights = weights_of(gw.LSTM(100, 150))
    assert len({digests(weights, threads) for threads in (1, 2, 3, 5)}) == 1


@pytest.mark.slow
def test_a_fused_optimiser_is_noticed():
    layer, x = gw.GRU(4, 8), torch.randn(5, 2, 4)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1, fused=True)
    for _ in range(5):
        optimizer.zero_grad()
        layer(x)[0].sum().backward()
        optimizer.step()
        wanted = gw.GRU(4, 8, backend="reference")
        wanted.load_state_dict(layer.state_dict())
        torch.testing.assert_close(layer(x)[0], wanted(x)[0])


def test_a_change_between_forward_and_backward_is_an_error_as_in_torch():
    for kind in (gw.LSTM, nn.LSTM):
        layer = kind(4, 8)
        output = layer(torch.randn(5, 2, 4))[0].sum()
        with torch.no_grad():
            layer.weight_hh_l0[3] += 1
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            output.backward()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_backward_reads_the_weights_as_they_are(bidirectional):
    """As torch's operators do where no version counter moved."""
    gradients = []
    for backend in (None, "reference"):
        torch.manual_seed(1)
        layer = gw.GRU(4, 8, bidirectional=bidirectional, backend=backend)
        x = torch.randn(5, 2, 4, requires_grad=True)
        layer(x)[0].sum().backward()  # backward weights are packed once
        x.grad = None
        layer.zero_grad()
        output = layer(x)[0].sum()
        layer.weight_hh_l0.data[3, 5] += 1
        output.backward()
        gradients.append([x.grad, *(p.grad for p in layer.parameters())])
    torch.testing.assert_close(*gradients)


def test_inference_tensors_are_followed_too():
    with torch.inference_mode():
        layer, x = gw.GRU(4, 8), torch.randn(5, 2, 4)
        wanted = gw.GRU(4, 8, backend="reference")
        for _ in range(3):
            layer.weight_hh_l0[2, 1] += 1
            wanted.load_state_dict(layer.state_dict())
            torch.testing.assert_close(layer(x)[0], wanted(x)[0])


@pytest.mark.parametrize("own_state", [False, True], ids=["no state", "a state of one's own"])
@pytest.mark.parametrize("cell", ["gru", "lstm", "lstm_peephole"])
def test_a_stream_begins_on_the_weights_as_they_are(cell, own_state):
    layer = gw.Recurrent(cell, 3, 5, num_layers=2)
    x = torch.randn(20, 2, 3)
    zero = tuple(torch.zeros(2, 2, 5) for _ in layer.cell.states)
    zero = (zero if len(zero) > 1 else zero[0]) if own_state else None

    def stream():
        y, state = None, zero
        for step in range(4):
            y, state = layer.step(x[step], state)
        return y

    with torch.no_grad():
        for at, parameter in enumerate(layer.parameters()):
            assert torch.allclose(layer(x[:4])[0][-1], stream(), atol=1e-6)
            parameter.data.view(-1)[at % parameter.numel()] += 0.5
            assert torch.allclose(layer(x[:4])[0][-1], stream(), atol=1e-6)


def test_a_copied_state_begins_a_stream():
    layer, x = gw.LSTM(3, 5), torch.randn(2, 3)
    with torch.no_grad():
        _, state = layer.step(x)
        _, state = layer.step(x, state)
        layer.weight_hh_l0.data[2] += 1
        kept, _ = layer.step(x, state)
        copied, _ = layer.step(x, tuple(part.clone() for part in state))
        wanted = layer(x[None], state)[0][0]
    assert torch.allclose(copied, wanted, atol=1e-6)
    assert not torch.allclose(kept, wanted, atol=1e-6)


def test_states_that_are_gone_leave_nothing_behind():
    layer, state = gw.GRU(3, 5), torch.zeros(1, 2, 5)
    with torch.no_grad():
        for _ in range(50):
            _, state = layer.step(torch.randn(2, 3), state)
    assert len(layer._stepper.going) == 1
