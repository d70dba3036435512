"""What a busy process on one of the cores costs: python benchmarks/busy_neighbour.py

Forward passes on two threads, first alone, then beside a process that spins on the second core that
this one may use; the mean over two seconds each, for Gatewright and for torch. Every side computes
the same numbers, which is checked first. Needs Linux and a machine that is otherwise quiet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import torch

import gatewright as gw

SHAPES = [(96, 32, 8, 64), (100, 64, 64, 128), (100, 32, 128, 256), (35, 20, 650, 650)]
SECONDS, THREADS = 2.0, 2
SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint()\nwhile True: pass"


def mean_milliseconds(work: Callable[[], object], seconds: float = SECONDS) -> float:
    for _ in range(3):
        work()
    begin, calls = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        work()
        calls += 1
    return 1e3 * (time.perf_counter() - begin) / calls


def beside_a_busy_process(work: Callable[[], object], core: int) -> float:
    with subprocess.Popen(
        [sys.executable, "-c", SPIN, str(core)], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it spins from here on
            return mean_milliseconds(work)
        finally:
            process.kill()


def main() -> None:
    torch.set_num_threads(THREADS)
    core = sorted(os.sched_getaffinity(0))[1]
    print("| layer | (time, batch, input, hidden) | alone, ms | busy core, ms | times | torch |")
    print("|---|---|---:|---:|---:|---:|")
    for kind in ("GRU", "LSTM", "RNN"):
        for time_, batch, inputs, hidden in SHAPES:
            ours, theirs = (
                getattr(gw, kind)(inputs, hidden),
                getattr(torch.nn, kind)(inputs, hidden),
            )
            theirs.load_state_dict(ours.state_dict())
            x = torch.randn(time_, batch, inputs)
            with torch.inference_mode():
                torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=1e-4, atol=1e-5)
                times = []
                for layer in (ours, theirs):

                    def work(layer: torch.nn.Module = layer, x: torch.Tensor = x) -> object:
                        return layer(x)

                    times.append((mean_milliseconds(work), beside_a_busy_process(work, core)))
            (quiet, busy), (quiet_torch, busy_torch) = times
            print(
                f"| {kind} | ({time_}, {batch}, {inputs}, {hidden}) | {quiet:.2f} | {busy:.2f} "
                f"| {busy / quiet:.1f} | {busy_torch / quiet_torch:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
