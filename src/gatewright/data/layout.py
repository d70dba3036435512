"""What the columns of a table mean: the record that guesses and people fill in."""

from __future__ import annotations

from collections import Counter
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from gatewright.requests import Limits


class Guess(BaseModel):
    """One thing that was read off the data instead of being asked for."""

    model_config = ConfigDict(frozen=True)

    what: str  # "time column"
    value: str  # "Month"
    argument: str  # what overrides it: "time"
    why: str  # "the only column of dates"


class Layout(BaseModel):
    """Which column plays which part, and how the table is cut into examples.

    Three shapes of tables end here: one series (no ``series``, no ``sequence``), many series in
    long form (``series``), and sequences with one label each: long form (``sequence``, and
    ``step`` if there is a column of positions) or wide (``steps``, a row a sequence).

    A column has one part, and nothing but an input goes into the networks: making a layout that
    has a target, or what was left out, among its inputs or steps raises pydantic's
    ValidationError.
    """

    model_config = ConfigDict(frozen=True)

    task: str  # the name of a file in gatewright.tasks
    targets: tuple[str, ...]
    numbers: tuple[str, ...] = ()  # inputs read as numbers, booleans too; never targets
    categories: tuple[str, ...] = ()  # inputs read as categories
    known: tuple[str, ...] = ()  # those inputs whose future values are known when forecasting
    split: str | None = None  # the column that says train, validation or test
    ignored: dict[str, str] = {}  # column -> why it is not an input
    limits: dict[str, Limits] = {}  # of targets, those that were said

    # Forecasts
    time: str | None = None
    series: str | None = None
    frequency: str | None = None  # of the time axis, as polars writes durations: "1h", "1mo"
    season: int = 1  # steps; 1 means none was found
    horizon: int = 1  # steps ahead
    context: int = 1  # steps seen

    # Sequences
    sequence: str | None = None
    step: str | None = None
    steps: tuple[str, ...] = ()
    group: str | None = None  # sequences of one group stay in one part of the split

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*self.numbers, *self.categories)

    @model_validator(mode="after")
    def _one_part_each(self) -> Self:
        alone = [self.time, self.sequence, self.step, self.split]
        # A series or a group may be told apart by its name, as an input too.
        named = [self.series, self.group]
        parts = [*self.targets, *self.steps, *self.ignored, *alone]
        held = Counter(name for name in (*parts, *named) if name is not None)
        twice = [name for name, count in held.items() if count > 1]
        twice += [name for name in self.inputs if name in parts]
        if twice:
            raise ValueError(f"column {twice[0]!r} has two parts")
        odd = set(self.known) - set(self.inputs)
        if odd:
            raise ValueError(f"column {min(odd)!r} is known ahead, but no input")
        return self
