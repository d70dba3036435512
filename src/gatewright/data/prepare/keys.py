"""The columns that order a table, read in batches and kept on disk."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import Integers, as_integers, as_units
from gatewright.data.layout import Layout
from gatewright.data.prepare.columns import frequency_of
from gatewright.data.prepare.storage import Spool
from gatewright.data.table.damage import naming_damage
from gatewright.data.table.reading import Table
from gatewright.errors import InputError

BATCH = 32768  # rows held at a time


@dataclasses.dataclass(frozen=True)
class Keys:
    """What orders the rows of a table, in the order of the file; mapped files, (rows,) each."""

    items: tuple[str, ...]  # in order of appearance
    item: Integers  # the number of the series or sequence
    time: Integers  # microseconds since 1970 in UTC, or integers; the row without a column
    units: Integers  # the time in units of the frequency
    kept: dict[str, NDArray[Any]]  # the expressions asked for

    def sorted(self, order: Integers) -> Keys:
        """The same in another order of rows, in memory."""
        kept = {name: array[order] for name, array in self.kept.items()}
        return Keys(self.items, self.item[order], self.time[order], self.units[order], kept)


def read_keys(table: Table, layout: Layout, folder: Path, kept: dict[str, pl.Expr]) -> Keys:
    """Read them, and small integers by ``kept``; ``folder`` takes the files.

    Raises InputError where the name of the item or a time is missing.
    """
    item, column = layout.sequence or layout.series, layout.step if layout.sequence else layout.time
    keys: dict[str, pl.Expr] = {}
    if item:
        keys["item"] = pl.col(item).cast(pl.String)
    if column:
        frequency = frequency_of(layout)
        keys["time"] = as_integers(pl.col(column), table.schema[column])
        if frequency is not None and frequency.unit not in ("number", "microsecond"):
            keys["units"] = as_units(pl.col(column), table.schema[column], frequency)
    frame = table.frame.select(**keys, **kept, rows=pl.col(item or layout.targets[0]).is_null())
    names: dict[str, int] = {} if item else {table.name: 0}
    row = 0
    with contextlib.ExitStack() as stack:
        spools = {
            name: stack.enter_context(Spool(folder, name, np.int8 if name in kept else np.int64))
            for name in dict.fromkeys(("time", *keys, *kept))
        }
        for batch in batches(table, frame):
            for name, what in (("item", item), ("time", column)):
                if name in batch and batch[name].null_count():
                    missing = row + int(batch[name].is_null().arg_max() or 0)
                    raise InputError(
                        f"{table.where(missing)}: {what} is missing; give it or drop the row"
                    )
            for name, spool in spools.items():
                if name == "item":
                    spool.append(_numbered(batch[name], names))
                elif name in batch:
                    spool.append(batch[name].cast(pl.Int8 if name in kept else pl.Int64).to_numpy())
                else:
                    spool.append(np.arange(row, row + len(batch)))
            row += len(batch)
    if not row:
        raise InputError(f"{table.name} has no rows; there is nothing to learn")
    arrays = {name: spool.array() for name, spool in spools.items()}
    return Keys(
        items=tuple(names),
        item=arrays.get("item", np.broadcast_to(np.int64(0), (row,))),
        time=arrays["time"],
        units=arrays.get("units", arrays["time"]),
        kept={name: arrays[name] for name in kept},
    )


def batches(table: Table, frame: pl.LazyFrame, size: int = BATCH) -> Iterator[pl.DataFrame]:
    """The result of a query on the table, a bounded number of rows at a time, in order.

    Raises InputError where the file cannot be read to its end.
    """
    with naming_damage(table.name):
        yield from frame.collect_batches(chunk_size=size, maintain_order=True, engine="streaming")


def _numbered(items: pl.Series, names: dict[str, int]) -> Integers:
    """The numbers of items in order of their appearance, (n,); new ones are added to ``names``."""
    here = items.unique(maintain_order=True).to_list()
    for name in here:
        names.setdefault(name, len(names))
    codes = items.replace_strict(here, [names[name] for name in here], return_dtype=pl.Int64)
    return codes.to_numpy()
