"""Tensors in a file that shows whether it is damaged; and the state of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gatewright.sealed import digest, write_whole

Tensors = dict[str, Tensor]


def save_tensors(path: Path, tensors: Tensors, record: Any) -> str:
    """Tensors and one JSON value, as safetensors with a digest of both: nothing in it is code.

    Returns the digest, for a record to name the file by.
    """
    held = {name: value.detach().contiguous() for name, value in tensors.items()}
    text = json.dumps(record)
    written = _digest(held, text)
    write_whole(path, save(held, {"record": text, "digest": written}))
    return written


def load_tensors(path: Path, written: str | None = None) -> tuple[Tensors, Any]:
    """What ``save_tensors`` wrote. Raises OSError or ValueError where it is not that.

    written: the digest that a record names the file by; None where none does.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    text = about.get("record", "null")
    actual = _digest(tensors, text)
    if about.get("digest") != actual or written not in (None, actual):
        raise ValueError(f"{path} cannot be read: it is not as it was written")
    return tensors, json.loads(text)


def _digest(tensors: Tensors, text: str) -> str:
    parts: list[bytes | memoryview] = [text.encode()]
    for name, value in sorted(tensors.items()):
        parts.append(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        parts.append(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest(*parts)


def training_state(network: nn.Module, optimizer: torch.optim.Optimizer, best: Tensors) -> Tensors:
    """All tensors of a training, by name.

    Random numbers are not among them: every epoch seeds its own.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for number, entries in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in entries.items()}
    # safetensors refuses tensors that share memory, as the best weights may do with the current.
    return {name: value.clone() for name, value in tensors.items()}


def restore_training(
    tensors: Tensors, network: nn.Module, optimizer: torch.optim.Optimizer
) -> Tensors:
    """Put network and optimiser where they were; returns the best weights."""
    network.load_state_dict(_below("network.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("optimizer.", tensors).items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return _below("best.", tensors)


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
