"""What a layer keeps for its backward pass, beside what lives anyway: no more than is promised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gatewright as gw
from gatewright import cells
from gatewright.backends.native import library
from problems import ENGINE_CELLS

each_cell = pytest.mark.parametrize("name", ENGINE_CELLS)
BATCH, INPUT, HIDDEN = 3, 5, 16


def kept_bytes(layer: gw.Recurrent, time: int, **options: Any) -> int:
    """The memory that the graph holds, without parameters, the input and the output."""
    sizes = (BATCH, time) if layer.batch_first else (time, BATCH)
    x = torch.randn(*sizes, INPUT, requires_grad=True)
    # By place, so that what is saved twice counts once; held, so that no place is used again.
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output, _ = layer(x, **options)
    for own in (x, output, *layer.parameters()):
        saved.pop(own.untyped_storage().data_ptr(), None)
    assert output.requires_grad
    return sum(storage.nbytes() for storage in saved.values())


def kept_sizes(
    layer: gw.Recurrent, options: Callable[[int], dict[str, Any]] = lambda time: {}
) -> float:
    """Hidden sizes of values kept for each step, row and direction.

    From two lengths of time: what does not grow with it (initial states, lengths) drops out.
    """
    assert layer.backend.startswith("native")
    grown = kept_bytes(layer, 30, **options(30)) - kept_bytes(layer, 10, **options(10))
    directions = 2 if layer.bidirectional else 1
    size = layer.weight_ih_l0.element_size()
    return grown / (20 * BATCH * directions * HIDDEN * size)


def promised(name: str) -> int:
    """Saved values, states but the output, and the source of a second stage."""
    kernel, cell = library.kernel(cells.get(name)), cells.get(name)
    return kernel.saved + len(cell.states) - 1 + (kernel.stages > 1)


@each_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_layer_keeps_what_its_kernel_says(name: str, bidirectional: bool) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, bidirectional=bidirectional)
    assert 0 < kept_sizes(layer) <= promised(name)


def test_an_lstm_keeps_five_hidden_sizes() -> None:
    assert kept_sizes(gw.LSTM(INPUT, HIDDEN)) <= 5.0
    assert kept_sizes(gw.LSTM(INPUT, HIDDEN, bidirectional=True)) <= 5.0
    assert promised("lstm") == 5


@each_cell
def test_lengths_and_batch_first_keep_no_more(name: str) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN)
    lengths = torch.tensor([10, 0, 4])
    assert kept_sizes(layer, lambda _: {"lengths": lengths}) <= promised(name)
    turned = gw.Recurrent(name, INPUT, HIDDEN, batch_first=True)
    assert kept_sizes(turned) <= promised(name)


@each_cell
def test_recurrent_dropout_keeps_the_masked_outputs_too(name: str) -> None:
    if cells.get(name).h_projections:
        layer = gw.Recurrent(name, INPUT, HIDDEN, recurrent_dropout=0.5)
        assert kept_sizes(layer) <= promised(name) + 1


@each_cell
def test_layers_on_top_of_one_another_keep_their_outputs_too(name: str) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 3)
    assert kept_sizes(layer) <= 3 * promised(name) + 2


@each_cell
def test_without_gradients_nothing_is_kept(name: str) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN).requires_grad_(False)
    saved: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda tensor: tensor):
        layer(torch.randn(10, BATCH, INPUT))
        with torch.no_grad():
            layer.requires_grad_()(torch.randn(10, BATCH, INPUT))
    assert not saved
