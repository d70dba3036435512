"""Whole sequences: an example is the number of a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.batching import Batch, rows_of
from gatewright.data.guess.roles import Column, Notes, Roles
from gatewright.data.guess.sequences import guess_sequences
from gatewright.data.guess.shapes import LONG, UNKNOWN, WIDE
from gatewright.data.layout import Layout
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.sequences import partition_new_sequences, partition_sequences
from gatewright.data.prepared import NAMES, PARTS, Part, Preparation, Prepared
from gatewright.data.question import Examples, Target, TaskChoice
from gatewright.data.table.reading import Table
from gatewright.data.within import edges
from gatewright.errors import InputError, argument
from gatewright.requests import Split
from gatewright.wording.numbers import counted


class Sequences(Examples):
    """All steps of a sequence, to tell what goes with it as a whole."""

    unit = "sequence"
    shapes = frozenset({LONG, WIDE, UNKNOWN})
    every_step = False
    sees_targets = False
    overlapping = False
    shown = 500
    goes_on = False

    def layout(
        self,
        table: Table,
        columns: Mapping[str, Column],
        roles: Roles,
        notes: Notes,
        choice: TaskChoice,
    ) -> Layout:
        return guess_sequences(table, columns, roles, notes, choice, every_step=self.every_step)

    def channels(self, layout: Layout) -> tuple[str, ...]:
        return (*(("value",) if layout.steps else ()), *layout.numbers)

    def known_when_predicting(self, layout: Layout) -> tuple[str, ...]:
        return layout.inputs

    def partition(
        self,
        table: Table,
        layout: Layout,
        target: Target,
        folder: Path,
        split: Split,
        seed: int,
    ) -> Partition:
        if split.cut is not None:
            raise InputError(
                f"{argument('cut', split.cut)} is for forecasts of many series, and whole "
                "sequences are cut nowhere: leave it out"
            )
        if split.rows is not None:
            raise InputError(
                f"{argument('rows')} are lengths in steps of forecasts, and whole sequences are "
                f"given to the parts: leave it out, or say {argument('shares')} of the sequences"
            )
        reader = None if self.every_step else target
        return partition_sequences(table, layout, folder, split.shares, seed, reader)

    def partition_new(self, table: Table, layout: Layout, folder: Path) -> Partition:
        return partition_new_sequences(table, layout, folder, every_step=self.every_step)

    def of_part(self, data: Prepared, part: str) -> Tensor:
        return (data.part == PARTS.index(part)).nonzero().flatten()

    def parts(self, data: Prepared, table: Table) -> tuple[Part, ...]:
        counts = [len(self.of_part(data, part)) for part in PARTS]
        return tuple(
            Part(name=name, holds=(counted(count, self.unit),), examples=count)
            for name, count in zip(NAMES, counts, strict=True)
        )

    def batch(self, data: Prepared, examples: Tensor) -> Batch:
        """The sequences, padded to the longest of them."""
        rows, lengths = _rows(data, examples)
        nothing = torch.empty(0, len(examples), 0)
        return Batch(
            values=rows_of(data.values, rows),
            codes=rows_of(data.codes, rows),
            lengths=None if bool((lengths == len(rows)).all()) else lengths,
            target=self._target(data, examples),
            future=nothing,
            future_codes=nothing.long(),
            data=data,
            examples=examples,
        )

    def _target(self, data: Prepared, examples: Tensor) -> Tensor:
        return data.target[examples]

    def units(self, data: Prepared, examples: Tensor) -> NDArray[Any]:
        """Each sequence is one."""
        numbers: NDArray[Any] = examples.numpy()
        return numbers

    def groups(self, data: Prepared, units: Tensor) -> Tensor | None:
        return data.group[units] if data.layout.group else None

    def items(self, data: Prepared, examples: Tensor) -> Tensor:
        return examples

    def described(self, layout: Layout, preparation: Preparation, judged: int) -> list[str]:
        classes = preparation.classes
        return [f"{len(classes):,} classes"] if classes else []

    def split_in_words(self, layout: Layout) -> str:
        how = "drawn at random, alike in their labels"
        return f"{how}, all sequences of one {layout.group} in one part" if layout.group else how

    def history(self, table: Table, layout: Layout, *, whole: bool) -> pl.DataFrame | None:
        return None

    def extended(self, table: Table | None, history: pl.DataFrame | None, layout: Layout) -> Table:
        assert table is not None, "asked for before"
        return table

    def to_predict(self, data: Prepared) -> Tensor:
        return torch.arange(len(data.items))

    def index(self, data: Prepared, table: Table, examples: Tensor) -> dict[str, Any]:
        names = [data.items[item] for item in examples.tolist()]
        return {data.layout.sequence or "row": names}

    def rows(self, prediction: Tensor, data: Prepared, examples: Tensor) -> Tensor:
        return prediction

    def scale(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        moments = (data.preparation.target_mean, data.preparation.target_scale)
        center, scale = (torch.tensor(each, dtype=torch.float64) for each in moments)
        return center.expand(len(examples), -1), scale.expand(len(examples), -1)

    def limits(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        """The same for all: (targets,)."""
        moments = (data.preparation.target_mean, data.preparation.target_scale)
        center, scale = (torch.tensor(each, dtype=torch.float64) for each in moments)
        return edges(data.preparation.limits, center, scale)

    def needs(self, layout: Layout) -> tuple[str, str]:
        return "NEW.csv", "predictions.csv"


class Steps(Sequences):
    """All steps of a sequence, to tell something of each.

    The targets of a batch, and predictions, are (batch, time, ...), NaN beyond a sequence's length.
    """

    shapes = frozenset({LONG, UNKNOWN})
    guessed = False  # a table of steps with numbers may as well be a series
    every_step = True

    def split_in_words(self, layout: Layout) -> str:
        return super().split_in_words(layout).replace(", alike in their labels", "")

    def joined(self, pieces: Sequence[Tensor]) -> Tensor:
        longest = max((piece.shape[1] for piece in pieces), default=0)
        return torch.cat([_padded(piece, longest) for piece in pieces])

    def _target(self, data: Prepared, examples: Tensor) -> Tensor:
        rows, lengths = _rows(data, examples)
        inside = torch.arange(len(rows))[:, None] < lengths
        target = rows_of(data.target, rows).where(inside[..., None], torch.nan)
        return target.transpose(0, 1)

    def index(self, data: Prepared, table: Table, examples: Tensor) -> dict[str, Any]:
        lengths = data.lengths[examples].tolist()
        names = [
            data.items[item]
            for item, length in zip(examples.tolist(), lengths, strict=True)
            for _ in range(length)
        ]
        numbers = [number for length in lengths for number in range(1, length + 1)]
        return {data.layout.sequence or "row": names, _free("step", data.layout): numbers}

    def rows(self, prediction: Tensor, data: Prepared, examples: Tensor) -> Tensor:
        inside = torch.arange(prediction.shape[1]) < data.lengths[examples][:, None]
        return prediction[inside]

    def scale(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        center, scale = super().scale(data, examples)
        lengths = data.lengths[examples]
        return center.repeat_interleave(lengths, 0), scale.repeat_interleave(lengths, 0)


def _rows(data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of some sequences, (time, batch), the last one again beyond a length; the lengths,
    (batch,)."""
    start, lengths = data.bounds[examples, 0], data.lengths[examples]
    steps = torch.arange(int(lengths.max()) if len(lengths) else 0)[:, None]
    return start + torch.minimum(steps, (lengths - 1).clamp(min=0)), lengths


def _padded(piece: Tensor, length: int) -> Tensor:
    """(batch, time, ...) with NaN up to a length."""
    if piece.shape[1] == length:
        return piece
    shape = (piece.shape[0], length - piece.shape[1], *piece.shape[2:])
    return torch.cat([piece, piece.new_full(shape, torch.nan)], 1)


def _free(name: str, layout: Layout) -> str:
    """A name that no column of a table of predictions has otherwise."""
    while name in (layout.sequence, *layout.targets):
        name += " number"
    return name
