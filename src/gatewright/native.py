"""The compiled engine: loading it, CPU levels, calling it."""
from __future__ import annotations
import torch
from torch import Tensor
from gatewright.equations import Cell

def unavailable(cell: Cell, dtype: torch.dtype) -> str | None:
    """Why the engine cannot run this cell, or None if it can."""
    return "the engine is not built yet"

def level() -> str:
    return "none"

def run(cell: Cell, x: Tensor, states: list[Tensor], parameters: list[list[Tensor]], *, lengths: Tensor | None = None, mask: Tensor | None = None, zone: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
    raise NotImplementedError
