"""What a person asked for, as records: made and checked once, at the door, and passed on whole."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewright import limits
from gatewright.errors import InputError, argument
from gatewright.setting import Options

Names = str | Sequence[str]
LENGTHS = ("horizon", "context", "season")
AMOUNTS = ("settings", "seeds", "epochs", "parameters")
EQUAL = ("parameters", "time")
DATES, SERIES = CUT = ("dates", "series")
Limits = tuple[float | None, float | None]  # the least and the greatest value; None: no limit
NO_LIMITS: Limits = (None, None)


def names(one_or_more: Names) -> tuple[str, ...]:
    """Names that are given as one or as several."""
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What was said of the columns and of the steps; the rest is guessed from the table.

    targets: the columns to predict.
    task: "forecast", or a task on labelled sequences: "classify" or "regress".
    time, series: of forecasts, the columns of times and of the names of the series; a time that
        several columns hold together is "year,month".
    sequence, step: of labelled sequences, the columns of names and of positions.
    known: inputs whose values are known ahead of time.
    categories: inputs that are names even if they are written as numbers.
    ignore: columns to leave out.
    group: sequences with the same value here stay in one part of the split.
    split: the column that says train, validation or test.
    horizon, context, season: in steps.
    frequency: how far apart the rows are, as polars writes durations: "1h", "1mo".
    limits: the least and the greatest value that a target can have, None for no limit: one pair for
        all targets, or of each of some targets its own.
    """

    targets: tuple[str, ...] = ()
    task: str | None = None
    time: str | None = None
    series: str | None = None
    sequence: str | None = None
    step: str | None = None
    known: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    group: str | None = None
    split: str | None = None
    horizon: int | None = None
    context: int | None = None
    season: int | None = None
    frequency: str | None = None
    limits: Limits | Mapping[str, Limits] | None = None

    def __post_init__(self) -> None:
        limits.check(_some(self, LENGTHS), optional=LENGTHS)
        each = self.limits.values() if isinstance(self.limits, Mapping) else [self.limits]
        for pair in each:
            if pair is not None:
                _check_limits(pair)

    def limits_of(self, targets: Sequence[str]) -> dict[str, Limits]:
        """Those that were said, by target. Raises InputError for one that is no target."""
        if self.limits is None:
            return {}
        if not isinstance(self.limits, Mapping):
            return dict.fromkeys(targets, _plain(self.limits))
        for name in self.limits:
            if name not in targets:
                raise InputError(
                    f"{argument('limits')} names {name!r}, which is no target: give those of "
                    f"{', '.join(targets)}"
                )
        return {name: _plain(pair) for name, pair in self.limits.items()}


@dataclass(frozen=True)
class Split:
    """How a table is cut into training, validation and test.

    shares: of the three, with the sum 1; that of test may be 0 where nothing is compared, that of
        validation too where all was chosen before.
    rows: of forecasts, their lengths in steps from the start of each series, instead of shares;
        what is beyond is left out.
    cut: of forecasts of many series, where the shares cut them: "dates", all at the same two, or
        "series", each at its own places; guessed if not given.
    told: the shares were asked for. What is asked for goes before a column that says the part,
        where that is a guess; the usual shares do not.
    """

    shares: tuple[float, float, float] = (0.7, 0.1, 0.2)
    rows: tuple[int, int, int] | None = None
    cut: str | None = None
    told: bool = False

    @property
    def asked(self) -> str | None:
        """The argument that asked for the lengths of the parts."""
        return "rows" if self.rows is not None else "shares" if self.told else None

    def __post_init__(self) -> None:
        limits.check_shares(self.shares)
        if self.told and self.rows is not None:
            raise InputError(
                f"{argument('shares')} and {argument('rows')} both say how long the parts are: "
                "give one of the two"
            )
        if self.rows is not None:
            limits.check_rows(self.rows)
        if self.cut is not None and self.cut not in CUT:
            raise InputError(f"{argument('cut')} is one of {', '.join(CUT)}, not {self.cut!r}")
        if self.cut is not None and self.rows is not None:
            raise InputError(
                f"{argument('cut', self.cut)} says where shares cut the series, and "
                f"{argument('rows')} are lengths from the start of each: give one of the two"
            )


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Who competes, and what each candidate gets.

    cells, baselines: by name; the baselines are beside those that always run.
    budget: by name; settings, seeds, epochs and parameters replace its numbers.
    equal: what every network gets as much of, "parameters" or "time".
    metric: the measure that decides, by name; empty for the task's usual one.
    class_weights: each class counts the same. truncate: steps after which gradients stop; 0 for
        never.
    """

    cells: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    budget: str = "quick"
    settings: int | None = None
    seeds: int | None = None
    epochs: int | None = None
    parameters: int | None = None
    equal: str = "parameters"
    metric: str = ""
    class_weights: bool = False
    truncate: int = 0

    def __post_init__(self) -> None:
        limits.check(_some(self, (*AMOUNTS, "truncate")), optional=AMOUNTS)
        if self.equal not in EQUAL:
            raise InputError(
                f"{argument('equal')} is one of {', '.join(EQUAL)}, not {self.equal!r}"
            )

    @property
    def options(self) -> Options:
        """What is asked of the task."""
        return Options(class_weights=self.class_weights, metric=self.metric, truncate=self.truncate)


def _some(record: Any, fields: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in fields}


def _check_limits(pair: Any) -> None:
    """Raise InputError for what is no pair of a least and a greatest value."""
    two = isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2
    if not two or not all(end is None or _finite(end) for end in pair):
        raise InputError(
            f"{argument('limits')} is to be two finite numbers, the least and the greatest value, "
            f"None where there is no limit, as (0, None), not {repr(pair)[: limits.LONGEST_QUOTE]}"
        )
    floor, ceiling = _plain(pair)
    if floor is not None and ceiling is not None and floor >= ceiling:
        raise InputError(
            f"{argument('limits')} has the least value {floor:g}, which is not below the greatest, "
            f"{ceiling:g}: give the lower one first"
        )


def _finite(number: Any) -> bool:
    real = isinstance(number, numbers.Real) and not isinstance(number, bool)
    try:
        return real and math.isfinite(float(number))
    except OverflowError:  # a whole number too large for a float
        return False


def _plain(pair: Sequence[Any]) -> Limits:
    floor, ceiling = (None if end is None else float(end) for end in pair)
    return floor, ceiling
