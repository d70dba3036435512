"""Jobs side by side, each in a process of its own: what crashes takes nothing else with it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Self

from gatewright.comparison.records import Job
from gatewright.comparison.running import Hear

ENDS = frozenset({"fit", "score", "failed", "stop"})  # keys of a job's last message


def cores() -> int:
    """How many processes this machine runs at once for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Worker:
    """One process of ``gatewright.comparison.worker`` and the job it is at."""

    def __init__(self, folder: Path) -> None:
        self.log = (folder / "worker.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatewright.comparison.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            bufsize=0,
            # One thread: as many processes run as there are cores to use.
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            # Ctrl-C reaches this process alone, which then ends its workers in order.
            start_new_session=True,
        )
        self.job: Job | None = None
        self.rest = b""  # of a message that has not come whole yet

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def messages(self) -> list[dict[str, Any]] | None:
        """What it has said since, or None if it has ended."""
        content = os.read(self.out.fileno(), 1 << 20)
        *lines, self.rest = (self.rest + content).split(b"\n")
        return [json.loads(line) for line in lines] if content else None

    def begin(self, job: Job) -> None:
        assert self.process.stdin is not None
        self.job = job
        # Where it died its output ends, which is where that is noticed.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(job.model_dump_json().encode() + b"\n")

    def how_it_ended(self) -> str:
        code = self.process.wait()
        if code < 0:
            return f"crashed: its process was ended by {signal.Signals(-code).name}"
        return f"crashed: its process ended with exit code {code}"

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()  # every file is put in place whole: there is nothing to clean up
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Processes:
    """The crew of this machine: workers that stay from one stage of a run to the next."""

    def __init__(self, folder: Path, count: int | None = None) -> None:
        """``count``: as many at most, by default one a core."""
        self.folder, self.count = folder, count or cores()
        self.workers: list[Worker] = []

    def __enter__(self) -> Self:
        self.selector = selectors.DefaultSelector()
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.end()
        self.selector.close()

    def run(self, jobs: Iterable[Job], hear: Hear) -> None:
        """Run jobs in order, side by side, as ``running.Crew`` says."""
        waiting = list(jobs)
        while len(self.workers) < min(self.count, len(waiting)):
            self._hire()
        for worker in self.workers[: len(waiting)]:
            worker.begin(waiting.pop(0))
        while any(worker.job for worker in self.workers):
            for key, _ in self.selector.select():
                self._attend(key.data, waiting, hear)

    def _hire(self) -> Worker:
        worker = Worker(self.folder)
        self.workers.append(worker)
        self.selector.register(worker.out, selectors.EVENT_READ, worker)
        return worker

    def _attend(self, worker: Worker, waiting: list[Job], hear: Hear) -> None:
        """Pass on what one worker said, and give it more to do; replace it where it died."""
        messages, job = worker.messages(), worker.job
        if messages is None:
            self.selector.unregister(worker.out)
            self.workers.remove(worker)
            reason = worker.how_it_ended()
            worker.end()
            if waiting:
                self._hire().begin(waiting.pop(0))
            if job is not None:
                hear(job, {"failed": reason})
            return
        for message in messages:
            assert job is not None, "a worker speaks of its job only"
            if not ENDS.isdisjoint(message):
                worker.job = None
                if waiting:
                    worker.begin(waiting.pop(0))
            hear(job, message)
