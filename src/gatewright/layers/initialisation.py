"""How the parameters of a layer start."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import init


def uniform(
    parameters: Mapping[str, Tensor], hidden_size: int, bounds: Mapping[str, tuple[float, float]]
) -> None:
    """As torch.nn: uniform within 1 / sqrt(hidden_size) of 0, drawn in the parameters' order.

    bounds: for some names, others.
    """
    limit = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0.0
    for name, tensor in parameters.items():
        init.uniform_(tensor, *bounds.get(name, (-limit, limit)))


def orthogonal(weight_hh: Tensor, hidden_size: int) -> None:
    """Make the recurrent weights of each gate an orthogonal matrix (Saxe and others 2014)."""
    with torch.no_grad():
        for gate in weight_hh.split(hidden_size):
            # The decomposition behind it is not there for half precision.
            exact = torch.float64 if gate.dtype == torch.float64 else torch.float32
            gate.copy_(init.orthogonal_(torch.empty_like(gate, dtype=exact)))


def set_gate_bias(bias: Tensor, gates: tuple[str, ...], gate: str, value: float) -> None:
    """Set the part of a stacked bias that belongs to one gate."""
    with torch.no_grad():
        bias.unflatten(0, (len(gates), -1))[gates.index(gate)].fill_(value)
