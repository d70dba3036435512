"""RNNCell, LSTMCell and GRUCell against torch.nn."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gatewright as gw

DOUBLE = torch.float64
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("LSTMCell", {}),
    ("GRUCell", {}),
]
each_kind = pytest.mark.parametrize(("name", "options"), KINDS)


def pair(name: str, *arguments: Any, **options: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    made = []
    for package in (torch.nn, gw):
        torch.manual_seed(3)
        made.append(getattr(package, name)(*arguments, **options))
    return made[0], made[1]


def state(name: str, *sizes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Any:
    tensors = tuple(torch.randn(size, dtype=dtype) for size in sizes)
    return tensors if name == "LSTMCell" else tensors[0]


def close(theirs: Any, ours: Any) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@each_kind
@pytest.mark.parametrize("bias", [False, True])
def test_numbers_and_parameters(name: str, options: dict[str, Any], bias: bool) -> None:
    theirs, ours = pair(name, 3, 4, bias=bias, dtype=DOUBLE, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, dtype=DOUBLE)
    hx, flat_hx = state(name, (2, 4), (2, 4), dtype=DOUBLE), state(name, (4,), (4,), dtype=DOUBLE)
    close(theirs(x), ours(x))
    close(theirs(x, hx), ours(x, hx))
    close(theirs(x[0], flat_hx), ours(x[0], flat_hx))

    def gradients(module: torch.nn.Module) -> tuple[Tensor, ...]:
        result = module(x, hx)
        total = result.sum() if isinstance(result, Tensor) else (result[0] * result[1]).sum()
        return torch.autograd.grad(total, list(module.parameters()))

    close(gradients(theirs), gradients(ours))


@each_kind
def test_same_seed_same_weights(name: str, options: dict[str, Any]) -> None:
    theirs, ours = pair(name, 3, 4, **options)
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(a, b)


@each_kind
def test_empty_sizes(name: str, options: dict[str, Any]) -> None:
    for sizes in ((0, 4), (3, 0)):
        theirs, ours = pair(name, *sizes, dtype=DOUBLE, **options)
        x = torch.randn(2, sizes[0], dtype=DOUBLE)
        close(theirs(x), ours(x))


@each_kind
def test_copies(name: str, options: dict[str, Any]) -> None:
    layer = getattr(gw, name)(3, 4, **options)
    x = torch.randn(2, 3)
    for made in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        close(layer(x), made(x))


@each_kind
def test_autocast_computes_in_float32(name: str, options: dict[str, Any]) -> None:
    layer = getattr(gw, name)(3, 4, **options)
    x = torch.randn(2, 3)
    with torch.autocast("cpu"):
        found = layer(x.bfloat16())
    close(layer(x.bfloat16().float()), found)


def outcome(
    action: Callable[..., Any], *arguments: Any, **options: Any
) -> tuple[type[Exception], str]:
    with pytest.raises(Exception) as error:  # noqa: PT011, the types are compared
        action(*arguments, **options)
    return type(error.value), str(error.value)


# The shapes of an input and of the states.
WRONG_SHAPES: list[tuple[tuple[int, ...], list[tuple[int, ...]] | None]] = [
    ((2, 2, 3), None),
    ((), None),
    ((2, 5), None),
    ((5,), None),
    ((2, 3), [(3, 4), (3, 4)]),
    ((2, 3), [(2, 5), (2, 5)]),
    ((2, 3), [(4,), (4,)]),
    ((2, 3), [(1, 2, 4), (1, 2, 4)]),
    ((3,), [(1, 4), (1, 4)]),
]
WRONG_SECOND_STATES = [
    ((2, 3), [(2, 4), (3, 4)]),
    ((2, 3), [(2, 4), (2, 5)]),
    ((2, 3), [(2, 4), (1, 2, 4)]),
]


@pytest.mark.parametrize(
    ("name", "size", "sizes"),
    [
        *(
            (name, *shapes)
            for name in ("RNNCell", "LSTMCell", "GRUCell")
            for shapes in WRONG_SHAPES
        ),
        *(("LSTMCell", *shapes) for shapes in WRONG_SECOND_STATES),
    ],
)
def test_errors_of_shape(
    name: str, size: tuple[int, ...], sizes: list[tuple[int, ...]] | None
) -> None:
    theirs, ours = pair(name, 3, 4)
    x = torch.zeros(size)
    hx = None if sizes is None else state(name, *sizes)
    assert outcome(ours, x, hx) == outcome(theirs, x, hx)


def test_other_errors() -> None:
    theirs, ours = pair("LSTMCell", 3, 4)
    x = torch.zeros(2, 3)
    kind, text = outcome(theirs, x, (torch.zeros(2, 4),))
    assert outcome(ours, x, (torch.zeros(2, 4),)) == (kind, f"{text} (h, c), got 1")
    with pytest.raises(RuntimeError, match="Unknown nonlinearity: gelu"):
        gw.RNNCell(3, 4, nonlinearity="gelu")
    with pytest.raises(RuntimeError, match=r"input has dtype torch.float64"):
        ours(x.double())
    with pytest.raises(RuntimeError, match=r"hidden1 has dtype torch.float64"):
        ours(x, (torch.zeros(2, 4), torch.zeros(2, 4).double()))
    with pytest.raises(RuntimeError, match="input is on meta, the weights on cpu"):
        ours(x.to("meta"))
