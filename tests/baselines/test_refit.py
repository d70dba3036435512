"""What was chosen is fitted again, on training and validation together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

import worlds
from gatewright import baselines, tasks
from gatewright.baselines import Fitted, _mini_rocket
from gatewright.data.prepared import Prepared
from worlds import baseline_of

AGAIN = [
    (name, task)
    for task in ("classify", "regress")
    for name in baselines.of_task(tasks.get(task))
    if baselines.get(name).refit is not Fitted.refit  # type: ignore[attr-defined]
]
each = pytest.mark.parametrize(("name", "task"), AGAIN)


@pytest.fixture(autouse=True)
def small(torch_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """These problems are too small for more threads, or for thousands of features."""
    torch_threads(1)
    monkeypatch.setattr(_mini_rocket, "FEATURES", 4 * 84)


def world(task: str) -> Prepared:
    """The level of a sequence tells its class or number, up to noise."""
    label = torch.arange(90) % 3
    steps = torch.randint(6, 14, (90,)).tolist()
    values = [one + torch.randn(n, 2) for one, n in zip(label.tolist(), steps, strict=True)]
    if task == "classify":
        return worlds.sequences(task, values, label[:, None].float(), classes=3)
    return worlds.sequences(task, values, label[:, None] - 1 + 0.1 * torch.randn(90, 1))


def changed(data: Prepared, part: str) -> Prepared:
    """With other values in the sequences of a part, and another class or number."""
    values, target = data.values.clone(), data.target.clone()
    inside = data.part == ("train", "validation", "test").index(part)
    for start, _, _, end in data.bounds[inside]:
        values[start:end] += torch.randn(end - start, values.shape[1])
    target[inside] = (target[inside] + 1) % 3
    return dataclasses.replace(data, values=values, target=target)


def test_all_that_choose_something_are_fitted_again() -> None:
    found = {name for name, _ in AGAIN}
    assert {"nearest", "nearest_mean", "mini_rocket", "mini_rocket_numbers"} <= found
    assert {"logistic_flat", "logistic_summary", "ridge_flat", "ridge_summary"} <= found


@each
def test_it_learns_from_validation_too_and_not_from_test(name: str, task: str) -> None:
    data = world(task)
    baseline = baseline_of(name, task, data)
    baseline.fit(data)
    chosen = {key: value for key, value in vars(baseline).items() if key in ("strength", "penalty")}
    baseline.refit(data)
    for part, same in (("validation", False), ("test", True)):
        other = baseline_of(name, task, data)
        other.fit(data)
        other.refit(changed(data, part))
        pairs = zip(baseline.state().values(), other.state().values(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs) is same
    assert chosen == {key: getattr(baseline, key) for key in chosen}, "nothing is chosen again"


@each
def test_a_fit_again_can_be_kept(name: str, task: str) -> None:
    data = world(task)
    baseline = baseline_of(name, task, data)
    baseline.fit(data)
    baseline.refit(data)
    other = baseline_of(name, task, data)
    other.restore({key: value.clone() for key, value in baseline.state().items()})
    examples = torch.arange(90)
    assert torch.equal(other.predict(data, examples), baseline.predict(data, examples))


@pytest.mark.parametrize("name", [name for name, task in AGAIN if task == "classify"])
def test_a_class_that_only_validation_has_is_known_then(name: str) -> None:
    data = world("classify")
    train, held_out = data.part == 0, (data.part == 1).nonzero().flatten()
    label = data.target.clone()
    label[train] = label[train].clamp(max=1.0)
    label[held_out] = 2.0
    values = data.values.clone()
    for start, _, _, end in data.bounds[held_out]:
        values[start:end] = 30.0 + torch.randn(end - start, 2)
    data = dataclasses.replace(data, target=label, values=values)
    baseline = baseline_of(name, "classify", data)
    baseline.fit(data)
    before = baseline.predict(data, held_out).softmax(1)[:, 2]
    baseline.refit(data)
    after = baseline.predict(data, held_out).softmax(1)[:, 2]
    assert (after > 0.15).all()
    assert (after > before).all()


@pytest.mark.parametrize("name", ["ridge_flat", "ridge_summary"])
def test_ridge_is_that_of_both_parts_with_its_penalty(name: str) -> None:
    from sklearn.linear_model import Ridge

    data = world("regress")
    baseline = baseline_of(name, "regress", data)
    baseline.fit(data)
    penalty = baseline.line.alpha / (data.part == 0).sum().item()
    baseline.refit(data)
    both = (data.part < 2).nonzero().flatten()
    rows = baseline.rows(data, both)
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-9)
    peer = Ridge(alpha=penalty * len(both)).fit(rows.numpy(), data.target[both].double().numpy())
    np.testing.assert_allclose(baseline.line.weights[:, 0], peer.coef_.squeeze(), atol=1e-6)


@pytest.mark.parametrize("name", ["logistic_flat", "logistic_summary"])
def test_logistic_is_that_of_both_parts_with_its_penalty(name: str) -> None:
    from sklearn.linear_model import LogisticRegression

    data = world("classify")
    baseline = baseline_of(name, "classify", data)
    baseline.fit(data)
    baseline.refit(data)
    both = (data.part < 2).nonzero().flatten()
    rows = baseline.rows(data, both).numpy()
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-9)
    peer = LogisticRegression(C=baseline.strength, max_iter=10_000)
    told = peer.fit(rows, data.target[both, 0].numpy()).predict_log_proba(rows)
    np.testing.assert_allclose(baseline.predict(data, both), told, atol=1e-3)
