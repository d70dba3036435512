"""Series given as tables or arrays, made ready to train on all of their rows: no test part."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright import tasks
from gatewright.data.continuing import any_target
from gatewright.data.guess.lengths import TWICE
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import Table
from gatewright.errors import InputError
from gatewright.requests import DATES, Split

REPLACED = {"horizon", "context", "split column"}  # guesses for a split in three


def frame_of(array: Any, names: tuple[str, ...]) -> pl.DataFrame:
    """An array (steps,) or (steps, targets) as a table of columns with these names.

    Raises InputError for anything but numbers in so many columns.
    """
    try:
        numbers = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("the array holds something else than numbers: give numbers") from None
    columns = numbers[:, None] if numbers.ndim == 1 else numbers
    if columns.ndim != 2 or columns.shape[1] != len(names):
        raise InputError(
            f"expected an array (steps, {len(names)}), found the shape {numbers.shape}: give a row "
            "a step and a column a target"
        )
    return pl.DataFrame({name: columns[:, column] for column, name in enumerate(names)})


def names_for(array: Any) -> tuple[str, ...]:
    """Names for the columns of an array."""
    shape = np.shape(array)
    if len(shape) > 2 or 0 in shape:
        raise InputError(f"expected an array (steps, targets), found the shape {shape}")
    count = shape[1] if len(shape) == 2 else 1
    return ("target",) if count == 1 else tuple(f"target {number}" for number in range(count))


def as_frame(source: Any) -> Any:
    """A series of pandas or polars as a frame of one column; anything else as it is."""
    if hasattr(source, "to_frame") and not hasattr(source, "columns"):
        return source.to_frame(source.name or "target")
    return source


def lengths_of(
    table: Table, layout: Layout, horizon: int, context: int | None, fraction: float
) -> tuple[Layout, Split, tuple[Guess, ...]]:
    """The layout with its horizon and context, and a split that leaves validation enough rows.

    Validation gets the fraction, or two horizons if these are at most a quarter of the rows, but
    one horizon always; the context is that of a comparison where the rest has room for it.

    Raises InputError where there are too few rows.
    """
    middle, longest = _rows(table, layout)
    tested = max(fraction * middle, horizon, min(2 * horizon, middle / 4))
    training = middle - tested
    guesses: tuple[Guess, ...] = ()
    if context is None:
        season = layout.season
        wanted = max(3 * horizon, 2 * season if season <= TWICE else season)
        context = max(1, min(wanted, int(training // 2) - horizon))
        why = "three horizons or two seasons, where half of training has room"
        guesses = (Guess(what="context", value=f"{context} steps", argument="context", why=why),)
    if longest * training / middle < context + horizon:
        raise InputError(
            f"{table.name} has {longest} rows, of which {max(0, int(training))} are for training: "
            f"fewer than context plus horizon ({context} + {horizon}): give a smaller horizon or "
            "context, or more rows"
        )
    share = tested / middle
    changes = {"horizon": horizon, "context": context, "split": None}
    # Of many series, the latest rows of all validate.
    cut = DATES if layout.series and layout.time else None
    split = Split((1 - share, share / 2, share / 2), cut=cut)
    return layout.model_copy(update=changes), split, guesses


def prepare_all(table: Table, layout: Layout, split: Split, folder: Path) -> Prepared:
    """As ``prepare``, but validation reaches to the end: nothing is kept back for a test."""
    # Parts of one step are enough here: how long they have to be was settled before.
    short = layout.model_copy(update={"horizon": 1, "context": 1})
    data = prepare(table, short, tasks.get(short.task), folder, split=split)
    lengths = {"horizon": layout.horizon, "context": layout.context}
    whole = data.layout.model_copy(update=lengths)
    bounds = data.bounds.clone()
    bounds[:, 2] = bounds[:, 3]
    # The parts that it tells of have moved.
    preparation = data.preparation.model_copy(update={"layout": whole, "parts": ()})
    return dataclasses.replace(data, preparation=preparation, bounds=bounds)


def _rows(table: Table, layout: Layout) -> tuple[int, int]:
    """Rows of a series of middle length, and of the longest."""
    if layout.series is None:
        return table.rows, table.rows
    by = pl.col(layout.series).alias("series")
    counts = table.collect(table.frame.group_by(by).agg(pl.len().alias("rows")))["rows"]
    rows: NDArray[np.int64] = counts.to_numpy()
    return int(np.median(rows)), int(rows.max())


def last_steps(table: Table, layout: Layout) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table with the targets of the last ``horizon`` rows of each series taken out, and those
    rows with them: what to forecast, and what really came."""
    frame = table.collect(table.frame)
    by = [name for name in (layout.series, layout.time) if name]
    frame = frame.sort(by, maintain_order=True) if by else frame
    number, count = pl.int_range(pl.len()), pl.len()
    end = pl.when(any_target(layout)).then(number).max() + 1
    if layout.series:
        number, count, end = (each.over(layout.series) for each in (number, count, end))
    frame = frame.filter(number < end)
    last = count - number <= layout.horizon
    blanked = [pl.when(~last).then(pl.col(name)).alias(name) for name in layout.targets]
    return frame.with_columns(blanked), frame.filter(last)
