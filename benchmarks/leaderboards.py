"""Digests of four comparisons: the same before and after a change that is to change no result.

    python benchmarks/leaderboards.py --data ../shared/data
    python benchmarks/leaderboards.py --data ../shared/data --out runs/digests   # keeps the runs

The losses of every epoch and unit, the predictions kept for the report, the weights and the verdict
go into a digest; durations, versions and what is only words about the data do not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

SEQUENCES = ("--sequence", "sequence", "--step", "step")
COMPARISONS = {
    "airline": ("airline",),
    "sunspots": ("sunspots",),
    "gunpoint": ("gunpoint.csv", "--target", "label", *SEQUENCES),
    "vowels": ("japanese-vowels.csv", "--target", "speaker", *SEQUENCES),
}
# Measured in seconds, or not a result of what was fitted and judged.
LEFT_OUT = {"seconds", "microseconds", "digest", "file", "kind", "unit", "overlapping", "series"}
TENSORS = ("losses", "units", "shown", "shown_prediction", "shown_target")


def results_of(folder: Path) -> dict[str, Any]:
    """What a run came to, as plain values."""
    scores = [_plain(line) for line in _lines(folder / "scores.jsonl")]
    return {
        "fits": sorted((_plain(line) for line in _lines(folder / "fits.jsonl")), key=_name),
        "scores": sorted(scores, key=_name),
        "verdict": _plain(json.loads((folder / "verdict.json").read_text("utf-8"))),
    }


def digest_of(folder: Path) -> str:
    """32 hexadecimal characters for all that ``results_of`` gives, the weights and predictions."""
    found = hashlib.blake2b(digest_size=16)
    found.update(json.dumps(results_of(folder), sort_keys=True).encode())
    for path in sorted([*folder.glob("models/*"), *folder.glob("scores/*")]):
        for name, value in sorted(load_file(path).items()):
            if path.parent.name == "models" or name in TENSORS:
                found.update(f"{path.name} {name} {value.dtype} {value.shape}".encode())
                found.update(value.tobytes())
    return found.hexdigest()


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _name(line: dict[str, Any]) -> str:
    return str(line["name"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in LEFT_OUT}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--data", type=Path, required=True, help="the folder of the two CSV files")
    asked.add_argument("--out", type=Path, help="keeps the runs there, and goes on with them")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = given.out or Path(temporary)
        for name, (source, *flags) in COMPARISONS.items():
            file = str(given.data / source) if source.endswith(".csv") else source
            words = [file, *flags, "--budget", "quick", "--out", str(place / name), "--quiet"]
            command = [sys.executable, "-m", "gatewright", "compare", *words]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            print(f"{name:<10} {digest_of(place / name)}", flush=True)


if __name__ == "__main__":
    main()
