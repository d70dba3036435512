"""All measures of a task on some predictions: for all together, by step, by series, by target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gatewright.measures.measure import Averaged, Measure, number
from gatewright.measures.told import Told

MOST = 1000  # series that are told one by one

Numbers = tuple[float | None, ...]


class Places(BaseModel):
    """Measures told one by one: of each step, series or target."""

    model_config = ConfigDict(frozen=True)

    names: tuple[str, ...]
    count: int  # of all there are; the first are told
    values: dict[str, Numbers]  # measure -> one number a name


class Measured(BaseModel):
    """What the measures of a task gave, by their names; None where one has nothing to go by."""

    model_config = ConfigDict(frozen=True)

    overall: dict[str, float | None] = {}
    by: dict[str, Places] = {}  # "step", "series", "target": where there are several
    details: dict[str, Any] = {}  # what views of the task show: plain lists

    def told_by(self, place: str) -> dict[str, dict[str, float | None]]:
        """Step, series or target -> each measure; nothing where there are not several."""
        if place not in self.by:
            return {}
        places = self.by[place]
        return {
            name: {measure: each[at] for measure, each in places.values.items()}
            for at, name in enumerate(places.names)
        }


def take(
    measures: Sequence[Measure],
    pieces: Iterable[Told],
    whole: Told,
    labels: Mapping[str, Sequence[str]],
) -> Measured:
    """Measure predictions.

    pieces: all of them, in blocks that fit the memory; whole: all of them at once, looked at only
    for measures that are no means.
    labels: for "step", "series" and "target", the name of each number.
    """
    means = [each for each in measures if isinstance(each, Averaged)]
    sums = {name: torch.zeros(len(means), len(some), 2).double() for name, some in labels.items()}
    seen = {name: torch.zeros(len(some), dtype=torch.bool) for name, some in labels.items()}
    for told in pieces:
        for name, place in told.places.items():
            seen[name][place] = True
        for row, each in enumerate(means):
            totals = each.totals(told)
            sums["target"][row] += totals.sum(0)
            for name, place in told.places.items():
                sums[name][row].index_add_(0, place, totals.sum(1))
    seen["target"][:] = True
    overall = {each.name: sums["target"][row].sum(0) for row, each in enumerate(means)}
    values = {each.name: _plain(each, overall[each.name][None])[0] for each in means}
    for other in measures:
        if other.name not in values:
            values[other.name] = other.value(whole)
    return Measured(
        overall={each.name: values[each.name] for each in measures},
        by={
            name: _places(means, sums[name], seen[name], labels[name])
            for name in labels
            if seen[name].sum() > 1
        },
    )


def _places(means: Sequence[Averaged], sums: Tensor, seen: Tensor, labels: Sequence[str]) -> Places:
    kept = seen.nonzero().flatten()
    some = kept[:MOST]
    return Places(
        names=tuple(labels[place] for place in some.tolist()),
        count=len(kept),
        values={each.name: _plain(each, sums[row, some]) for row, each in enumerate(means)},
    )


def _plain(each: Averaged, sums: Tensor) -> Numbers:
    """sums: (places, 2), of errors and weights."""
    return tuple(map(number, each.finished(sums[:, 0] / sums[:, 1]).tolist()))
