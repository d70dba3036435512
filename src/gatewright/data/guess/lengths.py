"""How far a forecast looks back and ahead, so that every part of the split holds windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from gatewright.data.guess.roles import Notes, Roles, part_of
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.wording.numbers import counted

TRAINING = 0.7  # of the rows, where no column says
TESTED = 0.1  # of the rows, in validation; test has more

# Steps ahead that people ask for, by frequency: a day, two weeks, a quarter, a year, ...
HORIZONS = {
    "1s": 60, "1m": 60, "5m": 12, "10m": 36, "15m": 96, "20m": 72, "30m": 48, "1h": 24,
    "1d": 7, "1w": 13, "1mo": 12, "1q": 4, "1y": 4,
}  # fmt: skip
OTHERWISE = 10
TWICE = 100  # steps; two cycles of a season up to here are looked back at, one of a longer


@dataclass(frozen=True)
class _Rows:
    """Of a series of middle length, or of the longest: all rows, and those of its parts."""

    all: int
    train: int
    tested: int  # the fewer of validation and test


def _rows(table: Table, roles: Roles) -> tuple[_Rows, _Rows]:
    """(middle, longest)"""
    by = (pl.lit(0) if roles.series is None else pl.col(roles.series)).alias("the series")
    if roles.split is None:
        counts = table.collect(table.frame.group_by(by).agg(pl.len().alias("all")))["all"]
        sizes = [int(counts.median()), int(counts.max())]  # type: ignore[arg-type]
        middle, longest = (_Rows(n, int(n * TRAINING), int(n * TESTED)) for n in sizes)
        return middle, longest
    part = part_of(roles.split)
    sums = [(part == name).sum().alias(name) for name in ("train", "validation", "test")]
    counted = table.collect(table.frame.group_by(by).agg(pl.len().alias("all"), *sums))
    both = []
    for row in (counted.median(), counted.max()):
        count = {name: int(row[name].item() or 0) for name in counted.columns[1:]}
        tested = min(size for size in (count["validation"], count["test"]) if size or count["test"])
        both.append(_Rows(count["all"], count["train"], tested or count["test"]))
    return both[0], both[1]


def horizon_and_context(
    table: Table,
    roles: Roles,
    frequency: str | None,
    season: int,
    notes: Notes,
) -> tuple[int, int]:
    """(horizon, context), both such that each part of the split holds at least one window."""
    middle, longest = _rows(table, roles)
    whose = table.name if roles.series is None else f"the longest series of {table.name}"
    horizon, context = roles.horizon, roles.context
    if longest.tested < 1:
        raise InputError(
            f"{whose} has {counted(longest.all, 'row')}; a forecast needs some for training, "
            f"validation and test, {math.ceil(1 / TESTED)} at least and many more to learn: add "
            "rows."
        )
    if horizon is None:
        usual = season if 1 < season <= TWICE else HORIZONS.get(frequency or "", OTHERWISE)
        wanted = HORIZONS.get(frequency or "", usual) if season != 5 else season
        fits = max(1, middle.tested)
        horizon = min(wanted, fits)
        why = f"as many as validation has, a tenth of {middle.all} rows"
        notes.add(
            "horizon",
            counted(horizon, "step"),
            "horizon",
            why
            if fits < wanted
            else ("one season" if wanted == season else "usual for the frequency"),
        )
    elif horizon > longest.tested:
        raise InputError(
            f"{argument('horizon', horizon)}: validation and test need as many rows each, and the "
            f"smaller of them has {longest.tested} of the {longest.all} rows of {whose}; say "
            f"{argument('horizon', longest.tested)} or less, or add rows."
        )
    if context is None:
        wanted = max(3 * horizon, 2 * season if season <= TWICE else season)
        fits = max(1, middle.train // 2 - horizon)
        context = min(wanted, fits)
        by = "three horizons" if wanted == 3 * horizon else "two seasons"
        by = "one season" if wanted == season else by
        why = f"half of training, {middle.train} rows, less the horizon" if fits < wanted else by
        notes.add("context", counted(context, "step"), "context", why)
    if longest.train < context + horizon:
        raise InputError(
            f"{whose} has {counted(longest.all, 'row')}, {longest.train} of them for training: "
            f"fewer than context plus horizon ({context} + {horizon} = {context + horizon}); say a "
            f"smaller {argument('context')} or {argument('horizon')}, or add rows."
        )
    return horizon, context
