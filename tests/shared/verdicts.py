"""Verdicts on losses that are made up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gatewright.comparison.deciding import decide
from gatewright.comparison.verdict import Verdict

Array = NDArray[np.float64]
BASELINES = ("ridge", "naive", "seasonal")
TITLES = {"gru": "GRU", "lstm": "LSTM", "mgu": "MGU", "seasonal": "seasonal naive"}


def made(
    means: dict[str, tuple[float, int]],
    units: int = 400,
    *,
    seed_effect: float = 0.01,
    noise: float = 0.1,
    seed: int = 1,
) -> dict[str, Array]:
    """Losses: name -> (mean, seeds); baselines do not vary over seeds."""
    random = np.random.default_rng(seed)
    shared = 0.3 * np.abs(random.normal(size=units))
    losses = {}
    for name, (mean, seeds) in means.items():
        losses[name] = mean + shared + noise * random.normal(size=(1, units))
        if name not in BASELINES:
            effects = seed_effect * random.normal(size=(seeds, 1))
            losses[name] = losses[name] + effects + noise * random.normal(size=(seeds, units))
    return losses


def verdict_on(
    losses: dict[str, Array],
    kind: str = "sequences",
    horizon: int = 1,
    metric: str = "mean squared error",
    groups: Sequence[int] | None = None,
    seed: int = 0,
) -> Verdict:
    return decide(
        losses,
        unit="forecast origin" if kind == "origins" else "test sequence",
        overlapping=kind == "origins",
        horizon=horizon,
        baselines=[name for name in losses if name in BASELINES],
        metric=metric,
        titles=TITLES,
        groups=groups,
        seed=seed,
    )


def consistent(verdict: Verdict) -> None:
    """What is told apart is what an interval says, in every number there is."""
    for pair in (*verdict.against_baseline, *verdict.among_networks):
        for ends in filter(None, (pair.interval, pair.relative_interval)):
            assert (ends[0] > 0 or ends[1] < 0) == pair.told_apart
            assert ends[0] <= ends[1]
        assert pair.better == (pair.told_apart and pair.difference > 0)
        assert verdict.pair(pair.other, pair.candidate) is pair
    assert verdict.close[0] == verdict.recommended
