"""What single baselines are: equal to their peers, exact where they should be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch

import worlds
from gatewright import baselines, tasks
from gatewright.baselines import _ridge, _sequences, _windows
from gatewright.tasks.forecast import Forecast
from worlds import baseline_of, periodic, predictor


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """These problems are too small for more."""
    torch_threads(1)


def test_seasonal_naive_is_exact_on_a_season() -> None:
    """Also where the season is longer than the context, or the horizon longer than the season."""
    for season, horizon, context in ((5, 12, 8), (20, 6, 4)):
        data = worlds.series(periodic(200, season), season=season, horizon=horizon, context=context)
        baseline = baseline_of("seasonal_naive", "forecast", data)
        examples = baseline.task.examples.of_part(data, "test")
        found = predictor(baseline, data)(data, examples)[..., 0]
        assert torch.equal(found, baseline.task.examples.batch(data, examples).target)


def test_seasonal_naive_without_a_season_is_the_last_value() -> None:
    data = worlds.series(torch.randn(60, 2), season=1)
    found = []
    for name in ("seasonal_naive", "last_value"):
        baseline = baseline_of(name, "forecast", data)
        found.append(baseline.predict(data, baseline.task.examples.of_part(data, "test")))
    assert torch.equal(*found)
    summary = baseline_of("seasonal_naive", "forecast", data).summary
    assert summary != baselines.get("seasonal_naive").summary
    assert "last value" in summary


def test_ridge_on_lags_equals_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    data = worlds.series(
        torch.randn(300, 2).cumsum(0) / 5,
        known=torch.randn(300, 1),
        codes=torch.randint(0, 4, (300, 1)),
    )
    baseline = baseline_of("ridge_lags", "forecast", data)
    baseline.fit(data)
    window, line = baseline.window, baseline.line
    batch = baseline.task.examples.batch(data, baseline.task.examples.of_part(data, "train"))
    rows, level, spread = window.rows(batch)
    told = window.target_rows((batch.target - level) / spread)
    peer = Ridge(alpha=line.alpha).fit(rows.numpy(), told.double().numpy())
    torch.testing.assert_close(line.weights, torch.from_numpy(peer.coef_.T), rtol=0, atol=1e-6)
    examples = baseline.task.examples.of_part(data, "test")
    rows, level, spread = window.rows(baseline.task.examples.batch(data, examples))
    expected = (
        window.from_target_rows(torch.from_numpy(peer.predict(rows.numpy()))) * spread + level
    )
    found = baseline.predict(data, examples)[..., 0].double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_missing_targets_carry_no_loss_in_ridge() -> None:
    """Each output is fitted to the rows that have it, whatever stands where it is missing."""
    from sklearn.linear_model import Ridge

    rows = torch.randn(200, 5, dtype=torch.float64)
    told = rows @ torch.randn(5, 3).double() + torch.randn(200, 3)
    told[torch.rand(200, 3) < 0.3] = math.nan

    def pieces() -> Iterator[_ridge.Piece]:
        yield from zip(
            rows.split(64), told.split(64), torch.zeros_like(told).split(64), strict=True
        )

    line, _ = _ridge.fit(pieces, lambda line: abs(line.alpha - 20))
    assert line.alpha == pytest.approx(20)
    for output in range(3):
        kept = ~told[:, output].isnan()
        peer = Ridge(alpha=line.alpha).fit(rows[kept].numpy(), told[kept, output].numpy())
        torch.testing.assert_close(
            line.weights[:, output], torch.from_numpy(peer.coef_), rtol=0, atol=1e-6
        )
        assert line.intercept[output].item() == pytest.approx(peer.intercept_, abs=1e-6)


def test_ridge_finds_the_forecast_of_an_autoregression() -> None:
    rows, weights = 4000, (1.2, -0.5)
    numbers = torch.zeros(rows, 1)
    noise = 0.3 * torch.randn(rows)
    for row in range(2, rows):
        numbers[row] = weights[0] * numbers[row - 1] + weights[1] * numbers[row - 2] + noise[row]
    data = worlds.series(numbers, horizon=2)
    baseline = baseline_of("ridge_lags", "forecast", data)
    examples = baseline.task.examples.of_part(data, "test")
    found = predictor(baseline, data)(data, examples)[..., 0, 0]
    before, last = data.values[examples - 2, 0], data.values[examples - 1, 0]
    one = weights[0] * last + weights[1] * before
    best = torch.stack([one, weights[0] * one + weights[1] * last], 1)
    assert (found - best).square().mean() < 0.01 * best.var()


def test_rows_of_wide_and_long_windows_stay_affordable() -> None:
    most = _windows.MOST_FEATURES
    assert _windows.lags(10, 20).tolist() == list(range(10))
    assert _windows.lags(100, 6).tolist() == [0, 48, 96, 97, 98, 99]
    for context, known, horizon in ((6000, 1, 3), (900, 8, 900), (300, 40, 3)):
        rows = context + 3 * horizon
        data = worlds.series(
            torch.randn(rows, 1),
            context=context,
            horizon=horizon,
            known=torch.randn(rows, known),
            bounds=[[0, rows, rows, rows]],
        )
        task = Forecast(data.preparation)
        batch = task.examples.batch(data, task.examples.of_part(data, "train")[:2])
        window = _windows.WindowRows(data.preparation, joint=False, relative=True)
        found, _, _ = window.rows(batch)
        assert found.shape[1] <= most
        assert {0, context - 1} <= set(window.lags.tolist())


@pytest.mark.parametrize("name", ["logistic_summary", "logistic_flat"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weights", [False, True])
def test_logistic_separates_what_can_be_separated(name: str, classes: int, weights: bool) -> None:
    label = torch.randint(0, classes, (90, 1))
    values = [
        0.3 * torch.randn(int(n), 1) + one
        for n, one in zip(torch.randint(4, 9, (90,)), label, strict=True)
    ]
    data = worlds.sequences("classify", values, label.float(), classes=classes)
    baseline = baseline_of(name, "classify", data, class_weights=weights)
    examples = torch.cat([baseline.task.examples.of_part(data, part) for part in ("train", "test")])
    found = predictor(baseline, data)(data, examples)
    assert (found.argmax(1) == label[examples, 0]).float().mean() > 0.97
    torch.testing.assert_close(found.exp().sum(1), torch.ones(len(examples)))


def test_categories_alone_tell_a_class() -> None:
    label = torch.arange(60)[:, None] % 2
    codes = [torch.randint(1, 40, (7, 1)) * 2 + one for one in label]
    data = worlds.sequences(
        "classify", [torch.zeros(7, 0)] * 60, label.float(), codes=codes, classes=2
    )
    baseline = baseline_of("logistic_summary", "classify", data)
    examples = baseline.task.examples.of_part(data, "test")
    found = predictor(baseline, data)(data, examples)
    assert (found.argmax(1) == label[examples, 0]).all()


def test_class_weights_favour_the_rare_class() -> None:
    label = (torch.arange(120) % 10 == 0).float()[:, None]
    values = [torch.randn(5, 1) + one for one in label]
    data = worlds.sequences("classify", values, label, classes=2)
    told = []
    for weights in (False, True):
        baseline = baseline_of("logistic_summary", "classify", data, class_weights=weights)
        examples = torch.arange(120)
        told.append(predictor(baseline, data)(data, examples).argmax(1).sum())
    assert told[0] < told[1]


def test_a_class_that_training_has_not_is_possible_all_the_same() -> None:
    label = torch.tensor([0.0, 0, 0, 1, 0, 2]).repeat(5)[:, None]
    data = worlds.sequences("classify", [torch.randn(3, 1) for _ in label], label, classes=3)
    for name in baselines.of_task(tasks.get("classify")):
        baseline = baseline_of(name, "classify", data)
        assert predictor(baseline, data)(data, torch.arange(30)).isfinite().all()


def test_long_sequences_are_resampled_by_means() -> None:
    values = torch.arange(12.0)[:, None, None].repeat(1, 2, 1)
    values[7:, 1] = 0
    found = _sequences.resample(values, torch.tensor([12, 7]), 3)
    assert found[:, 0, 0].tolist() == [1.5, 5.5, 9.5]
    assert found[:, 1, 0].tolist() == [1.0, 3.0, 5.0]
    assert _sequences.resample(values[:1], torch.tensor([1, 1]), 3).flatten().tolist() == [0.0] * 6


@pytest.mark.filterwarnings("ignore:possible convergence problem:UserWarning")
@pytest.mark.parametrize("name", ["auto_arima", "ets"])
def test_statistical_models_are_applied_as_statsforecast_applies_them(name: str) -> None:
    """What is kept of a fitted model is enough: its season, constant or drift, and all orders."""
    for season, slope in ((6, 0.0), (1, 0.3)):
        numbers = (
            periodic(160, season) + slope * torch.arange(160.0)[:, None] + 0.3 * torch.randn(160, 1)
        )
        data = worlds.series(numbers, season=season)
        baseline = baseline_of(name, "forecast", data)
        baseline.fit(data)
        table = (data.values[:, 0] * 2 - 1).double().numpy()
        model = baseline.model(season).fit(table[:96])
        origin = baseline.task.examples.of_part(data, "test")[:1]
        expected = torch.from_numpy(model.forward(table[: int(origin)], 3)["mean"])
        found = baseline.predict(data, origin)[0, :, 0, 0].double() * 2 - 1
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
