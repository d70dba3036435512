"""The trunk of every network here: a recurrent stack, and one vector a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatewright.layers import Recurrent

LAST, ATTENTION = "last", "attention"


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
        outputs = self._outputs(x, lengths)
        if self.score is not None:
            pooled = self._attend(outputs, lengths)
        elif lengths is None:
            pooled = outputs[-1]
        else:
            last = (lengths - 1).clamp(min=0)
            pooled = outputs[last, torch.arange(len(last))]
        encoded: Tensor = self.dropout(pooled)
        return encoded

    def _outputs(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if not self.truncate or x.shape[0] <= self.truncate:
            output: Tensor = self.recurrent(x, lengths=lengths)[0]
            return output
        state, outputs, done = None, [], 0
        for piece in x.split(self.truncate):
            left = None if lengths is None else (lengths - done).clamp(0, len(piece))
            output, state = self.recurrent(piece, state, lengths=left)
            outputs.append(output)
            state = (
                state.detach() if isinstance(state, Tensor) else tuple(s.detach() for s in state)
            )
            done += len(piece)
        return torch.cat(outputs)

    def _attend(self, outputs: Tensor, lengths: Tensor | None) -> Tensor:
        assert self.score is not None
        scores = self.score(outputs)  # (time, batch, 1)
        if lengths is not None:
            beyond = torch.arange(len(outputs))[:, None] >= lengths.clamp(min=1)
            scores = scores.masked_fill(beyond[..., None], -torch.inf)
        pooled: Tensor = (scores.softmax(0) * outputs).sum(0)
        return pooled
