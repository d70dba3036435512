"""Steps of a live stream: what several tests need."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import gatewright as gw

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
INPUT, HIDDEN = 7, 19


def tensors(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)


def state_for(layer: gw.Recurrent, batch: int | None = 1) -> Any:
    """A state above zero: a normaliser, which a cell may divide by, is never negative."""
    dtype = layer.weight_ih_l0.dtype
    shape = (layer.num_layers, *([] if batch is None else [batch]), layer.hidden_size)
    made = tuple(torch.rand(shape, dtype=dtype) + 0.1 for _ in layer.cell.states)
    return made if len(made) > 1 else made[0]


def input_for(layer: gw.Recurrent, *sizes: int) -> Tensor:
    return torch.randn(*sizes, layer.input_size, dtype=layer.weight_ih_l0.dtype)


def slow_step(layer: gw.Recurrent, x: Tensor, state: Any) -> list[Tensor]:
    """With autograd, where there is no short way."""
    with torch.enable_grad():
        y, state = layer.step(x, state)
    return [y.detach(), *(part.detach() for part in tensors(state))]


def assert_close(ours: list[Tensor], wanted: list[Tensor]) -> None:
    for a, b in zip(ours, wanted, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=TOLERANCE[b.dtype], atol=TOLERANCE[b.dtype])
