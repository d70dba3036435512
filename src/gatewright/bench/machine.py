"""The machine that the numbers of a run hold for."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import gatewright
from gatewright.backends import native
from gatewright.backends.native.library import EngineError
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
    try:
        level, peak = native.level(), native.fma_peak(threads)
    except EngineError:  # the reference runs then; there is no column of shares
        level, peak = "none", None
    return Machine(
        cpu=_cpu(),
        cores=_cores(),
        threads=threads,
        level=level,
        system=f"{platform.system()} {platform.machine()}",
        peak=peak,
        versions=versions,
    )


def measured_again(machine: Machine) -> Machine:
    """The same with the higher of two peaks: whatever else ran can only have lowered the first."""
    if machine.peak is None:
        return machine
    return replace(machine, peak=max(machine.peak, native.fma_peak(machine.threads)))


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
