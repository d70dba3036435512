"""The cells of torch.nn as modules that run one step: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gatewright import cells
from gatewright.backends import cudnn
from gatewright.backends.choice import Choice
from gatewright.layers import initialisation
from gatewright.layers.autocast import autocasts, wide_dtype
from gatewright.layers.checks import Hidden, unpack_states
from gatewright.layers.pickling import ByName
from gatewright.layers.standard import NONLINEARITIES, Device


class _CellModule(nn.Module):
    """One step of a cell with torch.nn's parameters: weight_ih, weight_hh, bias_ih, bias_hh."""

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: Device,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.cell = cells.get(cell)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        sizes = {"ih": len(self.cell.x_projections), "hh": len(self.cell.h_projections)}
        widths = {"ih": input_size, "hh": hidden_size}
        for end, count in sizes.items():
            shape = (count * hidden_size, widths[end])
            weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
            setattr(self, f"weight_{end}", weight)
        for end, count in sizes.items():
            row = torch.empty(count * hidden_size, device=device, dtype=dtype)
            self.register_parameter(f"bias_{end}", nn.Parameter(row) if bias else None)
        self._set_up()
        self.reset_parameters()

    def _set_up(self) -> None:
        empty = "" if self.input_size and self.hidden_size else "an empty size is not in the engine"
        self._choice = Choice(self.cell, None, missing=empty)

    def reset_parameters(self) -> None:
        """Draw the parameters anew from torch's generator."""
        initialisation.uniform(dict(self.named_parameters()), self.hidden_size, {})

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_choice"]
        state["cell"] = ByName(self.cell)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if isinstance(self.cell, ByName):
            self.cell = self.cell.cell
        self._set_up()

    def extra_repr(self) -> str:
        end = "" if self.bias else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{end}"

    def forward(self, input: Tensor, hx: Hidden | None = None) -> Any:
        """One step.

        input: (batch, input_size) or (input_size,). hx: the previous state, (batch, hidden_size)
        or (hidden_size,), zero by default; a tuple of them for a cell with several. Returns the
        next state in the same form.

        Raises ValueError or RuntimeError in the cases and words of torch.nn.
        """
        name, batched = type(self).__name__, input.dim() == 2
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            zeros = torch.zeros(x.size(0), self.hidden_size, dtype=x.dtype, device=x.device)
            states = [zeros] * len(self.cell.states)
        else:
            states = unpack_states(hx, self.cell.states, self.cell.name + "_cell")
            for number, state in enumerate(states):
                which = "hidden" if len(states) == 1 else f"hx[{number}]"
                if state.dim() not in (1, 2):
                    raise ValueError(
                        f"{name}: Expected {which} to be 1D or 2D, got {state.dim()}D instead"
                    )
            states = states if batched else [state.unsqueeze(0) for state in states]
        self._check(x, states)
        final = [state if batched else state[0] for state in self._run(x, states)]
        return final[0] if len(final) == 1 else tuple(final)

    def _check(self, x: Tensor, states: list[Tensor]) -> None:
        if x.size(1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {x.size(1)} expected {self.input_size}"
            )
        weight = self.weight_ih
        for number, state in enumerate(states):
            if state.size(0) != x.size(0):
                raise RuntimeError(
                    f"Input batch size {x.size(0)} doesn't match hidden{number} batch size "
                    f"{state.size(0)}"
                )
            if state.dim() > 1 and state.size(1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{number} has inconsistent hidden_size: got {state.size(1)}, expected "
                    f"{self.hidden_size}"
                )
            if state.dim() != 2:
                raise RuntimeError(f"hidden{number} should have a batch exactly if the input has")
        for called, tensor in (("input", x), *((f"hidden{i}", s) for i, s in enumerate(states))):
            if tensor.device != weight.device:
                raise RuntimeError(
                    f"{called} is on {tensor.device}, the weights on {weight.device}"
                )
            if tensor.dtype != weight.dtype and not autocasts(x):
                raise RuntimeError(f"{called} has dtype {tensor.dtype}, the weights {weight.dtype}")

    def _run(self, x: Tensor, states: list[Tensor]) -> list[Tensor]:
        """The next states, (batch, hidden_size)."""
        if x.is_cuda:
            weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
            return cudnn.step(cudnn.MODES[self.cell.name], x, states, weights)
        if not autocasts(x):
            return self._run_in(x.dtype, x, states)
        with torch.autocast(x.device.type, enabled=False):
            return self._run_in(wide_dtype(self.weight_ih), x, states)

    def _run_in(self, dtype: torch.dtype, x: Tensor, states: list[Tensor]) -> list[Tensor]:
        tensors = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        weights = [tensor.to(dtype) for tensor in tensors if tensor is not None]
        before = [state.to(dtype).unsqueeze(0) for state in states]
        return [
            state[0] for state in self._choice.run(x.to(dtype).unsqueeze(0), before, [weights])[1]
        ]


class RNNCell(_CellModule):
    """One step of a simple recurrent network: torch.nn.RNNCell."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise RuntimeError(f"Unknown nonlinearity: {nonlinearity}")
        super().__init__(NONLINEARITIES[nonlinearity], input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        end = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + end


class LSTMCell(_CellModule):
    """One step of long short-term memory: torch.nn.LSTMCell."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__("lstm", input_size, hidden_size, bias, device, dtype)


class GRUCell(_CellModule):
    """One step of a gated recurrent unit: torch.nn.GRUCell."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__("gru", input_size, hidden_size, bias, device, dtype)
