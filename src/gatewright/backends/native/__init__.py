"""Running a cell in the compiled engine."""

from __future__ import annotations

import time

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from gatewright.backends import reference
from gatewright.backends.native import library
from gatewright.backends.native.arguments import Arguments
from gatewright.backends.native.library import EngineError, at_level
from gatewright.backends.native.operators import OverTime, forward_operator, forward_pass
from gatewright.backends.native.packing import forget
from gatewright.backends.native.problem import DTYPES
from gatewright.equations import Cell

__all__ = ["EngineError", "at_level", "fma_peak", "forget", "level", "run", "unavailable"]


def unavailable(cell: Cell, dtype: torch.dtype) -> str | None:
    """Why the engine cannot run this cell, or None if it can."""
    if dtype not in DTYPES:
        return f"{dtype} is not in the engine"
    try:
        library.kernel(cell)
    except EngineError as error:
        return str(error)
    return None


def level() -> str:
    """The CPU level in use, such as ``avx512``. Raises EngineError without a library."""
    loaded = library.load()
    return loaded.levels[loaded.level]


def fma_peak(threads: int) -> float:
    """What the processor can do at best in float32, in GFLOP/s, measured now."""
    loaded, best = library.load(), 0.0
    for rounds in (1_000_000, 10_000_000, 10_000_000, 10_000_000):
        start = time.perf_counter()
        done = loaded.functions.gatewright_multiply_adds(loaded.level, threads, rounds)
        best = max(best, done / (time.perf_counter() - start) / 1e9)
    return best


def run(
    cell: Cell,
    x: Tensor,
    states: list[Tensor],
    parameters: list[list[Tensor]],
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    zone: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """As :func:`gatewright.backends.reference.run`, in the engine; float32 or float64 on a CPU.

    Raises EngineError for a cell that the engine does not have.
    """
    flat = [parameter for direction in parameters for parameter in direction]
    given = Arguments(cell.name, x, states, flat, len(parameters), lengths, mask, zone)
    tensors = (x, *states, *flat)
    compiling = torch.compiler.is_compiling()
    if not compiling and _transformed():
        return reference.run(cell, x, states, parameters, lengths=lengths, mask=mask, zone=zone)
    save = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if compiling or not all(type(tensor) in _ORDINARY for tensor in tensors):
        made = forward_operator(*given, save)
        return made[0], list(made[1 : 1 + len(states)])
    library.kernel(cell)
    if save:
        output, *finals = OverTime.apply(  # type: ignore[no-untyped-call]
            given.form, *given.tensors
        )
        return output, finals
    results = forward_pass(given, save)
    return results.output, results.finals


def _transformed() -> bool:
    """If torch.func, forward-mode derivatives or torch.jit.trace look into what runs."""
    return (
        torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch._C._is_tracing()
    )


# Subclasses of tensors (fake ones, traced ones) must pass through the operator to be seen.
_ORDINARY = (Tensor, Parameter)
