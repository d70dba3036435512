"""The tables of the page, their cells put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gatewright.comparison.records import Row
from gatewright.comparison.verdict import Pair, Verdict
from gatewright.measures import Measure
from gatewright.wording.numbers import (
    NOTHING,
    duration,
    interval,
    microseconds,
    number,
    skill,
)

WIDEST = 2.0  # how far interval plots reach at least, in losses of the best
NARROW = 8.0  # percent of an interval plot


@dataclass(frozen=True)
class Entry:
    """One cell of a table: what stands there, and what it is sorted by."""

    text: str
    value: float | str | None = None
    more: str = ""  # in small print below


@dataclass(frozen=True)
class Whisker:
    """An interval as a picture, in percent of its width; ``beyond`` lies to the right of it."""

    low: float
    middle: float
    high: float
    beyond: bool

    @property
    def capped(self) -> bool:
        """Whether there is room for its ends beside the dot in its middle."""
        return self.high - self.low > NARROW


@dataclass(frozen=True)
class BoardLine:
    """A candidate on the leaderboard."""

    name: str
    title: str
    baseline: bool
    recommended: bool
    among_best: bool
    failed: str
    rank: Entry
    setting: str = ""
    cells: dict[str, Entry] = field(default_factory=dict)
    whisker: Whisker | None = None


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard: its columns by key, its lines, and the ends of the interval plots."""

    columns: dict[str, str]
    lines: list[BoardLine]
    reach: tuple[str, str]
    baseline: float | None  # where the best baseline lies in the interval plots, in percent


def leaderboard(verdict: Verdict, rows: Sequence[Row]) -> Leaderboard:
    """The table of all candidates, which readers see first."""
    judged = [row for row in rows if not row.failed and row.loss is not None]
    low, high = reach(judged)
    columns = {
        "loss": verdict.metric,
        "skill": "skill over the best baseline",
        "parameters": "parameters",
        "training": "training",
        "prediction": "per prediction",
        "seeds": "seeds",
    }
    if verdict.best_baseline is None:
        del columns["skill"]
    best = next((row.loss for row in judged if row.name == verdict.best_baseline), None)
    best_at = None if best is None or not low <= best <= high else 100 * (best - low) / (high - low)
    lines = [_line(verdict, row, low, high) for row in rows]
    return Leaderboard(columns, lines, (number(low, 2), number(high, 2)), best_at)


def reach(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the interval plots: from the best to the last that is of interest.

    A candidate far behind must not squeeze all others; the best network and the best baseline are
    always inside.
    """
    ranked = sorted((row for row in rows if row.loss is not None), key=lambda row: row.loss or 0)
    if not ranked:
        return 0.0, 1.0
    best = ranked[0].loss or 0.0
    first = [next((row for row in ranked if row.baseline == kind), ranked[0]) for kind in (0, 1)]
    most = max(WIDEST * best, *(row.loss or 0.0 for row in first))
    inside = [row for row in ranked if (row.loss or 0) <= most] or ranked
    ends = [end for row in inside for end in (row.low, row.loss, row.high) if end is not None]
    low, high = min(ends), min(max(ends), WIDEST * most)
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return max(0.0, low - margin), high + margin  # no loss is below zero


def measured(measure: Measure, value: float | None) -> Entry:
    """A measure in a cell."""
    return Entry(measure.words(value), value)


def _whisker(row: Row, low: float, high: float) -> Whisker | None:
    if row.loss is None:
        return None

    def position(value: float) -> float:
        return round(min(100.0, max(0.0, 100 * (value - low) / (high - low))), 2)

    first = row.loss if row.low is None else row.low
    last = row.loss if row.high is None else row.high
    return Whisker(position(first), position(row.loss), position(last), beyond=last > high)


def _line(verdict: Verdict, row: Row, low: float, high: float) -> BoardLine:
    if row.failed or row.loss is None:
        return BoardLine(
            row.name, row.title, row.baseline, False, False, row.failed, Entry(NOTHING)
        )
    best = row.name == verdict.best_baseline
    cells = {
        "loss": Entry(number(row.loss), row.loss, interval(row.low, row.high)),
        "skill": Entry(
            NOTHING if best else skill(row.skill),
            row.skill,
            "the best" if best else interval(row.skill_low, row.skill_high, skill),
        ),
        "parameters": Entry(f"{row.parameters:,}" if row.parameters else NOTHING, row.parameters),
        "training": Entry(duration(row.train_seconds), row.train_seconds),
        "prediction": Entry(microseconds(row.microseconds), row.microseconds),
        "seeds": Entry(row.seeds_in_words(), row.seeds, _each(row)),
    }
    return BoardLine(
        name=row.name,
        title=row.title,
        baseline=row.baseline,
        recommended=row.name == verdict.recommended,
        among_best=row.among_best,
        failed="",
        rank=Entry(str(row.rank), row.rank),
        setting=row.setting.in_words(row.hidden_size) if row.setting else "",
        cells=cells,
        whisker=_whisker(row, low, high),
    )


def _each(row: Row) -> str:
    """The loss of each seed alone, from the lowest to the highest."""
    losses = sorted(row.each.values())
    return f"alone {number(losses[0], 3)} to {number(losses[-1], 3)}" if len(losses) > 1 else ""


@dataclass(frozen=True)
class PairLine:
    candidate: str
    other: str
    difference: Entry
    interval: str
    relative: Entry
    relative_interval: str
    told_apart: bool


def pairs(tested: Sequence[Pair], verdict: Verdict) -> list[PairLine]:
    """Every pair of a question."""
    titles = {one.name: one.title for one in verdict.candidates}
    lines = []
    for pair in tested:
        nothing = (None, None)
        ends, share = pair.interval or nothing, pair.relative_interval or nothing
        lines.append(
            PairLine(
                candidate=titles[pair.candidate],
                other=titles[pair.other],
                difference=Entry(number(pair.difference, 3), pair.difference),
                interval=interval(ends[0], ends[1]),
                relative=Entry(skill(pair.relative), pair.relative),
                relative_interval=interval(share[0], share[1], skill),
                told_apart=pair.told_apart,
            )
        )
    return lines
