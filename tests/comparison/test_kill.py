"""Killed at random moments and begun again, a comparison ends as one that nobody touched."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import small

KILLS = 20
TIMED = ("train_seconds", "microseconds")

COMPARE = """
import sys
from gatewright.api import compare
compare(sys.argv[1], target="y", horizon=3, context=12, cells=["mgu", "indrnn"], seeds=2,
        settings=2, epochs=4, out=sys.argv[2])
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kill") / "waves.csv"
    small.noisy_waves().write_csv(path)
    return path


def begin(table: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", COMPARE, str(table), str(out)], stderr=subprocess.PIPE
    )


def outcome(out: Path) -> tuple[Any, str]:
    """The leaderboard without what is a time, and the verdict as it is written."""
    rows = json.loads((out / "leaderboard.json").read_text())
    kept = [{name: row[name] for name in row if name not in TIMED} for row in rows]
    return kept, (out / "verdict.json").read_text()


def finish(table: Path, out: Path) -> None:
    process = begin(table, out)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_bitwise_the_same(table: Path, tmp_path: Path) -> None:
    finish(table, tmp_path / "whole")
    expected = outcome(tmp_path / "whole")
    assert not any(row["failed"] for row in expected[0])
    moments = random.Random(0)
    killed, folder = 0, 0
    while killed < KILLS:
        out = tmp_path / f"killed-{folder}"
        while killed < KILLS:
            process = begin(table, out)
            try:
                process.communicate(timeout=moments.uniform(0.2, 5.0))
                break  # it was done before its time had come
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
        finish(table, out)
        assert outcome(out) == expected
        folder += 1


def test_a_line_cut_short_is_taken_off(tmp_path: Path) -> None:
    from gatewright.comparison.folder import RunFolder
    from gatewright.comparison.records import Fit

    folder = RunFolder(tmp_path)
    folder.create()
    for seed in range(2):
        folder.add_fit(Fit(name=f"a-0-{seed}", candidate="a", setting=0, seed=seed))
    path = tmp_path / "fits.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    assert list(folder.fits()) == ["a-0-0"]
    folder.add_fit(Fit(name="a-0-2", candidate="a", setting=0, seed=2))
    assert list(folder.fits()) == ["a-0-0", "a-0-2"]
