"""What carries the networks' losses: one change at a time of a GRU's usual setting, on four sets.

    python benchmarks/ablation.py --data FOLDER [--sets monthly-sunspots.csv] [--seeds 2]

FOLDER holds ETTh1.csv, beijing-pm25.csv, monthly-sunspots.csv and airline-passengers.csv. Losses
are those on test, of the mean of the seeds; nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from gatewright import tasks
from gatewright.comparison.budget import BUDGETS, solve_widths
from gatewright.data.guess.guessing import guess
from gatewright.data.layout import Layout
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import read
from gatewright.models.judging import judge
from gatewright.networks import forecaster, windows
from gatewright.networks.windows import LAST, SEASON, SEEN
from gatewright.requests import Columns, Split
from gatewright.setting import Setting
from gatewright.tasks import forecast
from gatewright.tasks.forecast import LOGARITHMS, NUMBERS
from gatewright.training import Model, Recipe, loop

OT = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
SETS = {
    "ETTh1.csv": (Columns(targets=OT, horizon=96, context=336), Split(rows=(8640, 2880, 2880))),
    "beijing-pm25.csv": (Columns(targets=("pm2.5",)), Split()),
    "monthly-sunspots.csv": (Columns(), Split()),
    "airline-passengers.csv": (Columns(), Split()),
}
AS_IT_IS = "as it is"


class Untold(windows.Level):
    """Nothing is taken out of a window."""

    def __init__(self, window: Tensor, relative_to: str, layout: Layout) -> None:
        super().__init__(window, relative_to, layout)
        if relative_to == AS_IT_IS:
            self.last = self.base = torch.zeros_like(window[-1:])


@contextlib.contextmanager
def changed(place: Any, name: str, value: Any) -> Iterator[None]:
    with mock.patch.object(place, name, value):
        yield


def bent(bend: float) -> Callable[..., Tensor]:
    """Huber's loss with another bend, as steep as the usual one at a bend of 0.5: of a small one
    the absolute error, of a large one half the squared one."""
    usual = torch.nn.functional.huber_loss

    def loss(prediction: Tensor, target: Tensor, **options: Any) -> Tensor:
        errors: Tensor = usual(prediction, target, **(options | {"delta": bend}))
        return errors * max(1.0, forecast.BEND / bend)

    return loss


def variants(task: tasks.Task, data: Prepared) -> Iterator[tuple[str, Setting, Any]]:
    """Name, setting, and what else is changed while it is trained."""
    nothing = contextlib.nullcontext()
    usual = task.usual(data)
    yield "usual: " + usual.in_words(), usual, nothing
    for segment in task.segments(data)[1:]:
        yield f"segments of {segment}", usual.model_copy(update={"segment": segment}), nothing
    if task.layout.context <= 100 and 1 not in task.segments(data):
        yield "step by step", usual.model_copy(update={"segment": 1}), nothing
    places = [task.choices(data)[0], (LAST, SEEN, SEASON, AS_IT_IS), (LOGARITHMS, NUMBERS)]
    for place, words in enumerate(places):
        for word in words:
            seasonal = 1 < task.layout.season <= task.layout.context
            offered = word in task.choices(data)[place] or word == AS_IT_IS
            if offered and word != usual.choices[place] and (word != SEASON or seasonal):
                choices = (*usual.choices[:place], word, *usual.choices[place + 1 :])
                yield word, usual.model_copy(update={"choices": choices}), nothing
    huber = "huber_loss"
    for name, bend in (("absolute error", 0.01), ("squared error", 100.0)):
        yield name, usual, changed(torch.nn.functional, huber, bent(bend))
    yield "no decline of the rate", usual, changed(loop, "SMALLEST_RATE", 1.0)
    for rate in (1e-3, 1e-2):
        yield f"learning rate {rate:g}", usual.model_copy(update={"learning_rate": rate}), nothing
    yield "2 layers", usual.model_copy(update={"num_layers": 2}), nothing
    yield "dropout 0.3", usual.model_copy(update={"dropout": 0.3}), nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    budget = BUDGETS["quick"]
    for name in asked.sets.split(","):
        columns, split = SETS[name]
        table = read(asked.data / name)
        layout, _ = guess(table, tasks.every(), columns)
        kind = tasks.get(layout.task)
        with tempfile.TemporaryDirectory() as folder:
            data = prepare(table, layout, kind, Path(folder) / "data", split=split)
            task = kind(data.preparation)
            print(f"\n{name}: context {layout.context}, horizon {layout.horizon}", flush=True)
            for words, setting, change in variants(task, data):
                (sized,) = solve_widths(
                    task, [asked.cell], [setting], hidden_size=budget.hidden_size
                )
                recipe = Recipe(
                    candidate=asked.cell, hidden_size=sized.hidden_sizes[0], setting=setting
                )
                levels = changed(forecaster, "LEVELS", (*windows.LEVELS, AS_IT_IS))
                with change, levels, changed(forecaster, "Level", Untold):
                    fits = [
                        Model.fit(recipe.model_copy(update={"seed": seed}), data, budget.stopping)
                        for seed in range(asked.seeds)
                    ]
                    model = Model.joined(fits, data)
                    judged = judge(model, data, "test")
                assert judged is not None
                validation = model.validation.metric if model.validation else float("nan")
                mean = judged.measures.overall["scaled_mae"]
                print(
                    f"{judged.loss:8.4f} {mean:8.4f} {validation:8.4f} validation   {words}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
