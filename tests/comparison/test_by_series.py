"""Many series and hardly any time: what is independent are the series, and the text says so."""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import polars as pl
import pytest
import torch

import gatewright
import worlds
from gatewright.comparison.deciding import decide
from gatewright.data.examples.windows import FEW_STRETCHES, MANY_SERIES, Windows
from gatewright.data.prepared import Prepared

WINDOWS = Windows()
HORIZON = 3


def world(series: int, test: int) -> Prepared:
    """Series of 20 steps and so many of test, all at the same times."""
    length = 20 + test
    bounds = [[at, at + 14, at + 20, at + length] for at in range(0, series * length, length)]
    numbers = torch.arange(float(series * length))[:, None]
    data = worlds.series(numbers, horizon=HORIZON, context=4, bounds=bounds)
    return dataclasses.replace(data, time=torch.arange(series * length) % length)


@pytest.mark.parametrize(
    ("series", "test", "by_series"),
    [
        (MANY_SERIES, 8, True),
        (MANY_SERIES - 1, 8, False),
        (2 * MANY_SERIES, HORIZON, True),
        (MANY_SERIES, FEW_STRETCHES * HORIZON + HORIZON - 2, True),
        (MANY_SERIES, FEW_STRETCHES * HORIZON + HORIZON - 1, False),
        (1, 8, False),
    ],
)
def test_when_units_are_series(series: int, test: int, by_series: bool) -> None:
    data = world(series, test)
    examples = WINDOWS.of_part(data, "test")
    units = np.unique(WINDOWS.units(data, examples))
    assert WINDOWS.by_series(data, examples) == by_series
    assert len(units) == (series if by_series else test - HORIZON + 1)


def test_series_of_which_one_is_judged_do_not_count() -> None:
    data = world(MANY_SERIES, 8)
    some = WINDOWS.of_part(data, "test")[:6]
    assert not WINDOWS.by_series(data, some)


def test_the_text_says_what_series_leave_out() -> None:
    random = np.random.default_rng(0)
    one = random.gamma(2.0, size=(1, 1000))
    losses = {"one": one, "other": one + 0.2 + 0.5 * random.normal(size=one.shape)}
    verdict = decide(
        losses,
        unit="series",
        overlapping=False,
        baselines=["other"],
        metric="mean squared error",
        titles={},
    )
    assert verdict.pair("one", "other").told_apart
    assert "1,000 series" in verdict.text
    assert "seriess" not in verdict.text
    assert "further series at the same times" in verdict.text


def test_a_comparison_of_many_short_series_is_decided_by_series() -> None:
    random = np.random.default_rng(1)
    months = pl.date_range(date(2021, 1, 1), date(2023, 12, 1), "1mo", eager=True)
    frames = [
        pl.DataFrame({"month": months, "y": random.normal(size=12)[np.arange(36) % 12]})
        .with_columns(pl.col("y") + pl.Series(0.2 * random.normal(size=36)))
        .with_columns(shop=pl.lit(f"shop {number}"))
        for number in range(60)
    ]
    result = gatewright.compare(
        pl.concat(frames), series="shop", cells="gru", settings=1, seeds=1, epochs=1
    )
    verdict = result.verdict
    assert (verdict.unit, verdict.units, verdict.overlapping) == ("series", 60, False)
    assert verdict.best_baseline is not None
    assert verdict.pair("gru", verdict.best_baseline).interval is not None
    assert "60 series" in verdict.text
