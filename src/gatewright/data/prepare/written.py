"""Predictions as a file of text holds them: no more digits than there is to know, and times in the
form that the training file had."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from gatewright.data.calendar import labels
from gatewright.data.layout import Layout
from gatewright.data.prepare.relations import DECIMALS, decimal_places
from gatewright.data.prepared import Preparation
from gatewright.data.table import joined
from gatewright.data.table.reading import Table
from gatewright.data.table.times import TimeFormat

ROWS = 10_000  # that tell how many digits a column has
MORE = 2  # digits of a prediction beyond those of the data
LEAST = 6  # significant digits of a prediction


def decimals_of(table: Table, layout: Layout) -> dict[str, int]:
    """The decimal places of each target that is a number; none of what is not rounded."""
    names = [name for name in layout.targets if table.schema[name].is_numeric()]
    if not names:
        return {}
    values = table.collect(table.frame.select(pl.col(names).cast(pl.Float64)).head(ROWS))
    places = decimal_places(values.to_numpy(), np.zeros(len(names))).tolist()
    return {
        name: int(place) for name, place in zip(names, places, strict=True) if place <= DECIMALS
    }


def as_written(frame: pl.DataFrame, preparation: Preparation) -> pl.DataFrame:
    """Predictions with numbers rounded and times as text.

    A number has two decimal places more than the target in the data, and six significant digits at
    least; a target that is not rounded there is not rounded here.
    """
    layout = preparation.layout
    columns = [
        _rounded(name, preparation) if dtype == pl.Float64 else pl.col(name)
        for name, dtype in frame.schema.items()
        if name != layout.time
    ]
    rounded = frame.with_columns(columns)
    if layout.time is None or not frame.schema[layout.time].is_temporal():
        return rounded
    reading = preparation.readings.get(layout.time, "")
    return rounded.with_columns(_times(frame[layout.time], reading, layout.frequency))


def _rounded(name: str, preparation: Preparation) -> pl.Expr:
    """Of a column of predictions, which has the name of its target, or begins with it."""
    own = [each for each in preparation.layout.targets if f"{name} ".startswith(f"{each} ")]
    values, places = pl.col(name), preparation.decimals
    if not own:
        return values.round_sig_figs(LEAST)  # the chance of a class
    target = max(own, key=len)
    if target not in places:
        return values
    digits = places[target] + MORE
    whole, many = 2.0**53 / 10.0**digits, 10.0 ** (LEAST - 1 - digits)
    size = values.abs()  # beyond ``whole`` a number has no such places
    rounded = pl.when(size >= whole).then(values).when(size >= many)
    return rounded.then(values.round(digits)).otherwise(values.round_sig_figs(LEAST))


def _times(times: pl.Series, reading: str, frequency: str | None) -> pl.Series:
    kind, _, form = reading.partition(" ")
    if getattr(times.dtype, "time_zone", None):
        return times.dt.strftime("%Y-%m-%d %H:%M:%S%:z")
    if kind == "time" and TimeFormat(form).day_first is None:  # else nobody could be sure of it
        return TimeFormat(form).write(times)
    if (
        reading.startswith(joined.MARK)
        and json.loads(reading.removeprefix(joined.MARK))[0] == "week"
    ):
        return TimeFormat("week").write(times)
    return labels(times, frequency, whole=True)
