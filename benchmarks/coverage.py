"""How often the 90% bands hold what came: of 30 synthetic series, and of runs that are there.

    python benchmarks/coverage.py                              # the 30 series, in turn
    python benchmarks/coverage.py runs/sunspots runs/ETTh1     # what finished runs came to

A series has 100 to 200 months with a trend and a season of its own, added up or multiplied, and
noise that is normal or skewed (of a gamma distribution, with a long tail above). Each is a
comparison of its own, with one GRU, one seed and two settings. A band of 90% should hold 84 to
96% of the truth, on the mean over the series, whoever made it.
"""

from __future__ import annotations

import argparse
import functools
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import torch

from gatewright.comparison.comparing import compare_into
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Job
from gatewright.comparison.result import Result
from gatewright.comparison.running import Hear, Progress
from gatewright.comparison.worker import carry_out
from gatewright.data.table.reading import read
from gatewright.requests import Columns, Contest, Split

SERIES, LENGTHS, SEASON = 30, (100, 200), 12
LOWEST, HIGHEST = 0.84, 0.96


class Here:
    """A crew that does every job in this process: to start others would take longer."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, jobs: Iterable[Job], hear: Hear) -> None:
        plan, data = self.folder.plan(), self.folder.prepared()
        assert plan is not None
        for job in jobs:
            carry_out(job, plan, self.folder, data, functools.partial(hear, job))


def synthetic(number: int) -> pl.DataFrame:
    """One of the series; of four in a row, two are multiplied and two have skewed noise."""
    random = np.random.default_rng([9, number])
    length = int(random.integers(LENGTHS[0], LENGTHS[1] + 1))
    step = np.arange(length)
    waves = [
        random.normal() / wave * np.sin(2 * np.pi * (wave * step / SEASON + random.random()))
        for wave in (1, 2, 3)
    ]
    season = np.sum(waves, axis=0)
    slope = random.normal() / length
    if number % 4 < 2:
        noise = random.normal(size=length)
    else:
        noise = (random.gamma(2.0, size=length) - 2) / math.sqrt(2)
    sizes = random.uniform(0.2, 0.5), random.uniform(0.05, 0.2)
    if number % 2:
        values = 100 * np.exp(2 * slope * step + 0.5 * sizes[0] * season + sizes[1] * noise)
    else:
        values = 100 + 100 * (slope * step + 0.5 * sizes[0] * season + sizes[1] * noise)
    months = pl.date_range(
        pl.date(2000, 1, 1), pl.date(2000, 1, 1).dt.offset_by(f"{length - 1}mo"), "1mo", eager=True
    )
    return pl.DataFrame({"month": months, "sales": values})


def covered(result: Result) -> dict[str, tuple[float, float]]:
    """Candidate -> (share of test in the 90% band, weighted quantile loss)."""
    found = {}
    for row in result.rows:
        share, loss = row.measures.get("coverage"), row.measures.get("wql")
        if share is not None and loss is not None:
            found[row.title] = share, loss
    return found


def compared(place: Path, settings: int) -> dict[str, list[tuple[float, float]]]:
    """Candidate -> what each series gave."""
    contest = Contest(cells=("gru",), seeds=1, settings=settings)
    every = defaultdict(list)
    for number in range(SERIES):
        folder = RunFolder(place / f"series-{number}")
        table = read(synthetic(number))
        crew, progress = Here(folder), Progress()
        compare_into(
            folder, table, Columns(), Split(), contest, source="", crew=crew, progress=progress
        )
        for title, each in covered(Result(folder)).items():
            every[title].append(each)
    return every


def show(what: str, found: dict[str, list[tuple[float, float]]]) -> None:
    print(f"\n{what}\n{'':24}{'coverage':>9}{'lowest':>9}{'highest':>9}{'wql':>9}")
    for title, each in found.items():
        shares, losses = np.array(each).T
        mean = shares.mean()
        mark = "" if LOWEST <= mean <= HIGHEST else "  *"
        print(
            f"{title:24}{mean:9.1%}{shares.min():9.1%}{shares.max():9.1%}{losses.mean():9.4f}{mark}",
            flush=True,
        )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("runs", type=Path, nargs="*", help="folders of finished runs")
    asked.add_argument("--settings", type=int, default=2)
    given = asked.parse_args()
    torch.set_num_threads(1)
    for run in given.runs:
        found = covered(Result(RunFolder(run)))
        show(run.name, {title: [each] for title, each in found.items()})
    if not given.runs:
        with tempfile.TemporaryDirectory() as temporary:
            found = compared(Path(temporary), given.settings)
        show(f"{SERIES} series of {LENGTHS[0]} to {LENGTHS[1]} months", found)


if __name__ == "__main__":
    main()
