"""What reading in segments does for labelled sequences: the usual setting, with other segments.

    python benchmarks/long_sequences.py FILE [FILE ...] --target label --sequence id --step step

Each file has a column ``split`` with train and test. Printed is the error rate on test of the mean
of three seeds by the quick budget, for each length of segments and both ways to the one vector of a
sequence; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from gatewright import tasks
from gatewright.comparison.budget import BUDGETS, solve_widths
from gatewright.data.guess.guessing import guess
from gatewright.data.prepare.preparing import prepare
from gatewright.data.table.reading import read
from gatewright.models.judging import judge
from gatewright.networks.encoder import POOLINGS
from gatewright.requests import Columns, Split
from gatewright.setting import Setting
from gatewright.training import Model, Recipe

CELLS = ("gru", "lstm")
SEEDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    for name in ("target", "sequence", "step"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    budget = BUDGETS["quick"]
    columns = Columns(targets=(asked.target,), sequence=asked.sequence, step=asked.step)
    for path in asked.files:
        table = read(path)
        layout, _ = guess(table, tasks.every(), columns)
        kind = tasks.get(layout.task)
        with tempfile.TemporaryDirectory() as folder:
            data = prepare(table, layout, kind, Path(folder) / "data", split=Split())
            task = kind(data.preparation)
            print(f"\n{path.name}, {len(task.examples.of_part(data, 'train'))} for training")
            for segment in sorted({1, *task.segments(data)}):
                for pooling in POOLINGS:
                    setting = Setting(segment=segment, choices=(pooling,))
                    sized = solve_widths(task, CELLS, [setting], hidden_size=budget.hidden_size)
                    found, begin = [], time.process_time()
                    for each in sized:
                        recipe = Recipe(
                            candidate=each.name, hidden_size=each.hidden_sizes[0], setting=setting
                        )
                        fits = [
                            Model.fit(
                                recipe.model_copy(update={"seed": seed}), data, budget.stopping
                            )
                            for seed in range(SEEDS)
                        ]
                        judged = judge(Model.joined(fits, data), data, "test")
                        assert judged is not None
                        found.append(f"{each.name} {judged.loss:6.1%}")
                    seconds = time.process_time() - begin
                    words = f"segments of {segment:4}" if segment > 1 else "step by step    "
                    print(f"{words}  {pooling:10} {'  '.join(found)}  {seconds:4.0f} s", flush=True)


if __name__ == "__main__":
    main()
