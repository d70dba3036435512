"""Time a training step of a forecaster beside NeuralForecast and Darts, with the same network.

    python benchmarks/forecasters.py --python PEERS/bin/python --json forecasters.json

The peers are found in the Python that --python names, or one each: --python darts=PATH. Each
side runs in a process of its own, so that no library's settings reach another. First all sides are
checked to train the same recurrent layer, on batches of the same shape, for as many steps, and to
learn; then they are timed in turns. What a step takes is the difference between a long and a short
training, so that setting up is left out. Needs a machine that does nothing else.

Each peer is set as fast as its options allow on a CPU: Lightning's barebones mode (no logging,
checkpoints, progress bar or validation), float32, a fused optimiser, no loader processes, and data
that suit it: one series a batch and a short one for NeuralForecast, which looks through all windows
of the batch's series at each step, and many of them, so that an epoch is long. The peers clip no
gradients, as is their default; Gatewright does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forecaster_sides
from forecaster_sides import BATCH, CELLS, CONTEXT, GATEWRIGHT, HORIZON, SIDES

CHECKED_STEPS = 400  # of the training that has to learn
SHORT = 20  # steps of the short training


class SideError(RuntimeError):
    """A side's process ended."""


@dataclass
class Process:
    """The other end of `forecaster_sides.serve`."""

    side: str
    running: subprocess.Popen[str]
    errors: Any
    versions: dict[str, str] = field(default_factory=dict)

    def ask(self, cell: str, steps: int, *, watch: bool = False) -> dict[str, Any]:
        assert self.running.stdin is not None
        request = {"cell": cell, "steps": steps, "watch": watch}
        self.running.stdin.write(json.dumps(request) + "\n")
        self.running.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise SideError(f"{self.side} ended:\n{self.errors.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def step_milliseconds(self, cell: str, steps: int) -> float:
        """Of a training of so many steps, what it takes more than a short one."""
        short = self.ask(cell, SHORT)["seconds"]
        return 1e3 * float(self.ask(cell, SHORT + steps)["seconds"] - short) / steps


@contextmanager
def started(side: str, python: str, threads: int) -> Iterator[Process]:
    """A side's process, once it is ready."""
    settings = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile("w+") as errors:
        command = [python, forecaster_sides.__file__, side, str(threads)]
        try:
            running = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | settings,
            )
        except OSError as error:
            raise SideError(f"{side} cannot run in {python}: {error}") from error
        try:
            process = Process(side, running, errors)
            process.versions = process.answer()
            yield process
        finally:
            running.kill()
            running.communicate()


def check(processes: Iterable[Process], cell: str) -> tuple[dict[str, float], list[str]]:
    """(the loss of each side at the end, what is wrong)"""
    naive, wanted = forecaster_sides.naive_loss(), forecaster_sides.expected(cell, CHECKED_STEPS)
    losses, wrong = {"naive": naive}, []
    for process in processes:
        facts = process.ask(cell, CHECKED_STEPS, watch=True)
        loss = losses[process.side] = facts.pop("loss")
        if facts != wanted:
            wrong.append(f"{process.side}, {cell}: {facts}, not {wanted}")
        if not loss < naive:
            wrong.append(f"{process.side}, {cell}: a loss of {loss:.3f}, naive: {naive:.3f}")
    return losses, wrong


def timed(processes: list[Process], cell: str, steps: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds a step of each side in each round; each round begins with another side."""
    found: dict[str, list[float]] = {process.side: [] for process in processes}
    for number in range(rounds):
        first = number % len(processes)
        for process in processes[first:] + processes[:first]:
            time.sleep(0.1)  # until the threads of the one before no longer wait in a loop
            found[process.side].append(process.step_milliseconds(cell, steps))
    return found


def rows(samples: dict[str, list[float]]) -> Iterator[tuple[str, float, list[float]]]:
    """(side, its median milliseconds, its ratios to Gatewright round by round, in order)"""
    for side, values in samples.items():
        pairs = zip(values, samples[GATEWRIGHT], strict=True)
        yield side, statistics.median(values), sorted(peer / ours for peer, ours in pairs)


def pythons(given: list[str]) -> dict[str, str]:
    """Which Python runs which side."""
    found = dict.fromkeys(SIDES, sys.executable)
    for text in given:
        side, _, path = text.rpartition("=")
        if side and side not in SIDES:
            raise SideError(f"--python {text}: the sides are {', '.join(SIDES)}")
        found |= dict.fromkeys([side] if side else [s for s in SIDES if s != GATEWRIGHT], path)
    return found


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 if the sides do not do the same, or one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", action="append", default=[], metavar="[SIDE=]PATH")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--steps", type=int, default=200, help="a sample; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    options = parser.parse_args(arguments)
    try:
        return compare(options)
    except SideError as error:
        print(error, file=sys.stderr)
        return 1


def compare(options: argparse.Namespace) -> int:
    """Check the sides, time them, print a table."""
    where = pythons(options.python)
    record: dict[str, Any] = {"options": vars(options), "cells": {}}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(started(side, where[side], options.threads))
            for side in SIDES
            if side == GATEWRIGHT or side in options.sides
        ]
        record["versions"] = {process.side: process.versions for process in processes}
        for process in processes:
            about = ", ".join(f"{name} {text}" for name, text in process.versions.items())
            print(f"{process.side}: {about}")
        print(f"{options.threads} threads, batch {BATCH}, context {CONTEXT}, horizon {HORIZON}\n")
        print(
            f"{'cell':5} {'side':15} {'ms a step':>9}  {'ratio':>6}  {'lowest to highest':17}  loss"
        )
        for cell in options.cells:
            losses, wrong = check(processes, cell)
            if wrong:
                print(*wrong, sep="\n", file=sys.stderr)
                return 1
            samples = timed(processes, cell, options.steps, options.rounds)
            record["cells"][cell] = {"losses": losses, "milliseconds": samples}
            for side, middle, ratios in rows(samples):
                record["cells"][cell].setdefault("ratios", {})[side] = ratios
                spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
                ratio = statistics.median(ratios)
                print(
                    f"{cell:5} {side:15} {middle:9.2f}  {ratio:6.2f}  {spread:17}  "
                    f"{losses[side]:.3f}"
                )
            print(f"{cell:5} {'naive':15} {'':9}  {'':6}  {'':17}  {losses['naive']:.3f}")
    if options.json:
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
