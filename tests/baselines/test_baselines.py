"""Baselines: whatever the folder holds is tried on every task it answers."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import worlds
from gatewright import baselines, tasks
from gatewright.baselines import Fitted
from gatewright.comparison import planning
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.setting import Setting
from gatewright.tasks.forecast import QUANTILES, Forecast
from worlds import baseline_of, periodic, predictor

PAIRS = [
    (name, task)
    for task in tasks.names()
    for name in baselines.of_task(tasks.get(task), extra=True)
]
# The others are networks, which are trained, saved and judged as all networks are.
FITTED = [(name, task) for name, task in PAIRS if issubclass(baselines.get(name), Fitted)]


def marked(name: str, *more: str) -> Any:
    """A case of a baseline, slow where it needs an extra: those fit many models."""
    slow = [pytest.mark.slow] if baselines.get(name).extra else []
    return pytest.param(name, *more, marks=slow)


each_pair = pytest.mark.parametrize(("name", "task"), [marked(*pair) for pair in PAIRS])
each_fitted_pair = pytest.mark.parametrize(("name", "task"), FITTED)
each_forecast = pytest.mark.parametrize(
    "name", [marked(name) for name, task in PAIRS if task == "forecast"]
)
each_fitted_forecast = pytest.mark.parametrize(
    "name", [one for one, task in FITTED if task == "forecast"]
)


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """These problems are too small for more."""
    torch_threads(1)


def forecast_world() -> Prepared:
    """Two series of two targets with gaps, an input and a category known ahead."""
    rows = 240
    numbers = periodic(rows, 6, 2) + 0.1 * torch.randn(rows, 2)
    numbers[torch.rand(rows, 2) < 0.05] = math.nan
    return worlds.series(
        numbers,
        season=6,
        known=torch.randn(rows, 1),
        codes=torch.randint(0, 3, (rows, 1)),
        known_codes=True,
        bounds=[[0, 80, 100, 120], [120, 200, 220, 240]],
    )


def sequence_world(task: str) -> Prepared:
    """Sequences of different lengths, of two channels and one category, two of them of one step.

    The class follows from the mean of the first channel, the numbers too.
    """
    lengths = [1, 1, *torch.randint(2, 12, (58,)).tolist()]
    values = [torch.randn(length, 2) + torch.randn(1, 2) for length in lengths]
    codes = [torch.randint(0, 4, (length, 1)) for length in lengths]
    mean = torch.stack([one.mean(0) for one in values])
    if task == "classify":
        label = (mean[:, :1] > 0).float() + (mean[:, :1] > 0.8).float()
        return worlds.sequences(task, values, label, codes=codes, classes=3)
    target = torch.cat([mean[:, :1] * 2, mean.sum(1, keepdim=True)], 1)
    target[4, 1] = math.nan
    return worlds.sequences(task, values, target, codes=codes)


def world_of(task: str) -> Prepared:
    return forecast_world() if task == "forecast" else sequence_world(task)


@each_pair
def test_predictions_have_the_task_s_shape(name: str, task: str) -> None:
    data = world_of(task)
    baseline = baseline_of(name, task, data)
    examples = baseline.task.examples.of_part(data, "test")
    found = predictor(baseline, data)(data, examples)
    if task == "forecast":
        assert found.shape[:3] == (len(examples), 3, 2)
        assert found.shape[3] in {1, 1 + len(QUANTILES)}
    else:
        assert found.shape == (len(examples), 3 if task == "classify" else 2)
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@each_fitted_pair
def test_what_was_saved_predicts_the_same(name: str, task: str) -> None:
    data = world_of(task)
    baseline = baseline_of(name, task, data)
    examples = baseline.task.examples.of_part(data, "test")
    before = predictor(baseline, data)(data, examples)
    state = {key: value.clone() for key, value in baseline.state().items()}
    other = baseline_of(name, task, data)
    other.restore(state)
    assert torch.equal(other.predict(data, examples), before)
    assert other.parameters() == baseline.parameters() >= 0


@each_pair
def test_a_fit_is_repeatable(name: str, task: str) -> None:
    data = world_of(task)
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        baseline = baseline_of(name, task, data)
        examples = baseline.task.examples.of_part(data, "test")
        found.append(predictor(baseline, data)(data, examples))
    assert torch.equal(*found)


@each_forecast
def test_nothing_from_an_origin_on_changes_a_forecast(name: str) -> None:
    data = forecast_world()
    baseline = baseline_of(name, "forecast", data)
    predict = predictor(baseline, data)
    examples = baseline.task.examples.of_part(data, "test")[[0, 3, -1]]
    known = [channel.known for channel in data.preparation.channels]
    for origin in examples:
        values, target = data.values.clone(), data.target.clone()
        values[origin:, ~torch.tensor(known)] = 1e6
        target[origin:] = 1e6
        spoilt = dataclasses.replace(data, values=values, target=target)
        assert torch.equal(predict(spoilt, origin[None]), predict(data, origin[None]))


@each_fitted_forecast
def test_the_test_part_changes_no_fit(name: str) -> None:
    data = forecast_world()
    baseline = baseline_of(name, "forecast", data)
    baseline.fit(data)
    values, target = data.values.clone(), data.target.clone()
    for item in data.bounds.tolist():
        values[item[2] : item[3]] = target[item[2] : item[3]] = 1e6
    other = baseline_of(name, "forecast", data)
    other.fit(dataclasses.replace(data, values=values, target=target))
    for key, value in baseline.state().items():
        torch.testing.assert_close(other.state()[key], value, rtol=0, atol=0, equal_nan=True)


@each_forecast
def test_series_too_short_for_a_context(name: str) -> None:
    """Windows that begin where the series begins, and a validation part without any origin."""
    data = worlds.series(
        torch.randn(24, 1), context=16, horizon=4, season=5, bounds=[[0, 16, 18, 24]]
    )
    baseline = baseline_of(name, "forecast", data)
    train, test = (baseline.task.examples.of_part(data, part) for part in ("train", "test"))
    assert len(train)
    predict = predictor(baseline, data)
    for examples in (train, test):
        assert predict(data, examples).isfinite().all()


@each_fitted_pair
def test_no_worse_than_the_simplest(name: str, task: str) -> None:
    """A baseline that learns beats the one that does not, where there is something to learn."""
    data = world_of(task)
    simplest = {"forecast": "last_value", "classify": "majority", "regress": "mean"}[task]
    if name == "drift":
        pytest.skip("it learns a slope, and there is none")
    losses = []
    for one in (name, simplest):
        baseline = baseline_of(one, task, data)
        examples = baseline.task.examples.of_part(data, "test")
        found = predictor(baseline, data)(data, examples)
        losses.append(
            baseline.task.losses(found, baseline.task.examples.batch(data, examples)).nanmean()
        )
    assert losses[0] < losses[1] or name == simplest


def test_the_quantiles_train_no_point_of_the_linear_network() -> None:
    data = forecast_world()
    task = Forecast(data.preparation)
    batch = task.examples.batch(data, task.examples.of_part(data, "train")[:16])
    network = baselines.get("linear_window")(task).network(Setting())
    prediction = network(batch)
    assert torch.equal(prediction, prediction[..., :1].expand_as(prediction))
    found = torch.autograd.grad(prediction[..., 1:].sum(), prediction, retain_graph=True)
    assert found[0][..., 0].abs().sum() == 0
    parameters = list(network.parameters())
    loss = task.loss(network(batch), batch)
    known = ~batch.target.isnan()
    errors = (network(batch)[..., 0] - batch.target.nan_to_num())[known]
    alone = F.huber_loss(errors, torch.zeros_like(errors), delta=0.5)
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(alone, parameters), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["auto_arima", "ets", "theta"])
def test_a_missing_extra_is_told_in_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = forecast_world()
    baseline = baselines.get(name)(Forecast(data.preparation))
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(InputError, match=r"pip install 'gatewright\[statistics\]'"):
        baseline.fit(data)  # type: ignore[attr-defined]


def test_baselines_with_an_extra_are_asked_for_by_name() -> None:
    for task in tasks.names():
        found = baselines.of_task(tasks.get(task))
        assert len(found) >= 2
        assert not any(baselines.get(name).extra for name in found)


def test_baselines_that_do_not_suit_the_data_run_if_asked_for() -> None:
    data = worlds.series(torch.randn(60, 1), season=1)

    def named(*more: str) -> list[str]:
        found = planning._baselines(Forecast, data.layout, more, (0,), (0, 1))
        return [candidate.name for candidate in found]

    assert not {"seasonal_naive", "harmonic"} & set(named())
    assert {"last_value", "seasonal_naive", "harmonic"} <= set(named("seasonal_naive", "harmonic"))
