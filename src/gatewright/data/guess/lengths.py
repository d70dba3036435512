"""How far a forecast looks back and ahead, so that every part of the split holds windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gatewright.data.calendar import Integers
from gatewright.data.guess.roles import Notes, Roles, part_of
from gatewright.data.prepare.series_splits import mostly_across
from gatewright.data.table.reading import Table
from gatewright.errors import InputError, argument
from gatewright.requests import DATES, SERIES, Split
from gatewright.wording.numbers import counted

WINDOWS = 20  # in test, at least: fewer tell candidates apart only by luck
MANY = 1000  # windows of training that are enough to learn from, a few of each series
FEWEST_STEPS = 3  # ahead; windows are not worth a forecast of fewer

# Steps ahead that people ask for, by frequency: a day, two weeks, a quarter, a year, ...
HORIZONS = {
    "1s": 60, "1m": 60, "5m": 12, "10m": 36, "15m": 96, "20m": 72, "30m": 48, "1h": 24,
    "1d": 7, "1w": 13, "1mo": 12, "1q": 4, "1y": 4,
}  # fmt: skip
OTHERWISE = 10
TWICE = 100  # steps; two cycles of a season up to here are looked back at, one of a longer


@dataclass(frozen=True)
class _Parts:
    """Rows of each series, (series,): all, and those of its parts. ``judged``: there is a test."""

    all: Integers
    train: Integers
    validation: Integers
    test: Integers
    judged: bool

    @property
    def tested(self) -> Integers:
        """Of validation and test, the fewer."""
        return np.minimum(self.validation, self.test) if self.judged else self.validation

    @property
    def middle(self) -> int:
        """The series in which the middle row of all lies, if they stand by their lengths.

        However many short ones there are beside a few long ones, it is one that counts.
        """
        order = np.argsort(self.all, kind="stable")
        reached = np.cumsum(self.all[order])
        return int(order[np.searchsorted(reached, reached[-1] / 2)])

    def windows(self, horizon: int) -> int:
        """In test, of all series."""
        return int(np.maximum(self.test - horizon + 1, 0).sum())

    def trained(self, context: int, horizon: int) -> int:
        """Windows of whole contexts in training, of all series."""
        return int(np.maximum(self.train - context - horizon + 1, 0).sum())


def training_rows(split: Split, rows: int) -> int:
    """Of so many rows of a series, those that are certainly of its training part."""
    return min(rows, split.rows[0]) if split.rows else int(rows * split.shares[0])


def _parts(table: Table, roles: Roles, split: Split) -> _Parts:
    """As ``gatewright.data.prepare.series`` will cut, but for gaps and missing targets."""
    if roles.split is not None and split.rows is None:
        return _by_column(table, roles)
    if split.rows is not None:
        (every,) = _counted(table, roles, [])
        ends = np.minimum(np.cumsum(split.rows), every[:, None])
        train, validation, test = np.diff(ends, axis=1, prepend=0).T
        return _Parts(every, train, validation, test, judged=True)
    return _by_shares(table, roles, split)


def _by_column(table: Table, roles: Roles) -> _Parts:
    part = part_of(str(roles.split))
    sums = [(part == name).sum() for name in ("train", "validation", "test")]
    every, train, validation, test = _counted(table, roles, sums)
    if not validation.any():  # training lends it an eighth
        validation = train - np.rint(train * 7 / 8).astype(np.int64)
        train = train - validation
    return _Parts(every, train, validation, test, judged=True)


def _by_shares(table: Table, roles: Roles, split: Split) -> _Parts:
    places = np.cumsum(split.shares[:2]).tolist()
    before: list[pl.Expr] = []
    if roles.series is not None and roles.time is not None and split.cut != SERIES:
        at = [min(round(table.rows * place), table.rows - 1) for place in places]
        times = table.collect(table.frame.select(pl.col(roles.time).sort().gather(at)))
        before = [(pl.col(roles.time) < time).sum() for time in times.to_series()]
    every, *at_dates = _counted(table, roles, before)
    ends = np.rint(np.outer(every, places)).astype(np.int64)
    if at_dates:
        dated = np.column_stack(at_dates)
        if split.cut == DATES or mostly_across(dated, every, places)[0]:
            ends = dated
    train, validation, test = np.diff(np.column_stack([ends, every]), axis=1, prepend=0).T
    return _Parts(every, train, validation, test, judged=split.shares[2] > 0)


def _counted(table: Table, roles: Roles, sums: Sequence[pl.Expr]) -> list[Integers]:
    """The rows of each series, and sums over them, (series,) each."""
    by = (pl.lit(0) if roles.series is None else pl.col(roles.series)).alias("the series")
    named = [each.alias(f"sum {number}") for number, each in enumerate(sums)]
    counts = table.collect(table.frame.group_by(by, maintain_order=True).agg(pl.len(), *named))
    return [counts[name].to_numpy().astype(np.int64) for name in counts.columns[1:]]


def horizon_and_context(
    table: Table,
    roles: Roles,
    split: Split,
    frequency: str | None,
    season: int,
    notes: Notes,
) -> tuple[int, int]:
    """(horizon, context), both such that each part of the split holds at least one window.

    A horizon that is not given leaves 20 test windows, all series together, if one of three steps
    does.
    """
    parts = _parts(table, roles, split)
    best, middle = int(parts.tested.argmax()), parts.middle
    whose = table.name if roles.series is None else f"the longest series of {table.name}"
    horizon, context = roles.horizon, roles.context
    tested, training = int(parts.tested[best]), int(parts.train.max())
    shares = [share for share in split.shares[1:] if share]
    longest, least = int(parts.all.max()), math.ceil(1 / min(shares))
    by_shares = roles.split is None and split.rows is None
    if tested < 1 or (by_shares and longest < least):
        raise InputError(
            f"{whose} has {counted(longest, 'row')}; a forecast needs some for training, "
            f"validation and test, {least} at least and many more to learn: "
            "add rows."
        )
    if horizon is None:
        horizon, why = _horizon(parts, frequency, season)
        notes.add("horizon", counted(horizon, "step"), "horizon", why)
    elif horizon > tested:
        raise InputError(
            f"{argument('horizon', horizon)}: validation and test need as many rows each, and the "
            f"smaller of them has {tested} of the {parts.all[best]} rows of {whose}; say "
            f"{argument('horizon', tested)} or less, or add rows."
        )
    if context is None:
        train = int(parts.train[middle])
        wanted = max(3 * horizon, 2 * season if season <= TWICE else season)
        fits = max(1, train // 2 - horizon)
        why = f"half of training, {train} rows, less the horizon"
        if fits < season and parts.trained(season, horizon) >= MANY:
            fits, why = season, "one season, as there are many series"
        context = min(wanted, fits)
        if context == wanted:
            why = "three horizons" if wanted == 3 * horizon else "two seasons"
            why = "one season" if wanted == season else why
        notes.add("context", counted(context, "step"), "context", why)
    if training < context + horizon:
        raise InputError(
            f"{whose} has {counted(int(parts.all.max()), 'row')}, {training} of them for training: "
            f"fewer than context plus horizon ({context} + {horizon} = {context + horizon}); say a "
            f"smaller {argument('context')} or {argument('horizon')}, or add rows."
        )
    return horizon, context


def _horizon(parts: _Parts, frequency: str | None, season: int) -> tuple[int, str]:
    """How far to forecast, and why."""
    usual = season if 1 < season <= TWICE else HORIZONS.get(frequency or "", OTHERWISE)
    wanted = HORIZONS.get(frequency or "", usual) if season != 5 else season
    why = "one season" if wanted == season else "usual for the frequency"
    fits = max(1, int(parts.tested[parts.middle]))
    most = min(wanted, fits)
    fewest = min(most, FEWEST_STEPS)
    enough = (steps for steps in range(most, fewest, -1) if parts.windows(steps) >= WINDOWS)
    horizon = next(enough, fewest) if parts.judged else most
    if horizon == wanted:
        return horizon, why
    given_up = f"{wanted} would be {why}"
    if horizon == fits:
        rows = int(parts.all[parts.middle])
        return horizon, f"{given_up}; validation or test has only {fits} of {counted(rows, 'row')}"
    left = parts.windows(horizon)
    which = f"{horizon}" if left >= WINDOWS else f"{horizon}, the fewest that are guessed,"
    return horizon, f"{given_up}; {which} leave {counted(left, 'test window')}"
