"""What dropping settings early saves, and what it costs: the search by successive halving beside
one that trains every setting to the end, on four sets.

    python benchmarks/halving.py --data FOLDER [--cells gru] [--budget quick] [--seeds 3]

FOLDER holds ETTh1.csv, beijing-pm25.csv, and monthly-sunspots.csv and airline-passengers.csv.
Seconds are those of training in the search, on one thread each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gatewright
from gatewright.comparison import budget, planning
from gatewright.comparison.records import Rung
from gatewright.training import Stopping

SETS: dict[str, dict[str, Any]] = {
    "ETTh1.csv": {
        "target": ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"),
        "horizon": 96,
        "context": 336,
        "rows": (8640, 2880, 2880),
    },
    "beijing-pm25.csv": {"target": "pm2.5"},
    "monthly-sunspots.csv": {},
    "airline-passengers.csv": {},
}


def whole(count: int, stopping: Stopping) -> tuple[Rung, ...]:
    """Every setting to the end."""
    return (Rung(epochs=stopping.epochs, settings=count),)


def searched(path: Path, options: dict[str, Any], seeds: int) -> dict[str, tuple[float, float]]:
    """Candidate -> (loss on test, seconds of its search)."""
    result = gatewright.compare(path, seeds=seeds, **options)
    seconds: dict[str, float] = {}
    for fit in result.folder.fits().values():
        # What goes on from a plateau counts the seconds before it too: once is enough.
        if fit.seed == 0 and fit.epochs:
            before = max(
                (
                    epoch.seconds
                    for other in result.folder.fits().values()
                    if (other.candidate, other.setting, other.seed)
                    == (fit.candidate, fit.setting, fit.seed)
                    and other.asked < fit.asked
                    for epoch in other.epochs
                    if (epoch.number, epoch.seconds)
                    in {(one.number, one.seconds) for one in fit.epochs}
                ),
                default=0.0,
            )
            seconds[fit.candidate] = seconds.get(fit.candidate, 0.0) + fit.seconds - before
    return {row.name: (row.loss, seconds[row.name]) for row in result.rows if row.name in seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cells", default="gru")
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default=",".join(SETS))
    asked = parser.parse_args()
    halving = budget.rungs
    print(f"{'set':24} {'candidate':14} {'whole':>9} {'halving':>9} {'loss':>7} {'time':>6}")
    for name in asked.sets.split(","):
        options = SETS[name] | {"cells": asked.cells.split(","), "budget": asked.budget}
        planning.rungs = whole  # type: ignore[assignment]
        full = searched(asked.data / name, options, asked.seeds)
        planning.rungs = halving  # type: ignore[assignment]
        short = searched(asked.data / name, options, asked.seeds)
        for candidate, (loss, seconds) in full.items():
            other, fewer = short[candidate]
            print(
                f"{name:24} {candidate:14} {loss:9.4f} {other:9.4f} {other / loss - 1:+7.1%} "
                f"{fewer / seconds:6.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
