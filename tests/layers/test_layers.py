"""The standard layers against torch.nn: constructors, parameters, numbers, gradients, errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

import gatewright as gw

DOUBLE = torch.float64
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
    ("GRU", {}),
]
each_kind = pytest.mark.parametrize(
    ("name", "options"), KINDS, ids=["-".join([n, *map(str, o.values())]) for n, o in KINDS]
)


def pair(name: str, *arguments: Any, **options: Any) -> tuple[torch.nn.Module, gw.Recurrent]:
    """torch's layer and ours, made from the same seed."""
    made = []
    for package in (torch.nn, gw):
        torch.manual_seed(3)
        made.append(getattr(package, name)(*arguments, **options))
    return made[0], made[1]


def flat(value: Any) -> list[Tensor]:
    if isinstance(value, PackedSequence):
        return [value.data]
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in value for tensor in flat(part)]


def assert_same(theirs: Any, ours: Any) -> None:
    for a, b in zip(flat(theirs), flat(ours), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10)


def states_for(layer: Any, batch: int) -> Any:
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    h = torch.randn(rows, batch, layer.proj_size or layer.hidden_size, dtype=DOUBLE)
    if not isinstance(layer, (torch.nn.LSTM, gw.LSTM)):
        return h
    return h, torch.randn(rows, batch, layer.hidden_size, dtype=DOUBLE)


def gradients(layer: torch.nn.Module, x: Tensor, hx: Any) -> list[Tensor]:
    """Of a sum with different weights for every element of every result."""
    inputs = [x, *flat(hx), *layer.parameters()]
    for tensor in inputs:
        tensor.requires_grad_()
    results = flat(layer(x, hx))
    total = torch.zeros((), dtype=DOUBLE)
    for result in results:
        total = total + (result * torch.arange(result.numel()).cos().view_as(result)).sum()
    return list(torch.autograd.grad(total, inputs))


@each_kind
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_outputs_and_gradients(
    name: str,
    options: dict[str, Any],
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
    bias: bool,
) -> None:
    common = dict(bias=bias, batch_first=batch_first, bidirectional=bidirectional, dtype=DOUBLE)
    theirs, ours = pair(name, 3, 5, num_layers, **common, **options)
    x, hx = torch.randn(6, 4, 3, dtype=DOUBLE), states_for(ours, 6 if batch_first else 4)
    assert_same(theirs(x, hx), ours(x, hx))
    assert_same(theirs(x), ours(x))
    assert_same(gradients(theirs, x, hx), gradients(ours, x, hx))


@each_kind
def test_same_seed_same_weights_names_and_text(name: str, options: dict[str, Any]) -> None:
    theirs, ours = pair(name, 3, 5, 2, bidirectional=True, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(a, b)
    expected: Any = theirs.all_weights
    for own, found in zip(expected, ours.all_weights, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own, found, strict=True))
    ours.flatten_parameters()


@each_kind
@pytest.mark.parametrize("bias", [False, True])
def test_state_dict_both_ways(name: str, options: dict[str, Any], bias: bool) -> None:
    theirs, ours = pair(name, 3, 5, 2, bias=bias, bidirectional=True, dtype=DOUBLE, **options)
    for source, target in ((theirs, ours), (ours, theirs)):
        for parameter in source.parameters():
            torch.nn.init.normal_(parameter)
        target.load_state_dict(source.state_dict(), strict=True)
        x = torch.randn(4, 2, 3, dtype=DOUBLE)
        assert_same(theirs(x), ours(x))


@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
def test_unbatched(name: str, options: dict[str, Any], batch_first: bool) -> None:
    theirs, ours = pair(
        name, 3, 5, 2, batch_first=batch_first, bidirectional=True, dtype=DOUBLE, **options
    )
    x, hx = torch.randn(6, 3, dtype=DOUBLE), states_for(ours, 1)
    hx = hx[:, 0] if isinstance(hx, Tensor) else tuple(state[:, 0] for state in hx)
    assert_same(theirs(x), ours(x))
    assert_same(theirs(x, hx), ours(x, hx))


@each_kind
@pytest.mark.parametrize("enforce_sorted", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed(
    name: str, options: dict[str, Any], enforce_sorted: bool, batch_first: bool
) -> None:
    theirs, ours = pair(
        name, 3, 5, 2, batch_first=batch_first, bidirectional=True, dtype=DOUBLE, **options
    )
    lengths = [6, 4, 4, 1] if enforce_sorted else [4, 1, 6, 4]
    sequences = [torch.randn(length, 3, dtype=DOUBLE) for length in lengths]
    packed = pack_sequence(sequences, enforce_sorted=enforce_sorted)
    for hx in (None, states_for(ours, 4)):
        expected, found = theirs(packed, hx), ours(packed, hx)
        assert_same(expected, found)
        for a, b in zip(expected[0][1:], found[0][1:], strict=True):
            assert (a is None and b is None) or torch.equal(a, b)


@each_kind
def test_lengths_equal_packing(name: str, options: dict[str, Any]) -> None:
    theirs, ours = pair(name, 3, 5, 2, bidirectional=True, dtype=DOUBLE, **options)
    x, lengths = torch.randn(6, 4, 3, dtype=DOUBLE), torch.tensor([4, 1, 6, 4])
    expected, final = theirs(pack_padded_sequence(x, lengths, enforce_sorted=False))
    output, state = ours(x, lengths=lengths)
    assert_same(torch.nn.utils.rnn.pad_packed_sequence(expected)[0], output)
    assert_same(final, state)


@each_kind
def test_dropout_between_layers_draws_as_torch(name: str, options: dict[str, Any]) -> None:
    theirs, ours = pair(name, 3, 5, 3, dropout=0.5, dtype=DOUBLE, **options)
    x = torch.randn(6, 4, 3, dtype=DOUBLE)
    results = []
    for layer in (theirs, ours):
        torch.manual_seed(5)
        results.append(layer(x))
    assert_same(*results)
    assert_same(theirs.eval()(x), ours.eval()(x))


def test_warning_for_dropout_without_layers_to_put_it_between() -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout") as theirs:
        torch.nn.GRU(3, 4, dropout=0.5)
    with pytest.warns(UserWarning, match="dropout option adds dropout") as ours:
        gw.GRU(3, 4, dropout=0.5)
    assert str(theirs[0].message) == str(ours[0].message)
    assert ours[0].filename == __file__


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_constructors_take_arguments_in_the_same_places(name: str) -> None:
    """As torch documents them, in the first line of its docstrings where it takes ``*args``."""
    theirs = getattr(torch.nn, name)
    if name.endswith("Cell"):
        expected = [*inspect.signature(theirs).parameters]
    else:
        first = theirs.__doc__.partition("__init__(")[2].partition(")")[0]
        expected = [argument.partition("=")[0].strip() for argument in first.split(",")]
    found = inspect.signature(getattr(gw, name)).parameters.values()
    assert [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD] == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@each_kind
def test_nan_and_infinity_pass_through(name: str, options: dict[str, Any], value: float) -> None:
    theirs, ours = pair(name, 3, 5, dtype=DOUBLE, **options)
    x = torch.randn(6, 4, 3, dtype=DOUBLE)
    x[2, 1, 0] = value
    for a, b in zip(flat(theirs(x)), flat(ours(x)), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10, equal_nan=True)


# Errors ---------------------------------------------------------------------------------------


def outcome(
    action: Callable[..., Any], *arguments: Any, **options: Any
) -> tuple[type[Exception], str]:
    with pytest.raises(Exception) as error:  # noqa: PT011, the types are compared
        action(*arguments, **options)
    return type(error.value), str(error.value)


FOR_ALL: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((0, 4), {}),
    ((3, 0), {}),
    ((-1, 4), {}),
    ((3.0, 4), {}),
    ((3, "4"), {}),
    ((3, 4, 0), {}),
    ((3, 4), {"bias": 1}),
    ((3, 4), {"batch_first": None}),
    ((3, 4), {"dropout": 1.5}),
    ((3, 4), {"dropout": -0.1}),
    ((3, 4), {"dropout": True}),
]
CONSTRUCTIONS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *[(name, *arguments) for name in ("RNN", "LSTM", "GRU") for arguments in FOR_ALL],
    ("LSTM", (3, 4), {"proj_size": 4}),
    ("LSTM", (3, 4), {"proj_size": -1}),
    ("GRU", (3, 4), {"proj_size": 2}),
    ("RNN", (3, 4), {"proj_size": 2}),
    ("RNN", (3, 4), {"nonlinearity": "gelu"}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CONSTRUCTIONS)
def test_construction_errors(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    theirs = outcome(getattr(torch.nn, name), *arguments, **options)
    assert outcome(getattr(gw, name), *arguments, **options) == theirs


def shapes(name: str, *sizes: tuple[int, ...]) -> Any:
    """A state of these sizes: one tensor, or for the LSTM two."""
    tensors = tuple(torch.zeros(size) for size in sizes)
    return tensors if name == "LSTM" else tensors[0]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(
    ("size", "state"),
    [
        ((5, 2, 3, 1), None),
        ((3,), None),
        ((5, 2, 4), None),
        ((5, 4), None),
        ((0, 2, 3), None),
        ((5, 2, 3), [(1, 3, 4), (1, 3, 4)]),
        ((5, 2, 3), [(2, 2, 4), (2, 2, 4)]),
        ((5, 2, 3), [(1, 2, 5), (1, 2, 5)]),
        ((5, 2, 3), [(1, 4), (1, 4)]),
        ((5, 3), [(1, 1, 4), (1, 1, 4)]),
        ((5, 3), [(2, 4), (2, 4)]),
    ],
)
def test_errors_of_shape(
    name: str, size: tuple[int, ...], state: list[tuple[int, ...]] | None
) -> None:
    theirs, ours = pair(name, 3, 4)
    hx = None if state is None else shapes(name, *state)
    expected = outcome(theirs, torch.zeros(size), hx)
    assert outcome(ours, torch.zeros(size), hx) == expected


def test_errors_of_a_second_state() -> None:
    theirs, ours = pair("LSTM", 3, 4, proj_size=2)
    x = torch.zeros(5, 2, 3)
    for sizes in ([(1, 2, 2), (1, 2, 2)], [(1, 2, 4), (1, 2, 4)], [(1, 2, 2), (1, 4)]):
        hx = shapes("LSTM", *sizes)
        assert outcome(ours, x, hx) == outcome(theirs, x, hx)
    three = (torch.zeros(1, 2, 2), *[torch.zeros(1, 2, 4)] * 2)
    kind, text = outcome(theirs, x, three)
    assert outcome(ours, x, three) == (kind, f"{text} (h, c), got 3")


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_errors_of_dtype_and_device(name: str) -> None:
    theirs, ours = pair(name, 3, 4)
    x = torch.zeros(5, 2, 3)
    for wrong in (x.double(), x.long(), x.half()):
        expected = outcome(theirs, wrong)
        assert outcome(ours, wrong) == expected
    hx = shapes(name, (1, 2, 4), (1, 2, 4))
    double = tuple(map(torch.Tensor.double, hx)) if name == "LSTM" else hx.double()
    with pytest.raises(RuntimeError, match=r"input tensor with torch.float32 and hidden tensor"):
        ours(x, double)
    with pytest.raises(RuntimeError, match=r"not at the same device, found input tensor at meta"):
        ours(x.to("meta"))
    away = tuple(state.to("meta") for state in hx) if name == "LSTM" else hx.to("meta")
    with pytest.raises(RuntimeError, match=r"not at the same device.*hidden tensor at meta"):
        ours(x, away)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_errors_of_kind(name: str) -> None:
    layer = getattr(gw, name)(3, 4)
    x = torch.zeros(5, 2, 3)
    with pytest.raises(TypeError, match="input should be a tensor or a PackedSequence, got list"):
        layer([1.0])
    wrong = torch.zeros(1, 2, 4) if name == "LSTM" else (torch.zeros(1, 2, 4),)
    with pytest.raises(TypeError, match=r"hx should be a t.*got"):
        layer(x, wrong)


def test_errors_of_packed_input() -> None:
    theirs, ours = pair("GRU", 3, 4)
    narrow = pack_sequence([torch.zeros(4, 2), torch.zeros(3, 2)])
    assert outcome(ours, narrow) == outcome(theirs, narrow)
    double = pack_sequence([torch.zeros(4, 3).double()])
    assert outcome(ours, double) == outcome(theirs, double)
    packed = pack_sequence([torch.zeros(3, 3), torch.zeros(4, 3)], enforce_sorted=False)
    # torch picks rows out of a larger batch without a word.
    with pytest.raises(RuntimeError, match=r"Expected hidden size \(1, 2, 4\), got \[1, 3, 4\]"):
        ours(packed, torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match="lengths should be None for a PackedSequence"):
        ours(packed, lengths=[3, 4])


def test_empty_batch() -> None:
    theirs, ours = pair("GRU", 3, 4, 2, bidirectional=True)
    x = torch.zeros(5, 0, 3)
    assert [a.shape for a in flat(theirs(x))] == [b.shape for b in flat(ours(x))]
    output, state = ours(x, lengths=[])
    assert output.shape == (5, 0, 8)
    assert state.shape == (4, 0, 4)
