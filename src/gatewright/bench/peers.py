"""The other libraries: which there are, and what each has for a cell.

A peer asked for a side at a problem gives None if it has no such cell or pass. It runs in
its best mode: torch in inference mode, jax compiled, onnxruntime with bound buffers.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from gatewright.bench.problem import Problem, Side

# What torch.nn has: cell -> (sequence module, cell module, further arguments).
TORCH: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rnn": ("RNN", "RNNCell", {}),
    "rnn_relu": ("RNN", "RNNCell", {"nonlinearity": "relu"}),
    "gru": ("GRU", "GRUCell", {}),
    "lstm": ("LSTM", "LSTMCell", {}),
}


@dataclass(frozen=True)
class Peer:
    """A library: the packages it needs, and how it runs a problem with so many threads."""

    name: str
    packages: tuple[str, ...]
    side: Callable[[Problem, int], Side | None]

    @property
    def missing(self) -> list[str]:
        return [name for name in self.packages if importlib.util.find_spec(name) is None]

    @property
    def versions(self) -> dict[str, str]:
        return {name: importlib.metadata.version(name) for name in self.packages}


def torch_module(cell: str, input_size: int, hidden_size: int) -> Any:
    """torch's layer for a cell, or None where it has none."""
    from torch import nn

    if cell not in TORCH:
        return None
    name, _, further = TORCH[cell]
    return getattr(nn, name)(input_size, hidden_size, **further)


def _torch(problem: Problem, threads: int) -> Side | None:
    if problem.case.cell not in TORCH:
        return None
    return _torch_cell(problem) if problem.case.group == "step" else _torch_sequence(problem)


def _torch_sequence(problem: Problem) -> Side:
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    from gatewright.bench.problem import torch_side

    shape, lengths = problem.case.shape, problem.lengths
    module = torch_module(problem.case.cell, shape.input_size, shape.hidden_size)
    module.load_state_dict(problem.weights)

    def run(x: Tensor) -> Tensor:
        if lengths is None:
            return module(x)[0]  # type: ignore[no-any-return]
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(module(packed)[0], total_length=shape.time)[0]

    return torch_side("torch", problem, module, run)


def _torch_cell(problem: Problem) -> Side:
    """``torch.nn.LSTMCell`` and the like, one step on from the state after a first."""
    import torch

    from gatewright.bench.problem import Side

    shape = problem.case.shape
    _, name, further = TORCH[problem.case.cell]
    module = getattr(torch.nn, name)(shape.input_size, shape.hidden_size, **further)
    module.load_state_dict(
        {label.removesuffix("_l0"): value for label, value in problem.weights.items()}
    )
    x = problem.x[0]
    with torch.inference_mode():
        state = module(x)

    def results() -> dict[str, Tensor]:
        with torch.inference_mode():
            new_state = module(x, state)
        return {"output": new_state[0] if isinstance(new_state, tuple) else new_state}

    return Side("torch", lambda: module(x, state), results)


def _jax(problem: Problem, threads: int) -> Side | None:
    if problem.case.group != "sequence":
        return None
    from gatewright.bench.jax_peer import side

    return side(problem)


def _onnxruntime(problem: Problem, threads: int) -> Side | None:
    if problem.case.group != "sequence" or problem.training:
        return None
    from gatewright.bench.onnx_peer import side

    return side(problem, threads)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("torch", ("torch",), _torch),
        Peer("jax", ("jax", "jaxlib"), _jax),
        Peer("onnxruntime", ("onnxruntime", "onnx"), _onnxruntime),
    )
}


def choose(names: Sequence[str]) -> list[Peer]:
    """The peers of these names; with none given, those that are installed.

    Raises ValueError for an unknown name, or a library that is not installed.
    """
    if not names:
        return [peer for peer in PEERS.values() if not peer.missing]
    for name in names:
        if name not in PEERS:
            near = difflib.get_close_matches(name, PEERS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no peer is called {name!r}: {hint}there are {', '.join(PEERS)}")
        if missing := PEERS[name].missing:
            raise ValueError(
                f"the peer {name} needs {' and '.join(missing)}, not installed here: "
                "pip install 'gatewright[bench]'"
            )
    return [PEERS[name] for name in dict.fromkeys(names)]


def share_threads(threads: int) -> None:
    """Give jax as many threads as the others: it reads this once, when its first program runs."""
    os.environ["NPROC"] = str(threads)  # the size of XLA's thread pool
    if threads == 1:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
