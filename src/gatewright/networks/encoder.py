"""The trunk of every network here: a recurrent stack, and one vector a sequence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gatewright.layers import Recurrent

POOLINGS = LAST, ATTENTION = "last", "attention"


State = Tensor | tuple[Tensor, ...]


def run(
    recurrent: Recurrent, x: Tensor, lengths: Tensor | None, truncate: int
) -> tuple[Tensor, State]:
    """Outputs (time, batch, hidden_size) and the last state of x (time, batch, input_size).

    truncate: steps after which gradients stop going further back; 0 for never.
    """
    state: State | None = None
    outputs, done = [], 0
    for piece in x.split(truncate or max(1, len(x))):
        left = None if lengths is None else (lengths - done).clamp(0, len(piece))
        state = None if state is None else each(torch.detach, state)
        output, state = recurrent(piece, state, lengths=left)
        outputs.append(output)
        done += len(piece)
    assert state is not None
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0], state


def each(change: Callable[[Tensor], Tensor], state: State) -> State:
    """A state with each of its tensors (layers, batch, hidden_size) changed."""
    return change(state) if isinstance(state, Tensor) else tuple(change(one) for one in state)


class Encoder(nn.Module):
    """A recurrent stack over time, and what it holds at the end.

    pooling: "last" takes the top layer's output at each sequence's last step; "attention" weighs
        the outputs of all steps by a learned score (Yang and others 2016, without the hidden
        layer).
    truncate: steps after which gradients stop going further back (truncated backpropagation
        through time, Williams and Peng 1990); 0 for never.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        pooling: str = LAST,
        truncate: int = 0,
    ) -> None:
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        self.recurrent = Recurrent(cell, input_size, hidden_size, num_layers, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden_size, 1) if pooling == ATTENTION else None
        self.truncate = truncate

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """x: (time, batch, input_size). Returns (batch, hidden_size)."""
        outputs, state = run(self.recurrent, x, lengths, self.truncate)
        if self.score is not None:
            pooled = self._attend(outputs, lengths)
        elif lengths is None or not self.truncate:
            # The output at each sequence's last step, without a gradient as large as all outputs.
            pooled = (state if isinstance(state, Tensor) else state[0])[-1]
        else:  # the last state has no gradients where a sequence ended in an earlier piece
            pooled = outputs[(lengths - 1).clamp(min=0), torch.arange(len(lengths))]
        encoded: Tensor = self.dropout(pooled)
        return encoded

    def _attend(self, outputs: Tensor, lengths: Tensor | None) -> Tensor:
        assert self.score is not None
        scores = self.score(outputs)  # (time, batch, 1)
        if lengths is not None:
            beyond = torch.arange(len(outputs))[:, None] >= lengths.clamp(min=1)
            scores = scores.masked_fill(beyond[..., None], -torch.inf)
        pooled: Tensor = (scores.softmax(0) * outputs).sum(0)
        return pooled
