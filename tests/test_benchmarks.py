"""The benchmarks that are asked things: each can be started. Nothing is timed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
ASKED = [path for path in sorted(BENCHMARKS.glob("*.py")) if "argparse" in path.read_text("utf-8")]
sys.path.append(str(BENCHMARKS))
import minute  # noqa: E402
import minute_sides  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("path", ASKED, ids=lambda path: path.name)
def test_it_says_what_it_does(path: Path) -> None:
    command = [sys.executable, str(path), "--help"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "usage:" in told


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> minute.Series:
    monkeypatch.setattr(minute, "ROWS", (30, 12, 15))
    monkeypatch.setattr(minute, "TARGETS", ("b", "a"))
    numbers = np.random.default_rng(1).normal(size=(60, 2)).cumsum(0)
    path = tmp_path / "file.csv"
    lines = [f"2020-01-01 {row},{a},{b}" for row, (a, b) in enumerate(numbers)]
    path.write_text("\n".join(["date,a,b", *lines]), encoding="utf-8")
    made = minute.Series(path)
    wanted = (numbers[:57, ::-1] - numbers[:30, ::-1].mean(0)) / numbers[:30, ::-1].std(0)
    np.testing.assert_allclose(made.values, wanted, rtol=1e-5, atol=1e-6)
    return made


def test_all_windows_of_a_part_are_judged(series: minute.Series) -> None:
    horizon, begin = 4, 42
    told = np.random.default_rng(2).normal(size=(12, horizon, 2)).astype(np.float32)
    squared, absolute = [], []
    for window in range(12):
        for step in range(horizon):
            error = told[window, step] - series.values[begin + window + step]
            squared += [float(each) ** 2 for each in error]
            absolute += [abs(float(each)) for each in error]
    assert series.judged("test", told) == pytest.approx((np.mean(squared), np.mean(absolute)))
    with pytest.raises(AssertionError):
        series.judged("test", told[..., :1])


def test_some_windows_of_validation_are_those_that_were_predicted(series: minute.Series) -> None:
    some = 30 + minute_sides.evenly(9, 5)
    assert some.tolist() == [30, 32, 34, 36, 38]
    exact = series.values[some[:, None] + np.arange(4)]
    assert series.judged("validation", exact) == (0, 0)


def test_a_peer_is_judged_on_the_same_windows(series: minute.Series, tmp_path: Path) -> None:
    """A peer that repeats the last value makes the errors of repeating it."""
    torch = pytest.importorskip("torch")
    np.save(tmp_path / "values.npy", series.values)
    request = {
        "rows": minute.ROWS,
        "horizon": 4,
        "seconds": 1,
        "values": str(tmp_path / "values.npy"),
        "out": str(tmp_path),
    }
    judge = minute_sides.Judge(
        json.loads(json.dumps(request)), 6, lambda module, past: past[:, -1:, 0].expand(-1, 4)
    )
    told = judge.predicted(torch.nn.Identity(), judge.origins("test", 10**6))
    assert series.judged("test", told) == pytest.approx(series.repeated(4))
