"""A comparison in the process of a test: quick, as no worker has to start."""

from __future__ import annotations

from pathlib import Path

from gatewright.comparison import crew, worker
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Job


class Here:
    """Stands for ``crew.Crew``."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = RunFolder(folder)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, jobs: list[Job], hear: crew.Hear) -> None:
        plan, data = self.folder.plan(), self.folder.prepared()
        assert plan is not None
        for job in jobs:
            if job.score:
                hear(job, {"score": worker.score(job, self.folder, data).model_dump()})
            else:
                fit = worker.fit(job, plan, self.folder, data, lambda message: None)
                hear(job, {"fit": fit.model_dump()})
