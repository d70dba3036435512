"""How sides are timed: in turns, so that whatever else the machine does slows all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gatewright.bench.results import Timing
from gatewright.errors import InputError

Work = Callable[[], object]


@dataclass(frozen=True)
class Pace:
    """How long to measure, in seconds."""

    budget: float = 4.0  # for all sides of a case together, calibration aside
    sample: float = 0.008  # calls are repeated until one sample takes this long
    # Thread pools wait for more work in a busy loop after a call: one library's waiting threads
    # would hold the cores in another's sample. So each side waits until the process is at rest, in
    # steps of this length, but not for ever.
    pause: float = 0.01
    patience: float = 2.0
    fewest: int = 7
    most: int = 101


SMALL_PACE = Pace(budget=0.3, sample=0.004, fewest=5, most=31)


def measure(sides: Mapping[str, Work], pace: Pace) -> dict[str, Timing]:
    """Time each side over the same rounds: A B C, A B C, and so on."""
    if not sides:
        return {}
    with _no_collection():
        single = {name: _calibrate(work, pace) for name, work in sides.items()}
        repeats = {name: max(1, round(pace.sample / once)) for name, once in single.items()}
        one_round = sum(pace.pause + (repeats[name] + 1) * single[name] for name in sides)
        rounds = max(pace.fewest, min(pace.most, int(pace.budget / one_round)))
        samples: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, work in sides.items():
                _rest(pace)
                work()  # wakes the threads and fills the caches
                samples[name].append(1e3 * _sample(work, repeats[name]))
    return {name: Timing.of(times, repeats[name]) for name, times in samples.items()}


def _rest(pace: Pace) -> None:
    """Wait until no thread of this process is busy any more.

    Raises InputError if some stay busy for longer than the pace allows.
    """
    begin = time.perf_counter()
    while True:
        busy, start = time.process_time(), time.perf_counter()
        time.sleep(pace.pause)
        if time.process_time() - busy <= 0.1 * (time.perf_counter() - start):
            return
        if time.perf_counter() - begin > pace.patience:
            raise InputError(
                f"threads of a library are still busy {pace.patience:g} seconds after its call, "
                "and would hold the cores while others are measured: leave it out with --peers"
            )


def _sample(work: Work, repeats: int) -> float:
    """Seconds of one call, over so many."""
    begin = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - begin) / repeats


def _calibrate(work: Work, pace: Pace) -> float:
    """Seconds of one call, after warming up; more calls for short ones."""
    for _ in range(2):
        work()
    repeats, once = 1, _sample(work, 1)
    while repeats * once < pace.sample / 2:
        repeats *= 4
        once = _sample(work, repeats)
    return max(once, 1e-9)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's garbage collector out of the samples."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
