"""How many parameters a network has, and whether this machine has the memory to train them."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import torch

from gatewright import cells, tasks
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.setting import Setting
from gatewright.tasks import Task
from gatewright.training import Recipe

BYTES = 5 * 4  # of a parameter in training: itself, its gradient, two moments, the best so far


def count_parameters(task: Task, cell: str, hidden_size: int, setting: Setting) -> int:
    """Parameters of a network, without making them."""
    with torch.device("meta"):
        network = task.network(cell, hidden_size, setting)
    return sum(value.numel() for value in network.parameters())


def check_size(recipe: Recipe, data: Prepared, advice: str) -> None:
    """Raise InputError where a network is too large for the memory of this machine."""
    if recipe.candidate in cells.names():
        task = tasks.get(data.layout.task)(data.preparation, recipe.options)
        count = count_parameters(task, recipe.candidate, recipe.hidden_size, recipe.setting)
        check_memory(count, advice)


def check_memory(parameters: int, advice: str) -> None:
    """Raise InputError where so many parameters cannot be trained in the memory of this machine."""
    needed, there = BYTES * parameters, memory()
    if needed > there:
        raise InputError(
            f"a network of {parameters:,} parameters takes {needed / 1e9:,.0f} gigabytes to train, "
            f"and this machine has {there / 1e9:,.0f}: {advice}"
        )


def memory() -> float:
    """Bytes of this machine, or of the share of it that its processes may use."""
    try:
        bytes_there = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf
    with contextlib.suppress(OSError, ValueError):
        bytes_there = min(bytes_there, float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return bytes_there
