"""When the windows of series begin, and when the parts of their split are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.calendar import (
    Frequency,
    Integers,
    as_units,
    from_integers,
    labels,
    step_in_words,
)
from gatewright.data.prepared import NAMES, Part, Prepared
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.wording.numbers import counted

ENOUGH = 20  # windows in test; fewer say little
OWN_PLACES = "each at its own place"


def step_numbers(data: Prepared, rows: Tensor) -> Integers:
    """The number of the step that the time of each row falls on, (n,), the same for all series."""
    layout = data.layout
    time: Integers = data.time[rows].numpy()
    if layout.time is None or not len(time):
        return time
    if layout.frequency is None:
        numbers: Integers = rows.numpy()
        return numbers if len(data.items) == 1 else time // _usual_step(data)
    frequency, units = Frequency.parse(layout.frequency), time
    if frequency.unit != "number":
        frame = pl.DataFrame({"time": from_integers(time)})
        counted_in = as_units(pl.col("time"), frame.schema["time"], frequency)
        units = frame.select(counted_in).to_series().to_numpy().astype(np.int64)
    # From the first row of all: what lies within half a step of it is at the same one.
    steps: Integers = (units - units[0] + frequency.count // 2) // frequency.count
    return steps


def _usual_step(data: Prepared) -> int:
    """The middle distance of two rows of one series, where there is no regular one."""
    time, starts = data.time.numpy(), data.bounds[1:, 0].numpy()
    apart = np.delete(np.diff(time), starts - 1)
    return max(1, int(np.median(apart))) if len(apart) else 1


def parts_of_series(data: Prepared, table: Table, windows: Sequence[Tensor]) -> tuple[Part, ...]:
    """Training, validation and test of series in words; ``windows``: the origins of each.

    Raises InputError where nothing is left to train on or to choose by.
    """
    bounds = data.bounds.numpy()
    spans = [_span(data, bounds[:, number : number + 2]) for number in range(3)]
    hint = "" if data.layout.series else f", or the column of the series with {argument('series')}"
    for name, some, span in zip(NAMES[:2], windows[:2], spans[:2], strict=True):
        if span is not None and not len(some):
            raise InputError(
                f"the {name} part has no window with a target: give rows with "
                f"{', '.join(data.layout.targets)} there, or other {argument('shares')}{hint}"
            )
    # All series are cut at the same times if no part begins before the one before it ends.
    known = [span for span in spans if span is not None]
    shared = all(before[1] < after[0] for before, after in pairwise(known))
    judged = len(windows[2])
    rows = int((bounds[:, 3] - bounds[:, 2]).sum())  # as many windows, at most
    advice = f"a smaller {argument('horizon')} leaves more" if rows >= ENOUGH else "add rows"
    few = f"fewer than {ENOUGH} windows say little: {advice}"
    return tuple(
        Part(
            name=name,
            when="" if span is None else _when(data, table, span) if shared else OWN_PLACES,
            holds=(
                _steps_or_series(data, bounds[:, number : number + 2], windows[number]),
                counted(len(windows[number]), "window"),
            ),
            examples=len(windows[number]),
            remark=few if number == 2 and span is not None and judged < ENOUGH else "",
        )
        for number, (name, span) in enumerate(zip(NAMES, spans, strict=True))
    )


def _span(data: Prepared, bounds: Integers) -> tuple[int, int] | None:
    """The first and the last time of a part; None where no series has a row in it."""
    filled = bounds[bounds[:, 0] < bounds[:, 1]]
    if not len(filled):
        return None
    return int(data.time[filled[:, 0]].min()), int(data.time[filled[:, 1] - 1].max())


def _when(data: Prepared, table: Table, span: tuple[int, int]) -> str:
    """As "1949-01 to 1957-05", as precise as the steps are."""
    layout = data.layout
    if layout.time is None:
        return f"steps {span[0] + 1:,} to {span[1] + 1:,}"
    times = times_of(np.array(span), table.schema[layout.time])
    if not table.schema[layout.time].is_temporal():
        return f"{times[0]} to {times[1]}"
    return " to ".join(labels(pl.Series(times), layout.frequency))


def _steps_or_series(data: Prepared, bounds: Integers, windows: Tensor) -> str:
    """As "101 months"; of many series, how many have windows in a part: "50 series"."""
    if data.layout.series:
        starts = data.bounds[:, 0].contiguous()
        return f"{len(torch.bucketize(windows, starts, right=True).unique()):,} series"
    one, _, unit = step_in_words(data.layout.frequency or "").partition(" ")
    steps = int((bounds[:, 1] - bounds[:, 0]).sum())
    return counted(steps, unit if one == "1" and unit != "apart" else "step")


def times_of(time: NDArray[np.int64], kind: pl.DataType) -> Any:
    """Times of the arrays in the type of their column."""
    if kind.is_integer():
        return time
    moments = pl.Series(time).cast(pl.Datetime("us", "UTC"))
    if kind == pl.Date:
        return moments.dt.date()
    zone = getattr(kind, "time_zone", None)
    if zone:
        return moments.dt.convert_time_zone(zone)
    return moments.dt.replace_time_zone(None)
