"""Small tables, and estimators fitted on a few numbers: what several tests begin with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gatewright import Forecaster, SequenceClassifier


def write_waves(folder: Path) -> Path:
    """90 steps of a wave and a season of five, as a CSV file."""
    rows = [f"{step},{math.sin(step * 0.9) + step % 5 * 0.1:.4f}" for step in range(90)]
    path = folder / "waves.csv"
    path.write_text("\n".join(["step,y", *rows, ""]))
    return path


def noisy_waves() -> pl.DataFrame:
    steps = np.arange(240)
    noise = np.random.default_rng(0).normal(size=240)
    return pl.DataFrame({"step": steps, "y": np.sin(steps / 3) + 0.1 * noise})


def forecaster(**arguments: Any) -> Forecaster:
    found = Forecaster("mgu", 2, 6, hidden_size=3, epochs=1, **arguments)
    return found.fit([math.sin(step) for step in range(60)])


def classifier(**arguments: Any) -> SequenceClassifier:
    sequences = [[[float(step % 3)], [1.0], [float(step % 2)]] for step in range(24)]
    found = SequenceClassifier("mgu", hidden_size=3, epochs=1, **arguments)
    return found.fit(sequences, ["even", "odd"] * 12)
