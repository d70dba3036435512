"""The same budget for everyone: parameters, tried settings, seeds, steps."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gatewright.comparison.records import Candidate, Rung
from gatewright.errors import InputError, argument
from gatewright.models.size import check_memory, count_parameters
from gatewright.setting import Setting
from gatewright.tasks import Task
from gatewright.training import Stopping

RATES = (3e-4, 1e-2)
LAYERS = (1, 1, 1, 2)
DROPOUTS = (0.0, 0.1, 0.3)
DRAWS = 500  # of a search, to choose from
# Of a search: shares of the epochs, and the share of the settings that get so far, one at least.
RUNGS = ((0.2, 1.0), (0.5, 0.25), (1.0, 0.125))
TOLERANCE = 0.02  # candidates' parameters differ by no more than this share
WIDEST = 65536
GROWTH = 8.0  # how much larger than asked for by width networks may become to be equal


class Budget(BaseModel):
    """What every candidate gets."""

    model_config = ConfigDict(frozen=True)

    settings: int  # tried with the first seed, chosen between on validation
    seeds: int  # of the chosen setting
    hidden_size: int  # of the largest cell with one layer: what sets the number of parameters
    stopping: Stopping
    seconds: float  # of a fit, where time is what is equal


BUDGETS = {
    "quick": Budget(
        settings=8,
        seeds=3,
        hidden_size=40,
        stopping=Stopping(epochs=10, steps_per_epoch=100, patience=4, validation_examples=512),
        seconds=10,
    ),
    "standard": Budget(
        settings=12,
        seeds=5,
        hidden_size=64,
        stopping=Stopping(epochs=40, steps_per_epoch=200, patience=6),
        seconds=60,
    ),
    "thorough": Budget(
        settings=24,
        seeds=10,
        hidden_size=96,
        stopping=Stopping(epochs=100, steps_per_epoch=400, patience=12),
        seconds=300,
    ),
}


def draw_settings(
    count: int, choices: Sequence[Sequence[str]], segments: Sequence[int]
) -> tuple[Setting, ...]:
    """The settings that every trained candidate tries: a usual one, then draws that never change.

    A Latin hypercube (McKay and others 1979): each value of each part of a setting comes as often
    as any other of it, the usual one first; learning rates are spread over equal steps of their
    logarithm. Of many such draws it is the one in which pairs of values come most evenly too (as
    in Owen 1994, Controlling correlations in Latin hypercube samples), of all parts but layers and
    dropout, which matter least: so few settings would otherwise leave good pairs out, or give them
    none but a slow learning rate.
    """
    generator = np.random.default_rng(0)
    parts: list[Sequence[Any]] = [LAYERS, DROPOUTS, segments, *choices]
    turns = np.array([[number % len(values) for number in range(count)] for values in parts])
    # The rate: its place among the rates, and which third of them that is; the usual one's apart.
    places = np.arange(-1, count - 1)
    thirds = np.where(places < 0, 1, 3 * places // max(1, count - 1))

    def drawn() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(parts + 1, settings): which value of each part, the third of the rate; the places."""
        orders = [np.r_[0, 1 + generator.permutation(count - 1)] for _ in range(len(parts) + 1)]
        values = [turn[order] for turn, order in zip(turns, orders, strict=False)]
        return np.array([*values, thirds[orders[-1]]]), places[orders[-1]]

    values, rates = min((drawn() for _ in range(DRAWS)), key=lambda draw: _uneven(draw[0][2:]))
    low, high = (math.log(rate) for rate in RATES)
    return tuple(
        Setting(
            learning_rate=float(f"{math.exp(low + (place + 0.5) / (count - 1) * (high - low)):.2g}")
            if place >= 0
            else Setting().learning_rate,
            num_layers=LAYERS[layers],
            dropout=DROPOUTS[dropout],
            segment=segments[segment],
            choices=tuple(words[at] for words, at in zip(choices, chosen, strict=True)),
        )
        for place, (layers, dropout, segment, *chosen, _) in zip(rates, values.T, strict=True)
    )


def _uneven(values: NDArray[np.int64]) -> float:
    """How far the counts of pairs of values, of any two rows, are from even: chi-squares, added."""
    rows = [np.eye(row.max() + 1)[row][:, np.unique(row)] for row in values]
    total = 0.0
    for one, other in combinations(rows, 2):
        found, expected = one.T @ other, np.outer(one.sum(0), other.sum(0)) / values.shape[1]
        total += float(((found - expected) ** 2 / expected).sum())
    return total


def rungs(count: int, stopping: Stopping) -> tuple[Rung, ...]:
    """The lengths of training in a search among so many settings, and how many get there.

    Where time is what is equal, there is no search by rungs.
    """
    if stopping.seconds is not None:
        return (Rung(epochs=stopping.epochs, settings=count),)
    lengths: dict[int, int] = {}
    for share, kept in RUNGS:
        if count > 1 or share == 1:
            lengths.setdefault(max(1, round(share * stopping.epochs)), math.ceil(kept * count))
    return tuple(Rung(epochs=epochs, settings=kept) for epochs, kept in lengths.items())


def solve_widths(
    task: Task,
    cells: Sequence[str],
    settings: Sequence[Setting],
    *,
    hidden_size: int,
    parameters: int | None = None,
) -> list[Candidate]:
    """The cells, each with the width for each setting that gives all of them the same size there.

    The size is ``parameters``, give or take a tenth; without it, the size of the largest cell with
    ``hidden_size`` and the first setting, or the next larger one that all can have: a width is a
    whole number, and narrow networks seldom have the same size. Between settings it may differ
    somewhat: all cells try all settings, and far larger networks would be needed for one size.

    Raises InputError if the sizes would differ by more than 2%, or exceed this machine's memory.
    """
    nominal = parameters or max(
        count_parameters(task, cell, hidden_size, settings[0]) for cell in cells
    )
    check_memory(nominal, f"ask for fewer with {argument('parameters')}")
    low, high = (0.9, 1.1) if parameters else (1.0, GROWTH)
    # What else is in a setting has no part in the number of parameters.
    usual = Setting()
    shapes = [
        one.model_copy(update={"learning_rate": usual.learning_rate, "dropout": usual.dropout})
        for one in settings
    ]
    sizes: dict[Setting, list[tuple[int, int]]] = {}
    for shape in dict.fromkeys(shapes):
        ladders = [
            _ladder(task, cell, shape, 0.9 * low * nominal, 1.1 * high * nominal) for cell in cells
        ]
        goal = _meeting(ladders, nominal, low, high)
        sizes[shape] = [ladder.at_least(goal) for ladder in ladders]
    return [
        Candidate(
            name=cell,
            title=cell,
            baseline=False,
            trained=True,
            settings=tuple(range(len(settings))),
            hidden_sizes=tuple(sizes[shape][number][0] for shape in shapes),
            parameters=tuple(sizes[shape][number][1] for shape in shapes),
        )
        for number, cell in enumerate(cells)
    ]


class Ladder(NamedTuple):
    """Widths of a network and how many parameters it has with each; both rise."""

    widths: list[int]
    counts: list[int]

    def at_least(self, goal: int) -> tuple[int, int]:
        """The smallest width with so many parameters, and how many; the last one if none has."""
        rung = min(bisect.bisect_left(self.counts, goal), len(self.counts) - 1)
        return self.widths[rung], self.counts[rung]


def _meeting(ladders: Sequence[Ladder], nominal: int, low: float, high: float) -> int:
    """The number nearest to the nominal one where all ladders have a rung, or a little above.

    Wherever rungs meet, the lowest of them is a rung, so that trying rungs is enough. Raises
    InputError where they meet nowhere.
    """
    rungs = {count for ladder in ladders for count in ladder.counts}
    goals = [goal for goal in rungs if low * nominal <= goal <= high * nominal]
    closest = 1.0
    for goal in sorted(goals, key=lambda goal: abs(goal - nominal)):
        apart = max(ladder.at_least(goal)[1] for ladder in ladders) / goal - 1
        if apart <= TOLERANCE:
            return goal
        closest = min(closest, apart)
    raise InputError(
        f"networks of {nominal:,} parameters cannot be made equal: their numbers would differ by "
        f"{closest:.1%} where {TOLERANCE:.0%} is allowed; ask for more with "
        f"{argument('parameters')}"
    )


def _ladder(task: Task, cell: str, shape: Setting, low: float, high: float) -> Ladder:
    """The widths for numbers of parameters between two, and one beside on either side.

    Matrices are hidden size by hidden size or less: three widths give the whole parabola.
    """
    one, two, three = (count_parameters(task, cell, width, shape) for width in (1, 2, 3))
    bend = three - 2 * two + one  # twice the square's factor, a whole number

    def count(width: int) -> int:
        return one + (two - one) * (width - 1) + bend * (width - 1) * (width - 2) // 2

    widths, counts = [1], [one]
    while counts[-1] <= high and widths[-1] < WIDEST:
        if counts[-1] < low:  # of those below, the last one alone is kept
            del widths[:-1], counts[:-1]
        widths.append(widths[-1] + 1)
        counts.append(count(widths[-1]))
    return Ladder(widths, counts)
