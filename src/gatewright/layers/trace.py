"""Every gate and state of a layer at every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor


class Trace(Mapping[str, Tensor]):
    """What a layer computed: ``trace["forget"]``, ``trace["c"]``, by the names of its cell.

    As a mapping it shows the top layer; ``layers[k]`` is the same for each layer, the lowest
    first. Every tensor is laid out as the output, (time, batch, directions * hidden_size), with
    batch first or without batch if the output is, and zero past a sequence's length. All of them
    can be differentiated.

    output: the output. state: the final state, as ``forward`` returns it.
    """

    def __init__(self, layers: tuple[Mapping[str, Tensor], ...], state: Any) -> None:
        self.layers = layers
        self.output = layers[-1]["h"]
        self.state = state

    def __getitem__(self, name: str) -> Tensor:
        values = self.layers[-1].get(name)
        if values is None:
            raise KeyError(f"{name!r}; this trace has {', '.join(self.layers[-1])}")
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers[-1])

    def __len__(self) -> int:
        return len(self.layers[-1])

    def __repr__(self) -> str:
        return (
            f"Trace({', '.join(self)}; layers={len(self.layers)}, "
            f"output={tuple(self.output.shape)})"
        )
