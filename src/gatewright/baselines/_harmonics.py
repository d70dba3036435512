"""Sines and cosines of the calendar's cycles and of a series' own season, at any time."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gatewright.data.calendar import (
    Floats,
    Frequency,
    Integers,
    as_units,
    channel_values,
    cycles,
    from_integers,
)
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared

DAYS = {
    "hour of day": 1.0,
    "day of week": 7.0,
    "day of year": 365.25,
    "week of year": 365.25,
    "month of year": 365.25,
}
MOST = 24  # harmonics of a cycle
ALIKE = 0.03  # a season this close to a cycle of the calendar is that cycle


@dataclasses.dataclass(frozen=True)
class Cycle:
    """Something that repeats after ``steps`` steps; ``name``: of the calendar, else a season."""

    steps: float
    name: str = ""

    @property
    def harmonics(self) -> int:
        """How many can be told apart by steps."""
        return min(MOST, int(self.steps / 2 + 0.01))


def cycles_of(layout: Layout) -> tuple[Cycle, ...]:
    """The cycles of the calendar that steps go through, the shortest first, and the season found
    if it is none of them. None without a column of times, whose steps have no place of their own.
    """
    if layout.time is None or layout.frequency is None:
        return ()
    frequency = Frequency.parse(layout.frequency)
    found = [Cycle(DAYS[name] / frequency.days, name) for name in cycles(frequency)]
    season = layout.season
    if season > 1 and not any(abs(one.steps / season - 1) < ALIKE for one in found):
        found.append(Cycle(season))
    return tuple(sorted(found, key=lambda cycle: cycle.steps))


def waves(layout: Layout, time: Tensor, harmonics: tuple[int, ...]) -> Tensor:
    """The first harmonics of each cycle at times (n,): (n, 2 x all harmonics), in float64.

    harmonics: how many, for each of ``cycles_of(layout)``.
    """
    if not sum(harmonics):
        return torch.zeros(len(time), 0, dtype=torch.float64)
    moments, columns = time.numpy(), []
    for cycle, count in zip(cycles_of(layout), harmonics, strict=True):
        if count:
            angle = torch.from_numpy(_angle(layout, moments, cycle))
            every = angle[:, None] * torch.arange(1, count + 1)
            columns += [every.cos(), every.sin()]
    return torch.cat(columns, 1)


def _angle(layout: Layout, time: Integers, cycle: Cycle) -> Floats:
    if cycle.name:
        sine, cosine = channel_values(time, (f"{cycle.name} (sine)", f"{cycle.name} (cosine)")).T
        angle: Floats = np.arctan2(sine, cosine)
        return angle
    frequency = Frequency.parse(layout.frequency or "")
    if frequency.unit == "number":
        position = time
    else:
        moments = pl.DataFrame({"time": from_integers(time)})
        units = as_units(pl.col("time"), pl.Datetime("us"), frequency)
        position = moments.select(units).to_series().to_numpy()
    # Whole steps first: an angle of a time since 1970 would have lost its digits.
    phase = position % int(frequency.count * cycle.steps) / frequency.count
    return phase * (2 * np.pi / cycle.steps)


def seen_whole(data: Prepared, cycle: Cycle) -> bool:
    """Whether the training part of any series is as long as a cycle."""
    return bool((data.bounds[:, 1] - data.bounds[:, 0]).max() >= cycle.steps)
