"""Harmonic regression: cycles from the calendar, however short the context; mean and drift."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

import worlds
from gatewright import baselines
from gatewright.baselines._harmonics import cycles_of, seen_whole, waves
from gatewright.baselines._level import Axis, Form, LevelSums, columns, within
from gatewright.baselines._windows import before_test
from gatewright.baselines.harmonic import Late
from gatewright.data.prepared import Prepared
from worlds import baseline_of, predictor

DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """These problems are too small for more."""
    torch_threads(1)


def dated(data: Prepared, frequency: str, step: int = DAY, **layout: Any) -> Prepared:
    """The data with a column of times, each series from 2015 on."""
    layout = {"time": "time", "frequency": frequency, **layout}
    preparation = data.preparation.model_copy(
        update={"layout": data.layout.model_copy(update=layout)}
    )
    begin = int(datetime(2015, 1, 1).timestamp() // 86400) * DAY if frequency[-1] != "i" else 0
    time = data.time.clone()
    for start, *_, end in data.bounds.tolist():
        time[start:end] = begin + step * torch.arange(end - start)
    return dataclasses.replace(data, preparation=preparation, time=time)


def of_day(days: Tensor) -> Tensor:
    """A year that is no single wave."""
    angle = 2 * math.pi * days / 365.25
    return 2 * angle.sin() + (2 * angle + 1).cos()


def error_of(name: str, data: Prepared) -> float:
    baseline = baseline_of(name, "forecast", data)
    examples = baseline.task.examples.of_part(data, "test")
    found = predictor(baseline, data)(data, examples)
    batch = baseline.task.examples.batch(data, examples)
    return float(baseline.task.losses(found, batch).nanmean())


def test_a_year_of_days_is_seen_with_a_context_of_two_weeks() -> None:
    days = torch.arange(365 * 6)
    week = torch.tensor([0.0, 0, 0, 0, 0, 2, 1])[days % 7]
    numbers = (of_day(days) + week + 0.3 * torch.randn(len(days)))[:, None]
    data = dated(worlds.series(numbers, season=7, horizon=28, context=14), "1d")
    baseline = baseline_of("harmonic", "forecast", data)
    baseline.fit(data)
    of_week, of_year = baseline.form.harmonics
    assert of_week >= 2
    assert of_year >= 2
    assert error_of("harmonic", data) < 1.1 * 0.3**2
    assert error_of("harmonic", data) < 0.8 * error_of("ridge_lags", data)


def test_a_short_series_whose_level_moves_away() -> None:
    """The forecast keeps the season and goes on from where the series is."""
    torch.manual_seed(0)
    steps = torch.arange(144)
    season = 2 * (2 * math.pi * steps / 12).sin() + (2 * math.pi * steps / 6).cos()
    numbers = season + (0.5 + 0.2 * torch.randn(144)).cumsum(0)
    data = dated(worlds.series(numbers[:, None], season=12, horizon=10, context=30), "1d")
    baseline = baseline_of("harmonic", "forecast", data)
    baseline.fit(data)
    assert baseline.late.moved
    assert max(baseline.form.harmonics) >= 2
    walked = 0.2**2 * (1 + 10) / 2  # of the steps up to a horizon of 10, on the mean
    assert error_of("harmonic", data) < 2 * walked / float(data.scale) ** 2


def test_weights_of_a_level_that_moved_add_up_to_one() -> None:
    numbers = (0.2 * torch.randn(300)).cumsum(0)[:, None]
    data = dated(worlds.series(numbers, season=7), "1d")
    baseline = baseline_of("harmonic", "forecast", data)
    baseline.fit(data)
    sums = baseline.rest(data, baseline.level, baseline.task.examples.of_part(data, "train"))
    line = baseline.line(sums.complete[0], Late(3, True))
    torch.testing.assert_close(line.weights.sum(0), torch.ones(line.weights.shape[1]).double())
    free = baseline.line(sums.complete[0], Late(3, False))
    assert sums.complete[0].first(3).loss(free) < sums.complete[0].first(3).loss(line)


def test_a_season_of_a_column_of_whole_numbers() -> None:
    steps = torch.arange(600)
    numbers = ((steps / 4) % 11 - 5).abs()[:, None] + 0.1 * torch.randn(600, 1)
    data = dated(worlds.series(numbers, season=44, context=6, horizon=20), "5i", step=5)
    assert error_of("harmonic", data) < 0.04
    assert error_of("last_value", data) > 1


def test_cycles_are_those_of_the_calendar_and_the_season_beside_them() -> None:
    data = worlds.series(torch.randn(100, 1))
    found = {
        (frequency, season): [
            (one.name, round(one.steps))
            for one in cycles_of(dated(data, frequency, season=season).layout)
        ]
        for frequency, season in (("1h", 24), ("1mo", 12), ("1d", 365), ("1bd", 5), ("7i", 9))
    }
    assert found == {
        ("1h", 24): [("hour of day", 24), ("day of week", 168), ("day of year", 8766)],
        ("1mo", 12): [("month of year", 12)],
        ("1d", 365): [("day of week", 7), ("day of year", 365)],
        ("1bd", 5): [("day of week", 5), ("day of year", 261)],
        ("7i", 9): [("", 9)],
    }
    assert cycles_of(data.layout) == ()  # steps without a time have no place of their own
    year = cycles_of(dated(data, "1d").layout)[-1]
    assert not seen_whole(dated(data, "1d"), year)


def test_waves_repeat_with_their_cycle_and_not_before() -> None:
    data = dated(worlds.series(torch.randn(100, 1)), "1mo", season=5)
    times = pl.datetime_range(datetime(1999, 1, 1), datetime(2004, 1, 1), "1mo", eager=True)
    moments = torch.from_numpy(times.to_physical().to_numpy().copy())
    found = waves(data.layout, moments, (2, 3))
    assert found.shape == (61, 10)
    season, year = found[:, :4], found[:, 4:]
    torch.testing.assert_close(season[5:], season[:-5])
    torch.testing.assert_close(year[12:], year[:-12])
    assert (season[1:] - season[:-1]).abs().max() > 0.5
    assert (year[6:] - year[:-6]).abs().max() > 0.5
    torch.testing.assert_close(year[:, 0].square() + year[:, 3].square(), torch.ones(61).double())


def test_a_form_within_another_has_its_columns() -> None:
    data = dated(worlds.series(torch.randn(50, 1)), "1h", season=24, step=DAY // 24)
    full, form, axis = Form((4, 3, 2), trend=True), Form((2, 0, 1)), Axis.of(data)
    every = columns(data.layout, data.time, full, axis)
    found = columns(data.layout, data.time, form, axis)
    assert torch.equal(every[:, within(form, full)], found)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("pull", [math.inf, 0.5])
def test_levels_equal_least_squares(missing: float, pull: float) -> None:
    """Of all series together, and of each one with rows more that pull on it."""
    numbers = torch.randn(120, 2)
    numbers[torch.rand(120, 2) < missing] = math.nan
    bounds = [[0, 40, 50, 60], [60, 100, 110, 120]]
    data = dated(worlds.series(numbers, bounds=bounds), "1d")
    form = Form((2, 0), trend=True, pull=pull)
    rows = [(0, 40), (60, 100)]
    sums = LevelSums.of(data, Form((3, 0), trend=True), Axis.of(data), rows, apart=pull < math.inf)
    level = sums.level(form)
    seen = columns(data.layout, data.time, form, level.axis).numpy()
    target = numbers.double().numpy()
    for number in range(2):
        known = [
            np.array([r for r in range(*one) if not np.isnan(target[r, number])]) for one in rows
        ]

        def solved(at: Any, center: Any, ridge: float, number: int = number) -> Any:
            # Rows more: one for each coefficient.
            heavy = math.sqrt(ridge * len(at)) * np.eye(seen.shape[1])
            stacked = np.vstack([seen[at], heavy])
            told = np.concatenate([target[at, number], heavy @ center])
            return np.linalg.lstsq(stacked, told, rcond=None)[0]

        shared = solved(np.concatenate(known), np.zeros(seen.shape[1]), 1e-3)
        np.testing.assert_allclose(level.coefficients[-1, :, number], shared, atol=1e-8)
        if pull < math.inf:
            for item in range(2):
                own = solved(known[item], shared, pull)
                np.testing.assert_allclose(level.coefficients[item, :, number], own, atol=1e-8)
    told = level(data, 50, 70)
    expected = [level.coefficients[0 if pull < math.inf else -1].T.numpy() @ seen[55]]
    np.testing.assert_allclose(told[5], expected[0], atol=1e-9)


def test_series_share_what_they_have_in_common() -> None:
    """Three years of months are too few for a year of each series alone, not of sixty."""
    months, count = 36, 60
    steps = torch.arange(months)
    year = torch.randn(12)[steps % 12]
    numbers = torch.cat([year + torch.randn(months) for _ in range(count)])[:, None]
    bounds = [[36 * n, 36 * n + 22, 36 * n + 29, 36 * n + 36] for n in range(count)]
    one = worlds.series(numbers, season=12, horizon=6, context=12, bounds=bounds)
    data = dated(one, "1mo", step=int(30.4375 * DAY))
    baseline = baseline_of("harmonic", "forecast", data)
    baseline.fit(data)
    assert baseline.form.harmonics[0] >= 2
    assert error_of("harmonic", data) < 1.2
    assert error_of("seasonal_naive", data) > 1.6


def test_series_that_differ_are_told_apart() -> None:
    rows, count = 200, 8
    steps = torch.arange(rows)
    numbers = torch.cat(
        [(2 * math.pi * steps / 7 + n).sin() * 2 + 0.2 * torch.randn(rows) for n in range(count)]
    )[:, None]
    bounds = [[rows * n, rows * n + 140, rows * n + 160, rows * (n + 1)] for n in range(count)]
    data = dated(worlds.series(numbers, season=7, horizon=7, context=2, bounds=bounds), "1d")
    baseline = baseline_of("harmonic", "forecast", data)
    baseline.fit(data)
    assert baseline.form.pull < math.inf
    assert error_of("harmonic", data) < 0.1


HARD: dict[str, Callable[[Tensor], Tensor]] = {
    "constant": lambda steps: torch.full((len(steps),), 3.0),
    "a trend": lambda steps: steps * 0.05,
    "a trend that ends": lambda steps: (steps * 0.05).clamp(max=6),
    "growth": lambda steps: (steps * 0.03).exp(),
    "a jump": lambda steps: (steps > 0.75 * len(steps)) * 50.0,
    "huge": lambda steps: torch.randn(len(steps)) * 1e15,
    "tiny": lambda steps: torch.randn(len(steps)) * 1e-15,
    "missing": lambda steps: torch.randn(len(steps)).where(torch.rand(len(steps)) < 0.2, math.nan),
}


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("rows", [24, 60, 200])
def test_a_forecast_stays_near_what_was_seen(kind: str, rows: int) -> None:
    numbers = HARD[kind](torch.arange(float(rows)))[:, None]
    data = dated(worlds.series(numbers, season=7, horizon=4, context=5), "1d")
    test = torch.arange(data.bounds[0, 2], rows - 4 + 1)
    reach = 2 * (numbers.nan_to_num().max() - numbers.nan_to_num().min()) + 1e-3
    for name in ("harmonic", "ridge_lags", "series_mean"):
        baseline = baseline_of(name, "forecast", data)
        for learn in (baseline.fit, baseline.refit):
            learn(data)
            found = baseline.predict(data, test)
            assert found.isfinite().all(), name
            assert found.min() > numbers.nan_to_num().min() - reach, name
            assert found.max() < numbers.nan_to_num().max() + reach, name


def test_a_trend_ends_far_beyond_training() -> None:
    data = dated(worlds.series((0.1 * torch.arange(300.0))[:, None]), "1d")
    axis = Axis.of(data)
    times = torch.tensor([axis.begin + n * axis.length for n in (0, 1, 2, 50)])
    assert columns(data.layout, times, Form((0, 0), trend=True), axis)[:, 1].tolist() == [
        -1,
        1,
        3,
        3,
    ]


def test_a_series_that_was_not_in_training_has_what_all_have_in_common() -> None:
    one = worlds.series(
        worlds.periodic(400, 7, 1), season=7, bounds=[[0, 120, 160, 200], [200, 320, 360, 400]]
    )
    series = dict.fromkeys(one.items, ((-1.0, 2.0),))
    data = dated(one, "1d", series="which")
    data = dataclasses.replace(
        data, preparation=data.preparation.model_copy(update={"series": series})
    )
    other = dataclasses.replace(data, items=("series 1", "a new one"))
    origin = torch.tensor([180, 380])
    for name in ("harmonic", "series_mean", "drift"):
        baseline = baseline_of(name, "forecast", data)
        baseline.fit(data)
        if name == "harmonic":
            shared = baseline.level.coefficients[-1:]
            own = torch.cat([shared + 1, shared + 2, shared])
            form = Form(baseline.form.harmonics, baseline.form.trend, 1.0)
            baseline.level = dataclasses.replace(baseline.level, form=form, coefficients=own)
            levels = baseline.level(other, 0, 400)
            torch.testing.assert_close(levels[210:220], baseline.level(other, 210, 220))
            assert (levels[210] - baseline.level(data, 210, 211)).abs() > 1
        told = baseline.predict(other, origin)
        assert told.isfinite().all()
        if name == "series_mean":
            assert told[:, 0, 0, 0].tolist() == [baseline.means[1, 0].item(), 0.0]
        if name == "drift":
            assert torch.equal(told[1, :, 0, 0], data.values[379, 0].expand(3))


def test_mean_and_drift_are_those_of_training_and_then_of_validation_too() -> None:
    numbers = torch.randn(100, 2)
    numbers[[0, 59, 79], 0] = math.nan
    data = worlds.series(numbers)
    origin = torch.tensor([85])
    for end, learn in ((60, "fit"), (80, "refit")):
        mean = baseline_of("series_mean", "forecast", data)
        drift = baseline_of("drift", "forecast", data)
        for one in (mean, drift):
            getattr(one, learn)(data)
        expected = numbers[:end].nanmean(0).expand(1, 3, 2)
        torch.testing.assert_close(mean.predict(data, origin)[..., 0], expected)
        slope = (numbers[end - 1, 1] - numbers[0, 1]) / (end - 1)
        found = drift.predict(data, origin)[0, :, :, 0]
        torch.testing.assert_close(found[2, 1], numbers[84, 1] + 3 * slope)
        slope = (numbers[end - 2, 0] - numbers[1, 0]) / (end - 3)
        torch.testing.assert_close(found[1, 0], numbers[84, 0] + 2 * slope)


def test_means_are_trivial_and_what_learns_is_not() -> None:
    trivial = {name for name in baselines.names() if baselines.get(name).trivial}
    assert trivial == {"mean", "series_mean", "majority"}


def test_refitting_keeps_what_was_chosen() -> None:
    data = dated(worlds.series(worlds.periodic(300, 7) + 0.3 * torch.randn(300, 1), season=7), "1d")
    baseline = baseline_of("harmonic", "forecast", data)
    baseline.fit(data)
    form, late, level = baseline.form, baseline.late, baseline.level
    baseline.refit(data)
    assert (baseline.form, baseline.late) == (form, late)
    assert not torch.equal(level.coefficients, baseline.level.coefficients)
    other = baseline_of("harmonic", "forecast", data)
    other.restore(baseline.state())
    test = other.task.examples.of_part(data, "test")
    assert torch.equal(other.predict(data, test), baseline.predict(data, test))
    spoilt = data.target.clone()
    spoilt[data.bounds[0, 2] :] = 1e6
    again = baseline_of("harmonic", "forecast", data)
    again.form, again.late = form, late
    again.refit(dataclasses.replace(data, target=spoilt))
    assert torch.equal(again.level.coefficients, baseline.level.coefficients)
    assert before_test(data).bounds[0].tolist() == [0, 240, 240, 300]
