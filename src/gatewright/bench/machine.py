"""What the numbers of a run hold for."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import gatewright
from gatewright import native
from gatewright.bench.peers import Peer
from gatewright.bench.results import Machine


def describe(threads: int, others: Iterable[Peer]) -> Machine:
    """This machine, the libraries, and the peak of multiply-adds measured now."""
    versions = {
        "gatewright": gatewright.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
    }
    for peer in others:
        versions |= peer.versions
    # An engine without the measurement leaves the column of shares empty.
    measure_peak = getattr(native, "fma_peak", None)
    return Machine(
        cpu=_cpu(),
        cores=_cores(),
        threads=threads,
        level=native.level(),
        system=f"{platform.system()} {platform.machine()}",
        peak=None if measure_peak is None else measure_peak(threads),
        versions=versions,
    )


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    """The processor's name as its maker gives it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            label, _, value = line.partition(":")
            if label.strip() == "model name":
                return " ".join(value.split())
    if platform.system() == "Darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()
