"""What single baselines are: equal to their peers, exact where they should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import worlds
from gatewright import baselines, tasks
from gatewright.baselines import _sequences
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
    assert not baselines.get("seasonal_naive").suits(data.layout)
    assert baselines.get("seasonal_naive").suits(data.layout.model_copy(update={"season": 4}))


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
@pytest.mark.parametrize("name", ["auto_arima", "ets", "theta"])
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
