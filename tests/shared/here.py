"""A comparison in the process of a test: quick, as no worker has to start."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from gatewright.comparison import worker
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Job
from gatewright.comparison.running import Hear


class Here:
    """A crew of this process: it does the jobs itself, one after the other."""

    def __init__(self, folder: Path, count: int | None = None) -> None:
        self.folder = RunFolder(folder)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, jobs: Iterable[Job], hear: Hear) -> None:
        plan, data = self.folder.plan(), self.folder.prepared()
        assert plan is not None
        for job in jobs:
            worker.carry_out(job, plan, self.folder, data, partial(hear, job))
