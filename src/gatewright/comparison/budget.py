"""The same budget for everyone: parameters, tried settings, seeds, steps."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from gatewright.comparison.records import Candidate
from gatewright.errors import InputError, argument
from gatewright.models.size import check_memory, count_parameters
from gatewright.setting import Setting
from gatewright.tasks import Task
from gatewright.training import Stopping

RATES = (1e-3, 1e-2)
LAYERS = (1, 2)
DROPOUTS = (0.0, 0.1, 0.2, 0.3)
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
        settings=3,
        seeds=3,
        hidden_size=32,
        stopping=Stopping(epochs=10, steps_per_epoch=100, patience=4, validation_examples=512),
        seconds=10,
    ),
    "standard": Budget(
        settings=6,
        seeds=5,
        hidden_size=64,
        stopping=Stopping(epochs=40, steps_per_epoch=200, patience=6),
        seconds=60,
    ),
    "thorough": Budget(
        settings=16,
        seeds=10,
        hidden_size=96,
        stopping=Stopping(epochs=100, steps_per_epoch=400, patience=12),
        seconds=300,
    ),
}


def draw_settings(count: int, variants: Sequence[str]) -> tuple[Setting, ...]:
    """The settings that every trained candidate tries: a usual one, then draws that never change.

    Learning rates are spread over equal steps of their logarithm, so that few draws still cover
    them; variants of the task take turns.
    """
    generator = np.random.default_rng(0)
    low, high = (math.log(rate) for rate in RATES)
    settings = [Setting(variant=variants[0])]
    slots = generator.permutation(max(1, count - 1))
    for number in range(1, count):
        share = (slots[number - 1] + 0.25 + 0.5 * generator.random()) / (count - 1)
        settings.append(
            Setting(
                learning_rate=float(f"{math.exp(low + share * (high - low)):.2g}"),
                num_layers=int(generator.choice(LAYERS)),
                dropout=float(generator.choice(DROPOUTS)),
                variant=variants[number % len(variants)],
            )
        )
    return tuple(settings)


def solve_widths(
    task: Task,
    cells: Sequence[str],
    settings: Sequence[Setting],
    *,
    hidden_size: int,
    parameters: int | None = None,
) -> list[Candidate]:
    """The cells, each with the width for each setting that gives all the same size.

    The size is ``parameters``, give or take a tenth; without it, the size of the largest cell with
    ``hidden_size`` and the first setting, or the next larger one that all can have: a width is a
    whole number, and narrow networks seldom have the same size. If no size fits all cells in all
    settings, each setting has a size of its own.

    Raises InputError if the sizes would differ by more than 2%, or exceed this machine's memory.
    """
    nominal = parameters or max(
        count_parameters(task, cell, hidden_size, settings[0]) for cell in cells
    )
    check_memory(nominal, f"ask for fewer with {argument('parameters')}")
    low, high = (0.9, 1.1) if parameters else (1.0, GROWTH)
    # What else is in a setting has no part in the number of parameters.
    shapes = [Setting(num_layers=one.num_layers, variant=one.variant) for one in settings]
    ladders = {
        shape: [
            _ladder(task, cell, shape, 0.9 * low * nominal, 1.1 * high * nominal) for cell in cells
        ]
        for shape in dict.fromkeys(shapes)
    }
    every = [ladder for of_shape in ladders.values() for ladder in of_shape]
    joint, _ = _meeting(every, nominal, low, high)
    goals = {}
    for shape, of_shape in ladders.items():
        goals[shape], apart = (joint, 0.0) if joint else _meeting(of_shape, nominal, low, high)
        if goals[shape] is None:
            raise InputError(
                f"networks of {nominal:,} parameters cannot be made equal: their numbers would "
                f"differ by {apart:.1%} where {TOLERANCE:.0%} is allowed; ask for more with "
                f"{argument('parameters')}"
            )
    met = [[ladder.at_least(goals[shape] or 0) for ladder in ladders[shape]] for shape in shapes]
    return [
        Candidate(
            name=cell,
            title=cell,
            baseline=False,
            trained=True,
            hidden_sizes=tuple(rungs[number][0] for rungs in met),
            parameters=tuple(rungs[number][1] for rungs in met),
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


def _meeting(
    ladders: Sequence[Ladder], nominal: int, low: float, high: float
) -> tuple[int | None, float]:
    """The number nearest to the nominal one where all ladders have a rung, or a little above.

    None where they have none, and how far apart they are at best. Wherever rungs meet, the lowest
    of them is a rung, so that trying rungs is enough.
    """
    rungs = {count for ladder in ladders for count in ladder.counts}
    goals = [goal for goal in rungs if low * nominal <= goal <= high * nominal]
    closest = 1.0
    for goal in sorted(goals, key=lambda goal: abs(goal - nominal)):
        apart = max(ladder.at_least(goal)[1] for ladder in ladders) / goal - 1
        if apart <= TOLERANCE:
            return goal, apart
        closest = min(closest, apart)
    return None, closest


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
