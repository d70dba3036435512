"""Examples by number: which there are, and a batch of them gathered by index.

Nothing is cut in advance. An example of a forecast is the row at which the forecast begins (its
origin), one of a sequence task is the number of the sequence; a batch is a gather from the arrays.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from gatewright.data.prepared import PARTS, Prepared


@dataclasses.dataclass(frozen=True)
class Batch:
    """What a network sees of some examples, time first, and what it is to predict."""

    values: Tensor  # (time, batch, channels)
    codes: Tensor  # (time, batch, categories)
    lengths: Tensor | None  # (batch,): steps of each; None where all are as long as time
    target: Tensor  # forecasts (batch, horizon, targets); else (batch, targets)
    future: Tensor  # (horizon, batch, known channels): forecasts only
    future_codes: Tensor  # (horizon, batch, known categories): forecasts only

    @property
    def size(self) -> int:
        return self.values.shape[1]


def part_bounds(data: Prepared, part: str) -> tuple[Tensor, Tensor]:
    """The rows at which a part of each series begins and ends, each (items,)."""
    number = PARTS.index(part)
    return data.bounds[:, number], data.bounds[:, number + 1]


def origins(data: Prepared, part: str) -> Tensor:
    """Every origin whose horizon lies in a part and has the context before it, (n,), ascending.

    The context may reach back into the part before, never beyond the start of the series. A series
    too short for a whole context in training gives windows that begin where it begins, from half
    a context on.
    """
    layout = data.layout
    begin, end = part_bounds(data, part)
    start = data.bounds[:, 0]
    room = data.bounds[:, 1] - start - layout.horizon
    least = torch.where(room >= layout.context, layout.context, max(1, layout.context // 2))
    first = torch.maximum(begin, start + least)
    last = end - layout.horizon
    found = [
        torch.arange(low, high + 1)
        for low, high in zip(first.tolist(), last.tolist(), strict=True)
        if high >= low
    ]
    return torch.cat(found) if found else torch.empty(0, dtype=torch.int64)


def with_targets(data: Prepared, examples: Tensor, block: int = 65536) -> Tensor:
    """Those origins that have at least one target to predict."""
    steps = torch.arange(data.layout.horizon)
    kept = []
    for some in examples.split(block):
        present = torch.zeros(len(some), dtype=torch.bool)
        for step in steps:
            present |= ~data.target[some + step].isnan().all(1)
        kept.append(some[present])
    return torch.cat(kept) if kept else examples


def gather_windows(data: Prepared, examples: Tensor) -> Batch:
    """The windows of some origins, (batch,)."""
    context, horizon = data.layout.context, data.layout.horizon
    item = torch.bucketize(examples.contiguous(), data.bounds[:, 0].contiguous(), right=True) - 1
    lengths = (examples - data.bounds[item, 0]).clamp(max=context)
    rows = (examples - lengths) + torch.arange(context)[:, None]
    whole = bool((lengths == context).all())
    if not whole:
        rows = torch.minimum(rows, examples - 1)  # what is beyond a length is never looked at
    ahead = examples + torch.arange(horizon)[:, None]
    known = [number for number, channel in enumerate(data.preparation.channels) if channel.known]
    codes = [number for number, found in enumerate(data.preparation.categories) if found.known]
    return Batch(
        values=_rows(data.values, rows),
        codes=_rows(data.codes, rows),
        lengths=None if whole else lengths,
        target=_rows(data.target, ahead.T),
        future=_rows(data.values, ahead, known),
        future_codes=_rows(data.codes, ahead, codes),
    )


def sequences(data: Prepared, part: str) -> Tensor:
    """The sequences of a part, (n,)."""
    return (data.part == PARTS.index(part)).nonzero().flatten()


def gather_sequences(data: Prepared, examples: Tensor) -> Batch:
    """Some sequences, (batch,), padded to the longest of them."""
    start, lengths = data.bounds[examples, 0], data.lengths[examples]
    time = int(lengths.max()) if len(lengths) else 0
    steps = torch.arange(time)[:, None]
    rows = start + torch.minimum(steps, (lengths - 1).clamp(min=0))
    nothing = torch.empty(0, len(examples), 0)
    return Batch(
        values=_rows(data.values, rows),
        codes=_rows(data.codes, rows),
        lengths=None if bool((lengths == time).all()) else lengths,
        target=data.target[examples],
        future=nothing,
        future_codes=nothing.long(),
    )


def _rows(array: Tensor, rows: Tensor, columns: list[int] | None = None) -> Tensor:
    """array[rows], or some columns of it, through the quicker call for whole rows."""
    count = array.shape[1] if columns is None else len(columns)
    if count == 0:  # as is usual of categories: the shortest way pays in every training step
        return array.new_empty(*rows.shape, 0)
    found = array.index_select(0, rows.reshape(-1)).view(*rows.shape, array.shape[1])
    return found if columns is None else found[..., columns]
