"""What the verdict is worth, in some cells of the grid that the benchmark simulates in whole."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from gatewright.comparison import statistics

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "verdict_power.py"
MOST = 0.06  # of false recommendations


@pytest.fixture(scope="module")
def simulated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verdict_power", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "DRAWS", 2000)
    monkeypatch.setattr(statistics, "FLIPS", 500)


QUICK = 300  # five times as many where more than 5% of these are found


@pytest.mark.parametrize(
    ("units", "error", "seeds", "kind"),
    [(50, 0.02, 3, "failed"), (150, 0.2, 5, "skewed"), (1000, 0.02, 5, "failed")],
)
@pytest.mark.parametrize("anew", [False, True])
def test_networks_for_sequences_are_rarely_recommended_falsely(
    simulated: ModuleType, units: int, error: float, seeds: int, kind: str, anew: bool
) -> None:
    simulate = partial(
        simulated.sequences,
        units=units,
        error=error,
        seeds=seeds,
        kind=kind,
        networks=3,
        anew=anew,
    )
    assert simulated.rate(simulate, None, QUICK, sides=1 + anew) <= MOST


@pytest.mark.parametrize(
    ("units", "horizon", "series", "kind"),
    [
        (50, 12, 1, "none"),
        (500, 24, 100, "equal"),
        (500, 12, 1, "dominating"),
        pytest.param(500, 96, 1, "skewed", marks=pytest.mark.slow),
        pytest.param(3000, 96, 1, "equal", marks=pytest.mark.slow),
    ],
)
def test_networks_for_forecasts_are_rarely_recommended_falsely(
    simulated: ModuleType, units: int, horizon: int, series: int, kind: str
) -> None:
    simulate = partial(
        simulated.forecasts,
        units=units,
        horizon=horizon,
        series=series,
        seeds=3,
        kind=kind,
        networks=3,
    )
    assert simulated.rate(simulate, horizon, QUICK) <= MOST


def test_equal_networks_are_rarely_told_apart(simulated: ModuleType) -> None:
    for kind in ("equal", "skewed"):
        simulate = partial(
            simulated.forecasts,
            units=200,
            horizon=12,
            seeds=5,
            kind=kind,
            networks=3,
            each=True,
        )
        assert simulated.rate(simulate, 12, 100, sides=2) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize(("many", "least"), [(2, 0.45), (3, 0.75)])
def test_better_networks_are_seen(simulated: ModuleType, many: int, least: float) -> None:
    """553 windows of horizon 12, networks truly better by so many standard errors."""
    for networks in (1, 3):
        simulate = partial(
            simulated.forecasts, units=553, horizon=12, seeds=3, kind="equal", networks=networks
        )
        better = many * simulated.true_error(simulate)
        which = range(1, networks + 1)
        assert simulated.rate(simulate, 12, 400, better=better, which=which) >= least


@pytest.mark.slow
def test_two_networks_are_told_apart(simulated: ModuleType) -> None:
    simulate = partial(
        simulated.forecasts, units=553, horizon=12, seeds=5, kind="none", networks=2, each=True
    )
    better = 3 * simulated.true_error(simulate)
    rate = simulated.rate(simulate, 12, 400, sides=2, better=better, which=(0,), pair=0)
    assert rate >= 0.7
