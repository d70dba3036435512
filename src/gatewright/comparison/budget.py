"""The same budget for everyone: parameters, tried settings, seeds, steps."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from gatewright.comparison.records import Candidate
from gatewright.errors import InputError
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
        stopping=Stopping(epochs=12, steps_per_epoch=100, patience=4),
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
    found = [Setting(variant=variants[0])]
    places = generator.permutation(max(1, count - 1))
    for number in range(1, count):
        share = (places[number - 1] + 0.25 + 0.5 * generator.random()) / (count - 1)
        found.append(
            Setting(
                learning_rate=float(f"{math.exp(low + share * (high - low)):.2g}"),
                num_layers=int(generator.choice(LAYERS)),
                dropout=float(generator.choice(DROPOUTS)),
                variant=variants[number % len(variants)],
            )
        )
    return tuple(found)


def count_parameters(task: Task, cell: str, hidden_size: int, setting: Setting) -> int:
    """Parameters of a network, without making them."""
    with torch.device("meta"):
        network = task.network(cell, hidden_size, setting)
    return sum(value.numel() for value in network.parameters())


def solve_widths(
    task: Task,
    cells: Sequence[str],
    settings: Sequence[Setting],
    *,
    hidden_size: int,
    parameters: int | None = None,
) -> list[Candidate]:
    """The cells, each with the width for each setting that gives all the same size.

    The size is ``parameters``, give or take a tenth, or from that of the largest cell with
    ``hidden_size`` and the first setting up to where all meet: a width is a whole number, and
    narrow networks meet seldom.

    Raises InputError where they cannot meet within 2%.
    """
    nominal = parameters or max(
        count_parameters(task, cell, hidden_size, settings[0]) for cell in cells
    )
    low, high = (0.9, 1.1) if parameters else (1.0, GROWTH)
    # What else is in a setting has no part in the number of parameters.
    shapes = {setting: Setting(num_layers=setting.num_layers, variant=setting.variant) for setting in settings}
    ladders = {
        (cell, shape): _ladder(task, cell, shape, 0.9 * low * nominal, 1.1 * high * nominal)
        for cell in cells
        for shape in dict.fromkeys(shapes.values())
    }
    rungs = {count for ladder in ladders.values() for count in ladder.values()}
    goals = [goal for goal in rungs if low * nominal <= goal <= high * nominal]
    goals.sort(key=lambda goal: abs(goal - nominal))

    # Whatever widths meet, the smallest of their numbers is a rung: trying rungs finds them.
    def spread(goal: int) -> float:
        counts = [_at_least(ladder, goal)[1] for ladder in ladders.values()]
        return max(counts) / min(counts) - 1

    goal = next((goal for goal in goals if spread(goal) <= TOLERANCE), None)
    if goal is None:
        closest = min((spread(goal) for goal in goals), default=1.0)
        raise InputError(
            f"networks of {nominal:,} parameters cannot be made equal: their numbers would differ "
            f"by {closest:.1%} where {TOLERANCE:.0%} is allowed; ask for more with --parameters"
        )
    found = []
    for cell in cells:
        rungs_met = [_at_least(ladders[cell, shapes[setting]], goal) for setting in settings]
        found.append(
            Candidate(
                name=cell,
                title=cell,
                baseline=False,
                trained=True,
                hidden_sizes=tuple(width for width, _ in rungs_met),
                parameters=tuple(count for _, count in rungs_met),
            )
        )
    return found


def _ladder(task: Task, cell: str, shape: Setting, low: float, high: float) -> dict[int, int]:
    """Width -> parameters, for numbers of parameters between two, and the widths beside.

    Matrices are hidden size by hidden size or less: three widths give the whole parabola.
    """
    one, two, three = (count_parameters(task, cell, width, shape) for width in (1, 2, 3))
    bend = three - 2 * two + one  # twice the square's factor, a whole number

    def count(width: int) -> int:
        return one + (two - one) * (width - 1) + bend * (width - 1) * (width - 2) // 2

    found, width = {1: one}, 1
    while count(width) <= high and width < WIDEST:
        width += 1
        found[width] = count(width)
        if found[width] < low:
            del found[width - 1]
    return found


def _at_least(ladder: dict[int, int], goal: int) -> tuple[int, int]:
    """The smallest width with so many parameters; both rise along the ladder, which ends above."""
    widths, counts = list(ladder), list(ladder.values())
    place = min(bisect.bisect_left(counts, goal), len(counts) - 1)
    return widths[place], counts[place]
