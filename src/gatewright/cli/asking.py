"""The flags that several commands share, and the command line that repeats a run.

Fields that are None were not given and are guessed, or take the number of the budget.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from gatewright import limits
from gatewright.cli.common import (
    Flag,
    MaybeWhole,
    UsageError,
    Whole,
    among,
    character,
    listed,
)

if TYPE_CHECKING:
    from gatewright import requests
    from gatewright.requests import Columns, Limits, Split

METRICS = """\
What decides, by name. Default: mse, or error_rate of classes.

- mse: mean squared error in standard deviations of each series
- scaled_mae: mean absolute error in the same
- mae: mean absolute error in the column's own units
- rmse: root of the mean squared error in own units
- mase: mean absolute error beside that of the seasonal naive forecast in training
- smape: symmetric mean absolute percentage error
- wql: weighted quantile loss
- error_rate, accuracy: how many are told wrong, or right
- log_loss: how unlikely the true class was said to be
"""
Metric = Annotated[str, Parameter(show_default=False, help=METRICS)]
LISTS = ("known", "categories", "ignore", "cells", "baselines")


@Parameter(name="*", group=Group("Columns and steps (guessed if not given)", sort_key=1))
@dataclasses.dataclass(frozen=True, kw_only=True)
class TableFlags:
    """What the columns of a file mean, and how it is cut.

    Parameters
    ----------
    target
        The column to predict; several with commas between them.
    task
        forecast, classify or regress.
    time
        Of forecasts: the column of times; several that hold it together as year,month.
    series
        Of forecasts: the column with the names of the series, where there are several.
    sequence
        Of labelled sequences: the column with the name of each.
    step
        Of labelled sequences: the column that orders the rows of each.
    known
        Inputs whose future values are known when forecasting, as holidays are.
    categories
        Inputs that are names even if they are written as numbers.
    ignore
        Columns to leave out.
    group
        Sequences with the same value in this column stay in one part of the split.
    split
        The column that says train, validation or test.
    horizon
        Steps to forecast.
    context
        Steps that a forecast looks back.
    season
        Steps after which a pattern repeats.
    frequency
        How far apart the rows are: 15m, 1h, 1d, 1mo.
    limits
        What targets never pass, and forecasts do not either: 0: for nothing below 0, 0:100 for a
        percentage, none; by name as sales=0:,share=0:1. Guessed from training if not given.
    delimiter
        Between the fields of a CSV file: one character, or comma, semicolon, tab.
    shares
        Of training, validation and test. Default: 0.7,0.1,0.2. To fit, test may be 0: 0.9,0.1,0.
    rows
        Of forecasts: the lengths of these parts in steps instead, as 8640,2880,2880.
    cut
        Of many series: dates, all at the same two; or series, each at its own places.
    """

    target: str | None = None
    task: str | None = None
    time: str | None = None
    series: str | None = None
    sequence: str | None = None
    step: str | None = None
    known: str | None = None
    categories: str | None = None
    ignore: str | None = None
    group: str | None = None
    split: str | None = None
    horizon: MaybeWhole = None
    context: MaybeWhole = None
    season: MaybeWhole = None
    frequency: str | None = None
    limits: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None  # -5:5
    delimiter: str | None = None
    shares: str | None = None
    rows: str | None = None
    cut: str | None = None

    def asked(self) -> tuple[Columns, Split, str | None]:
        """The same as records, and the character between the fields."""
        return self._columns(), self._split(), character(self.delimiter)

    def _columns(self) -> Columns:
        from gatewright.requests import Columns

        if self.task is not None:
            from gatewright import tasks

            among("task", [self.task], tasks.names())
        given = {"targets": tuple(listed(self.target)), "limits": _limits(self.limits)}
        return Columns(**_shared(self, Columns) | given)

    def _split(self) -> Split:
        from gatewright.requests import Split

        parts: dict[str, Any] = {"cut": self.cut}
        if self.shares is not None:
            parts |= {"shares": _numbers(self.shares, limits.SHARE), "told": True}
        if self.rows is not None:
            parts["rows"] = _numbers(self.rows, limits.PART_ROWS)
        return Split(**parts)


@Parameter(name="*", group=Group("What is compared, and how long", sort_key=2))
@dataclasses.dataclass(frozen=True, kw_only=True)
class ContestFlags:
    """Who competes, and what each candidate gets.

    Parameters
    ----------
    cells
        Names of cells, with commas between them. Default: rnn, lstm and gru.
    baselines
        Baselines beside those that always run, as auto_arima,ets.
    budget
        quick (minutes), standard or thorough (hours).
    settings
        Settings of learning rate, layers and dropout that each network tries.
    seeds
        Trainings of the best setting, each from other random numbers.
    epochs
        Of each training, at most.
    parameters
        Of each network; without it, those of the budget.
    equal
        What every network gets as much of: parameters, or time, the same seconds each.
    class_weights
        Each class counts the same, however rare it is.
    truncate
        Steps after which gradients stop going further back; 0 for never.
    """

    cells: str | None = None
    baselines: str | None = None
    budget: str = "quick"
    settings: MaybeWhole = None
    seeds: MaybeWhole = None
    epochs: MaybeWhole = None
    parameters: MaybeWhole = None
    equal: str = "parameters"
    metric: Metric = ""
    class_weights: Flag = False
    truncate: Whole = 0

    def asked(self) -> requests.Contest:
        """The same as a record."""
        from gatewright import requests

        return requests.Contest(**_shared(self, requests.Contest))


GUESSED, USUAL = TableFlags(), ContestFlags()  # where no flag was given


def repeating(command: str, file: Path, *asked: Any, **others: Any) -> str:
    """The command line that does the same again, without what was left at its default."""
    words = ["gatewright", command, str(file)]
    flags = {name: value for name, value in others.items() if value is not None}
    for record in asked:
        for field in dataclasses.fields(record):
            value = getattr(record, field.name)
            if value != field.default:
                flags[field.name] = value
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def _shared(flags: Any, kind: Any) -> dict[str, Any]:
    """Of a kind of record, the fields that flags of the same names give."""
    names = {field.name for field in dataclasses.fields(kind)}
    values = {
        field.name: getattr(flags, field.name)
        for field in dataclasses.fields(flags)
        if field.name in names
    }
    return {
        name: tuple(listed(value)) if name in LISTS else value for name, value in values.items()
    }


def _limits(text: str | None) -> Limits | dict[str, Limits] | None:
    """Those in a list as "0:" or "sales=0:,share=0:1"."""
    if text is None:
        return None
    named = [part.rpartition("=") for part in listed(text)]
    read = {name.strip(): _pair(ends) for name, _, ends in named}
    pairs = {name: pair for name, pair in read.items() if pair is not None}
    if len(pairs) < len(named) or not pairs or ("" in pairs and len(pairs) > 1):
        raise UsageError(
            "--limits is the least and the greatest value, as 0: or 0:100, or none, or of each "
            f"target by its name, as sales=0:,share=0:1, not {text!r}"
        )
    return pairs.get("", pairs)


def _pair(text: str) -> Limits | None:
    """The limits of one target; None where they are not written as such."""
    if text.strip() == "none":
        return None, None
    least, colon, greatest = text.partition(":")
    try:
        ends = [float(end) if end.strip() else None for end in (least, greatest)]
    except ValueError:
        return None
    finite = all(math.isfinite(end) for end in ends if end is not None)
    return (ends[0], ends[1]) if colon and finite and ends != [None, None] else None


def _numbers(text: str, limit: limits.Limit) -> tuple[Any, ...]:
    """Those in a list with commas; what is none stays as it was written."""
    parts = text.split(",")
    return tuple(part if limit.read(part) is None else limit.read(part) for part in parts)
