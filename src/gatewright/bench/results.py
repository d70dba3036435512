"""What a benchmark run found, and how it is kept: a JSON file, written aside and renamed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gatewright.bench.cases import PEAK, Case, Shape
from gatewright.sealed import write_whole

FORMAT = 1
OWN = "gatewright"  # the side that everything is compared with


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call over the rounds; a round times ``repeats`` calls together."""

    least: float
    median: float
    most: float
    rounds: int
    repeats: int

    @classmethod
    def of(cls, milliseconds: Sequence[float], repeats: int) -> Timing:
        return cls(
            least=min(milliseconds),
            median=statistics.median(milliseconds),
            most=max(milliseconds),
            rounds=len(milliseconds),
            repeats=repeats,
        )


@dataclass(frozen=True)
class Measurement:
    """One case: the timing of each side that gave the right numbers, the others refused."""

    case: Case
    operations: int  # floating-point operations of one call, by the products only
    backend: str = ""
    timings: dict[str, Timing] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def ratio(self, other: str) -> float | None:
        """How many times as long the other side takes."""
        if OWN not in self.timings or other not in self.timings:
            return None
        return self.timings[other].median / self.timings[OWN].median

    @property
    def gflops(self) -> float | None:
        """Billions of floating-point operations a second."""
        own = self.timings.get(OWN)
        return None if own is None else self.operations / own.median / 1e6

    def reached(self, peak: float | None) -> dict[str, bool | None]:
        """For each target whether it is reached; None where one side was not measured."""
        by_target: dict[str, bool | None] = {}
        for name, least in self.case.targets.items():
            value = self.share(peak) if name == PEAK else self.ratio(name)
            by_target[name] = None if value is None else value >= least
        return by_target

    def share(self, peak: float | None) -> float | None:
        """The part of the machine's peak that is used."""
        return self.gflops / peak if self.gflops is not None and peak else None


@dataclass(frozen=True)
class Value:
    """A figure that is not a time beside another: measured value and the bound it is to keep."""

    title: str
    value: float
    unit: str
    at_most: float
    note: str = ""

    @property
    def reached(self) -> bool:
        return self.value <= self.at_most


@dataclass(frozen=True)
class Machine:
    """The machine that the numbers hold for. ``peak``: GFLOP/s of multiply-adds, if it could be
    measured."""

    cpu: str
    cores: int
    threads: int
    level: str
    system: str
    peak: float | None
    versions: dict[str, str]


@dataclass
class Results:
    """A whole run; ``complete`` is false where it was interrupted."""

    machine: Machine
    made: str = ""  # date and time in UTC
    measurements: list[Measurement] = field(default_factory=list)
    figures: list[Value] = field(default_factory=list)
    complete: bool = False

    @property
    def refused(self) -> list[tuple[Measurement, str, str]]:
        """(measurement, side, sentence) of everything that was not timed."""
        return [
            (measurement, side, sentence)
            for measurement in self.measurements
            for side, sentence in measurement.refused.items()
        ]

    @property
    def others(self) -> list[str]:
        """The names of the other sides, in the order in which they first appear."""
        names = [
            name for measurement in self.measurements for name in measurement.timings if name != OWN
        ]
        return list(dict.fromkeys(names))

    def to_json(self) -> str:
        """The run as text, with the ratios written out for other programs to read."""
        data = {"format": FORMAT, **asdict(self)}
        for entry, measurement in zip(data["measurements"], self.measurements, strict=True):
            entry["gflops"] = measurement.gflops
            entry["share_of_peak"] = measurement.share(self.machine.peak)
            entry["ratios"] = {name: measurement.ratio(name) for name in self.others}
            entry["reached"] = measurement.reached(self.machine.peak)
        return json.dumps(data, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Read what :meth:`to_json` wrote. Raises ValueError for another format."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"this is not a benchmark file of format {FORMAT}")
        return cls(
            machine=Machine(**data["machine"]),
            made=data["made"],
            measurements=[_measurement(entry) for entry in data["measurements"]],
            figures=[Value(**entry) for entry in data["figures"]],
            complete=data["complete"],
        )

    def write(self, path: Path) -> None:
        """Write the JSON, so that a reader never finds half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{self.to_json()}\n".encode())


def _measurement(entry: dict[str, Any]) -> Measurement:
    case = entry["case"]
    return Measurement(
        case=Case(**{**case, "shape": Shape(**case["shape"])}),
        operations=entry["operations"],
        backend=entry["backend"],
        timings={name: Timing(**timing) for name, timing in entry["timings"].items()},
        refused=entry["refused"],
    )
