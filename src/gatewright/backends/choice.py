"""What a layer runs on: the compiled engine, cuDNN, or the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from gatewright.backends import native, reference
from gatewright.backends.native.stepping import Stepper
from gatewright.equations import Cell

__all__ = ["Backend", "Choice", "Stepper", "check_backend"]

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
        self.cell = cell
        self.asked = asked
        self.not_cudnn = not_cudnn
        self.not_native = {dtype: missing or native.unavailable(cell, dtype) for dtype in _DTYPES}

    def choose(self, device: torch.device, dtype: torch.dtype) -> tuple[Backend, str]:
        """The backend, and for the reference the reason.

        Raises RuntimeError where the one asked for cannot run.
        """
        if device.type == "cuda" and not (self.asked or self.not_cudnn):
            return "cudnn", ""  # before any reason is put into words, which a small call would feel
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

    # One layer ------------------------------------------------------------------------------

    def run(
        self,
        x: Tensor,
        states: list[Tensor],
        parameters: list[list[Tensor]],
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        zone: Tensor | None = None,
        projection: list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """As :func:`gatewright.backends.reference.run`, in the engine where that is the choice."""
        given = (self.cell, x, states, parameters)
        if self.choose(x.device, x.dtype)[0] == "native":
            return native.run(*given, lengths=lengths, mask=mask, zone=zone)
        return reference.run(*given, lengths=lengths, mask=mask, zone=zone, projection=projection)

    def record(
        self,
        x: Tensor,
        states: list[Tensor],
        parameters: list[list[Tensor]],
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        zone: Tensor | None = None,
        projection: list[Tensor] | None = None,
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """As :func:`gatewright.backends.reference.record`: only the reference keeps every gate."""
        given = (self.cell, x, states, parameters)
        return reference.record(
            *given, lengths=lengths, mask=mask, zone=zone, projection=projection
        )

    def stepper(
        self,
        held: Mapping[str, Tensor | None],
        names: list[list[str]],
        input_size: int,
        hidden_size: int,
    ) -> Stepper | None:
        """The engine's short way through single steps, where the engine may be the choice."""
        if self.asked == "reference" or self.not_native[torch.float32]:
            return None
        return Stepper(self.cell, held, names, input_size, hidden_size)

    def forget(self) -> None:
        """Have weights that are kept in the engine's order laid out anew."""
        native.forget()
