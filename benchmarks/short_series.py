"""A comparison of 1,000 short series whose best forecast is known: is it found, and how soon?

    python benchmarks/short_series.py [--only seasons,bends] [--out FOLDER]

Two tables of 1,000 series of 36 months, each a comparison as `gatewright compare` makes it:

seasons  a level and twelve months of its own each, and noise a third as large as the season. Best
         is linear: last year's month, drawn towards the mean of the last year. The oracle is that,
         with the weight that the variances give (the mean of a normal distribution, given twelve
         months); the floor is the mean if level and season were known. Repeating last year loses
         a little more than twice the floor.
bends    a step is 0.9 less 1.2 times the size of the one before, and noise (a threshold process,
         Tong 1990), on a level and a scale of each series' own. The oracle knows the process (its
         mean over 4,000 futures); "lines" is the best line through the last nine months, fitted on
         the test part itself. A network can bend; a line cannot.

Losses are mean squared errors in units of each series' standard deviation in training.
"""

from __future__ import annotations

import argparse
import datetime
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import gatewright

Array = NDArray[np.float64]
SERIES, MONTHS, YEAR = 1000, 36, 12
NOISE, DRAWS, LAGS = 1 / 3, 4000, 9
BEND, SLOPE, SHOCK = 0.9, 1.2, 0.15


@dataclass(frozen=True)
class World:
    """values: (series, months), as they stand in the table. told: what is best from each origin,
    (series, horizon), by name."""

    values: Array
    told: dict[str, Callable[[int, int], Array]]


def seasons() -> World:
    random = np.random.default_rng(0)
    level = 100 * np.exp(0.5 * random.normal(size=(SERIES, 1)))
    season = random.normal(size=(SERIES, YEAR))
    truth = season[:, np.arange(MONTHS) % YEAR]
    shape = truth + NOISE * random.normal(size=truth.shape)
    scale = 0.2 * level

    def oracle(origin: int, horizon: int) -> Array:
        """Of the shape's twelve last months, each is what will come of variance 1, and noise."""
        last = shape[:, origin - YEAR : origin]
        return level + scale * last[:, :horizon] / (1 + NOISE**2)

    def floor(origin: int, horizon: int) -> Array:
        return level + scale * truth[:, origin : origin + horizon]

    return World(level + scale * shape, {"floor": floor, "oracle": oracle})


def bends() -> World:
    random = np.random.default_rng(1)
    level = 100 * np.exp(0.5 * random.normal(size=(SERIES, 1)))
    scale = 0.2 * level

    def step(before: Array) -> Array:
        return BEND - SLOPE * np.abs(before) + SHOCK * random.normal(size=before.shape)

    steps = [random.normal(size=(SERIES, 1))]
    for _ in range(MONTHS + 20):
        steps.append(step(steps[-1]))
    shape = np.concatenate(steps[-MONTHS:], 1)

    def oracle(origin: int, horizon: int) -> Array:
        future = np.repeat(shape[:, origin - 1 : origin], DRAWS, 1)
        means = []
        for _ in range(horizon):
            future = step(future)
            means.append(future.mean(1))
        return level + scale * np.stack(means, 1)

    def line(origin: int, horizon: int) -> Array:
        seen = np.column_stack([np.ones(SERIES), shape[:, origin - LAGS : origin]])
        return level + scale * (seen @ np.linalg.lstsq(seen, shape[:, origin:][:, :horizon])[0])

    return World(level + scale * shape, {"oracle": oracle, "lines": line})


WORLDS = {"seasons": seasons, "bends": bends}


def table(values: Array) -> pl.DataFrame:
    months = [datetime.date(2021 + at // YEAR, 1 + at % YEAR, 1) for at in range(MONTHS)]
    names = [f"shop {number}" for number in range(SERIES)]
    return pl.DataFrame(
        {"shop": np.repeat(names, MONTHS), "month": months * SERIES, "sales": values.ravel()}
    )


def losses(world: World, trained: int, origins: range, horizon: int) -> dict[str, float]:
    """What is known to be best, and last year's month, on the windows of test."""
    spread = world.values[:, :trained].std(1)[:, None]
    told = world.told | {"last year": lambda at, ahead: world.values[:, at - YEAR :][:, :ahead]}
    return {
        name: float(
            np.mean(
                [
                    ((best(at, horizon) - world.values[:, at : at + horizon]) / spread) ** 2
                    for at in origins
                ]
            )
        )
        for name, best in told.items()
    }


def seconds() -> float:
    """Of processors, by this process and those it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def run(name: str, out: Path) -> None:
    world = WORLDS[name]()
    began, used = time.monotonic(), seconds()
    result = gatewright.compare(table(world.values), out=out / name)
    took, used = time.monotonic() - began, seconds() - used
    layout = result.plan.layout
    trained, validated = (int(MONTHS * share) for share in (0.7, 0.8))
    origins = range(validated, MONTHS - layout.horizon + 1)
    known = losses(world, trained, origins, layout.horizon)
    print(f"\n{name}: {took:.0f} s, {used:.0f} s of processors; ", end="")
    print(f"{layout.horizon} ahead, context {layout.context}, {len(origins)} origins")
    print(result.verdict.text)
    found = {row.title: row.loss for row in result.rows if row.loss is not None} | known
    for title, loss in sorted(found.items(), key=lambda each: each[1]):
        mark = "known" if title in known else ""
        if title == result.verdict.candidate(result.verdict.recommended).title:
            mark = "shipped"
        print(f"  {title:24}{loss:9.4f}  {mark}", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--only", default=",".join(WORLDS))
    asked.add_argument("--out", type=Path, help="keeps the runs there")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.only.split(","):
            run(name, given.out or Path(temporary))


if __name__ == "__main__":
    main()
