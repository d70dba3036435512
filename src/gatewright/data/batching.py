"""A batch: some examples, gathered from the arrays by index. Nothing is cut in advance."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from gatewright.data.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Batch:
    """What a network sees of some examples, time first, and what it is to predict."""

    values: Tensor  # (time, batch, channels)
    codes: Tensor  # (time, batch, categories)
    lengths: Tensor | None  # (batch,): steps of each; None where all are as long as time
    target: Tensor  # windows (batch, horizon, targets); sequences (batch, targets), or at every
    # step (batch, time, targets)
    future: Tensor  # (horizon, batch, known channels): windows only
    future_codes: Tensor  # (horizon, batch, known categories): windows only
    data: Prepared  # that it was gathered from
    examples: Tensor  # (batch,): their numbers

    @property
    def size(self) -> int:
        return self.values.shape[1]


def rows_of(array: Tensor, rows: Tensor, columns: list[int] | None = None) -> Tensor:
    """array[rows], or some columns of it, through the quicker call for whole rows."""
    count = array.shape[1] if columns is None else len(columns)
    if count == 0:  # as is usual of categories: the shortest way pays in every training step
        return array.new_empty(*rows.shape, 0)
    gathered = array.index_select(0, rows.reshape(-1)).view(*rows.shape, array.shape[1])
    return gathered if columns is None else gathered[..., columns]
