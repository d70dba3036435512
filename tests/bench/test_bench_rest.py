"""Nothing is timed while threads of another library are still busy."""

from __future__ import annotations

import threading
import time

import pytest

from gatewright.bench.measuring import Pace, measure
from gatewright.errors import InputError


def test_nobody_is_timed_while_others_wait_in_a_busy_loop():
    busy, met = threading.Event(), []

    def spin(seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        busy.clear()

    def restless() -> None:
        if not busy.is_set():
            busy.set()
            threading.Thread(target=spin, args=(0.05,)).start()

    pace = Pace(budget=0, sample=0, pause=0.004, fewest=3, most=3)
    measure({"restless": restless, "other": lambda: met.append(busy.is_set())}, pace)
    assert met[-6:] == [False] * 6
    for_ever = {"restless": lambda: threading.Thread(target=spin, args=(0.6,)).start()}
    with pytest.raises(InputError, match="leave it out with --peers"):
        measure(for_ever, Pace(budget=0, sample=0, pause=0.004, patience=0.1, fewest=1, most=1))
