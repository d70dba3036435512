"""The measures of a run as tables: for all predictions, by step, by series and by target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright import measures
from gatewright.measures import Averaged, Measure, Measured
from gatewright.report.outcome import Outcome
from gatewright.report.tables import Entry, measured

MOST = 100  # lines of a table
PLACES = ("step", "series", "target")


@dataclass(frozen=True)
class OverallTable:
    """A line a candidate, a column a measure."""

    measures: list[Measure]
    lines: list[tuple[str, list[Entry]]]


@dataclass(frozen=True)
class PlacesTable:
    """A table a measure, of it a line a step, series or target and a column a candidate."""

    place: str
    titles: list[str]
    names: list[str]
    count: int  # of all steps or series, of which some are shown
    tables: list[tuple[Averaged, list[list[Entry]]]]


def overall(outcome: Outcome) -> OverallTable:
    """Every measure of every candidate, mean over its seeds."""
    every = of_task(outcome)
    lines = [
        (row.title, [measured(each, row.measures.get(each.name)) for each in every])
        for row in outcome.rows
        if row.measures
    ]
    return OverallTable(every, lines)


def of_task(outcome: Outcome) -> list[Measure]:
    return [measures.get(name) for name in outcome.task.measures]


def by_place(outcome: Outcome) -> list[PlacesTable]:
    """The measures by step, by series and by target, as far as there are several."""
    found = outcome.measured
    means = [each for each in of_task(outcome) if isinstance(each, Averaged)]
    return [
        _table(outcome, place, found, means)
        for place in PLACES
        if found and all(place in one.by for one in found.values())
    ]


def _table(
    outcome: Outcome, place: str, found: dict[str, Measured], means: Sequence[Averaged]
) -> PlacesTable:
    first = next(iter(found.values())).by[place]
    # Steps in even distances, so that the last is there; of the series the first.
    every = -(-len(first.names) // MOST) if place == "step" else 1
    names = list(first.names[every - 1 :: every][:MOST])
    titles = {row.name: row.title for row in outcome.rows}
    columns = [one.told_by(place) for one in found.values()]
    tables = []
    for each in means:
        lines = [
            [measured(each, column.get(name, {}).get(each.name)) for column in columns]
            for name in names
        ]
        tables.append((each, lines))
    return PlacesTable(place, [titles[name] for name in found], names, first.count, tables)
