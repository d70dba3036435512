"""What a layer runs on: the compiled engine, cuDNN, or the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewright import native
from gatewright.equations import Cell

Backend = Literal["native", "cudnn", "reference"]

# The dtypes for which the engine may be asked.
_DTYPES = (torch.float32, torch.float64)


def check_backend(backend: str | None) -> None:
    """ValueError for a name that is no backend."""
    if backend is not None and backend not in get_args(Backend):
        raise ValueError(
            f"backend should be one of {', '.join(map(repr, get_args(Backend)))} or None for the "
            f"best that can run, got {backend!r}"
        )


class Choice:
    """Which backend runs a cell, and why the others do not.

    The engine is asked once, when a layer is made, and never while a graph is compiled.
    """

    def __init__(
        self, cell: Cell, asked: Backend | None, *, missing: str = "", not_cudnn: str = ""
    ) -> None:
        """missing: why the engine cannot run this layer. not_cudnn: why cuDNN cannot."""
        self.asked = asked
        self.not_cudnn = not_cudnn
        self.not_native = {dtype: missing or native.unavailable(cell, dtype) for dtype in _DTYPES}

    def choose(self, device: torch.device, dtype: torch.dtype) -> tuple[Backend, str]:
        """The backend, and for the reference the reason.

        Raises RuntimeError where the one asked for cannot run.
        """
        not_native, not_cudnn = self._why_not_native(device, dtype), self._why_not_cudnn(device)
        reason = not_cudnn if device.type == "cuda" else not_native
        if self.asked == "reference":
            return "reference", "asked for"
        for backend, why_not in (("native", not_native), ("cudnn", not_cudnn)):
            if self.asked == backend and why_not is not None:
                raise RuntimeError(f"backend={backend!r} was asked for, but {why_not}")
        if not_native is None:
            return "native", ""
        if not_cudnn is None:
            return "cudnn", ""
        return "reference", reason or ""

    def describe(self, device: torch.device, dtype: torch.dtype) -> str:
        """As ``layer.backend`` says it: ``native avx512``, ``reference (the reason)``."""
        backend, reason = self.choose(device, dtype)
        if backend == "native":
            return f"native {native.level()}"
        return f"{backend} ({reason})" if reason else backend

    def _why_not_native(self, device: torch.device, dtype: torch.dtype) -> str | None:
        if device.type != "cpu":
            return f"the engine runs on the CPU, not on {device.type}"
        if dtype not in self.not_native:
            return f"{dtype} is not in the engine"
        return self.not_native[dtype]

    def _why_not_cudnn(self, device: torch.device) -> str | None:
        if device.type != "cuda":
            return f"cuDNN runs on CUDA devices, not on {device.type}"
        return self.not_cudnn or None


def run_fused(
    function: Callable[..., Any],
    x: Tensor,
    states: Sequence[Tensor],
    weights: list[Tensor],
    options: tuple[bool, int, float, bool, bool],
    lengths: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """Run all layers in torch's own operator, which is cuDNN on a CUDA device.

    function: ``torch._VF.lstm`` and so on. x: (time, batch, input_size). options: bias,
    num_layers, dropout, training, bidirectional. Returns the output and the final states.
    """
    given = tuple(states) if len(states) > 1 else states[0]
    if lengths is None:
        output, *final = function(x, given, weights, *options, False)
        return output, final
    # A packed sequence cannot be empty: empty ones run one step, which is then discarded.
    packed = pack_padded_sequence(x, lengths.clamp(min=1), enforce_sorted=False)
    _, sizes, order, back = packed
    assert order is not None  # because of enforce_sorted=False
    assert back is not None
    ordered = [state.index_select(1, order) for state in states]
    given = tuple(ordered) if len(ordered) > 1 else ordered[0]
    data, *final = function(packed.data, sizes, given, weights, *options)
    output, _ = pad_packed_sequence(
        PackedSequence(data, sizes, order, back), total_length=x.size(0)
    )
    empty = (lengths == 0).to(x.device).unsqueeze(-1)
    final = [
        torch.where(empty, state, new.index_select(1, back))
        for state, new in zip(states, final, strict=True)
    ]
    return torch.where(empty, 0, output), final
