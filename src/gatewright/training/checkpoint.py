"""Where a training stands, in one file that is written aside and renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place at once: a reader finds the old one or the new one, never a part."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def save_tensors(path: Path, tensors: dict[str, Tensor], record: Any) -> None:
    """Tensors and one JSON value, as safetensors: nothing in it is code."""
    held = {name: value.detach().contiguous() for name, value in tensors.items()}
    write_whole(path, save(held, {"record": json.dumps(record)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """What ``save_tensors`` wrote. Raises OSError or ValueError where it is not that."""
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {}).get("record", "null"))
            return {name: file.get_tensor(name) for name in file.keys()}, record  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def training_state(
    network: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor]
) -> dict[str, Tensor]:
    """All tensors of a training, by name.

    Random numbers are not among them: every epoch seeds its own.
    """
    found = {f"network.{name}": value for name, value in network.state_dict().items()}
    found |= {f"best.{name}": value for name, value in best.items()}
    for number, entries in optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{number}.{key}": value for key, value in entries.items()}
    # safetensors refuses tensors that share memory, as the best weights may do with the current.
    return {name: value.clone() for name, value in found.items()}


def restore_training(
    tensors: dict[str, Tensor], network: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Put network and optimiser where they were; returns the best weights."""
    network.load_state_dict(_below("network.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("optimizer.", tensors).items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return _below("best.", tensors)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
