"""The rows of the arrays before any number is looked at, and the part of each item."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import polars as pl

from gatewright.data.calendar import Integers
from gatewright.data.prepare.blocks import Block


@dataclasses.dataclass(frozen=True)
class Partition:
    """Which rows of a table are used and for what; of the items, series or sequences, in use."""

    items: tuple[str, ...]
    bounds: Integers  # as in ``ARRAYS``
    part: Integers
    group: Integers
    training: Integers  # (items,): the row at which the training rows of an item end
    future: Integers  # (items,): the row from which on all targets are missing; the end: nowhere
    blocks: Callable[[], Iterator[Block]]
    where: Callable[[int], str]  # a row of the arrays, in words
    labels: pl.DataFrame | None = None  # (items, targets) where a target goes with a whole item
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return int(self.bounds[-1, 3]) if len(self.bounds) else 0
