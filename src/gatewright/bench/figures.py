"""Figures that are measured once and kept below a bound; :data:`cases.FIGURES` names them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

import gatewright
from gatewright.bench import peers
from gatewright.bench.cases import Figure
from gatewright.bench.problem import Make
from gatewright.bench.results import Value

ROUNDS = 5


def saved_for_backward(figure: Figure, make: Make) -> Value:
    """What the pass forward keeps for the pass backward, in hidden sizes a step and row.

    Parameters, input and output do not count: whoever calls the layer holds them anyway.
    """
    sizes = (figure.shape.input_size, figure.shape.hidden_size)
    own = _kept_a_row(figure, make(figure.cell, *sizes))
    beside = peers.torch_module(figure.cell, *sizes)
    note = "" if beside is None else f"torch.nn: {_kept_a_row(figure, beside):.1f} {figure.unit}"
    return Value(f"{figure.cell}: {figure.title}", own, figure.unit, figure.at_most, note)


def _kept_a_row(figure: Figure, layer: Any) -> float:
    """From the difference of two lengths, so that what does not grow with time falls out."""
    shape = figure.shape
    short, long = _kept(figure, layer, shape.time), _kept(figure, layer, 2 * shape.time)
    return (long - short) / 4 / (shape.time * shape.batch * shape.hidden_size)


def _kept(figure: Figure, layer: Any, time: int) -> int:
    """Bytes of the storages that autograd keeps, each once."""
    x = torch.randn(time, figure.shape.batch, figure.shape.input_size, requires_grad=True)
    kept: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return value

    with saved_tensors_hooks(pack, lambda value: value):
        output, _ = layer(x)
    for held in (x, output, *layer.parameters()):
        address = held.untyped_storage().data_ptr()
        if address in kept:
            kept[address] = max(0, kept[address] - held.numel() * held.element_size())
    return sum(kept.values())


_IMPORTS = """
from time import perf_counter
begin = perf_counter()
import torch
middle = perf_counter()
import gatewright
gatewright.Recurrent
print(middle - begin, perf_counter() - middle)
"""


def import_time(figure: Figure, make: Make) -> Value:
    """Seconds that gatewright with its layers adds to importing torch, in fresh processes."""
    package = str(Path(gatewright.__file__).parents[1])
    path = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([package, *([path] if path else [])]),
    }
    times = []
    for _ in range(ROUNDS + 1):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORTS], env=environment, capture_output=True, check=True
        )
        times.append(tuple(float(part) for part in done.stdout.split()))
    torch_alone, added = (statistics.median(part) for part in zip(*times[1:], strict=True))
    note = f"torch alone: {torch_alone:.2f} {figure.unit}"
    return Value(figure.title, added, figure.unit, figure.at_most, note)


KINDS: dict[str, Callable[[Figure, Make], Value]] = {
    "saved_for_backward": saved_for_backward,
    "import_time": import_time,
}
