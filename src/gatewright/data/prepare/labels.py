"""What goes with a whole sequence: its label or numbers, its group and its part."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Integers
from gatewright.data.layout import Layout
from gatewright.data.prepare.series_splits import part_numbers
from gatewright.data.prepared import PARTS
from gatewright.data.table.reading import Table
from gatewright.errors import InputError


@dataclasses.dataclass(frozen=True)
class Labels:
    """What goes with whole sequences, a row each."""

    values: pl.DataFrame  # the columns of the targets that go with a whole sequence
    group: Integers  # the number of the group, or of the sequence
    part: NDArray[Any] | None  # what the split column says, a number in ``PARTS``


def read_labels(
    table: Table, layout: Layout, items: tuple[str, ...], targets: tuple[str, ...]
) -> Labels:
    """Read what goes with each sequence; columns that are absent give nulls, or no groups or parts.

    targets: those columns of targets that go with a whole sequence.

    Raises InputError where one sequence has two labels, groups or parts.
    """
    columns = [*targets, *(name for name in (layout.group, layout.split) if name)]
    here = [name for name in columns if name in table.schema]
    if layout.steps:
        labels = table.collect(table.frame.select(here)) if here else pl.DataFrame()
    else:
        labels = _one_each(table, layout, here, items)
    absent = [
        pl.repeat(None, len(items), dtype=pl.Float64).alias(name)
        for name in columns
        if name not in here
    ]
    if absent:
        labels = (
            pl.concat([labels, pl.select(absent)], how="horizontal") if here else pl.select(absent)
        )
    group = np.arange(len(items))
    if layout.group in here:
        dense = labels[layout.group].cast(pl.String).rank("dense").cast(pl.Int64) - 1
        alone = pl.Series(group + len(items))  # a missing group is a group of its own
        group = dense.fill_null(alone).to_numpy()
    part = None
    if layout.split in here:
        part = labels.select(part_numbers(layout.split)).to_series().to_numpy()
        if (part < 0).any():
            wrong = items[int((part < 0).argmax())]
            raise InputError(
                f"{layout.split} of sequence {wrong} in {table.name} is none of "
                f"{', '.join(PARTS)}; correct it"
            )
    return Labels(labels.select(targets), group, part)


def _one_each(
    table: Table, layout: Layout, columns: Sequence[str], items: tuple[str, ...]
) -> pl.DataFrame:
    """The one value that each column has in a sequence, a row an item."""
    assert layout.sequence is not None
    if not columns:
        return pl.DataFrame()
    item = pl.col(layout.sequence).cast(pl.String).alias("item")
    values = {f"value {at}": pl.col(name) for at, name in enumerate(columns)}
    each = [pl.col(name).drop_nulls() for name in values]
    per_item = table.collect(
        table.frame.select(item, **values)
        .group_by("item")
        .agg(
            *(value.first() for value in each),
            *(value.n_unique().name.suffix(" count") for value in each),
        )
    )
    order = pl.DataFrame({"item": items})
    per_item = order.join(per_item, on="item", how="left", maintain_order="left")
    for name, value in zip(columns, values, strict=True):
        several = per_item[f"{value} count"] > 1
        if several.any():
            at = int(several.arg_max() or 0)
            count = per_item[f"{value} count"][at]
            what = "labels" if name in layout.targets else "values"
            raise InputError(
                f"sequence {items[at]} of {table.name} has {count} {what} in "
                f"{name}; a sequence has one, the same in all of its rows"
            )
    return per_item.select(
        pl.col(value).alias(name) for name, value in zip(columns, values, strict=True)
    )
