"""Ridge on windows: equal to scikit-learn's, whatever way it takes to its sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import worlds
from gatewright.baselines import _ridge, _windows, ridge_lags
from gatewright.baselines._windows import before_test
from gatewright.data.prepared import Prepared
from gatewright.tasks.forecast import Forecast
from worlds import baseline_of, predictor


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """These problems are too small for more."""
    torch_threads(1)


def walks(**more: Any) -> Prepared:
    return worlds.series(
        torch.randn(300, 2).cumsum(0) / 5,
        known=torch.randn(300, 1),
        codes=torch.randint(0, 4, (300, 1)),
        **more,
    )


def set_to(baseline: Any, data: Prepared, joint: bool, whole: bool, relative: float) -> None:
    """As if validation had chosen these."""
    baseline.window = _windows.WindowRows(data.preparation, joint=joint, whole=whole, cycles=[])
    baseline.relative, baseline.penalty = relative, 0.03


def by_scikit_learn(baseline: Any, data: Prepared, examples: Tensor) -> Tensor:
    """(batch, horizon, targets), from the rows of training; windows less their last value are
    taken as they are defined, not by way of sums."""
    from sklearn.linear_model import Ridge

    window, relative = baseline.window, bool(baseline.relative)
    targets = window.targets

    def rows_of(some: Tensor) -> tuple[np.ndarray[Any, Any], Tensor]:
        batch = baseline.task.examples.batch(data, some)
        rows = window(batch).clone()
        last = batch.values[-1, :, :targets].double()
        lags = len(window.lags)
        if relative:
            rows[:, :, :lags] -= last.T[:, :, None]
            if window.joint:
                steps = lags if window.whole else len(window.widths)
                others = rows[:, :, lags : lags + steps * len(window.others)]
                others.unflatten(2, (steps, -1))[..., :targets] -= last[:, None]
        return window.by_line(rows).numpy(), last if relative else torch.zeros_like(last)

    train = baseline.task.examples.of_part(data, "train")
    rows, last = rows_of(train)
    target = baseline.task.examples.batch(data, train).target.double() - last[:, None]
    told = window.by_line(target.permute(2, 0, 1)).numpy()
    seen, last = rows_of(examples)
    found = []
    for one, other, ahead in zip(rows, told, seen, strict=True):
        peer = Ridge(alpha=baseline.penalty * len(one)).fit(one, other)
        found.append(torch.from_numpy(peer.predict(ahead)))
    by_target = torch.cat(found).view(targets, len(examples), -1)
    return by_target.permute(1, 2, 0) + last[:, None]


@pytest.mark.parametrize(
    ("joint", "whole", "relative"), list(product((False, True), (False, True), (False, True)))
)
def test_every_way_of_seeing_equals_scikit_learn(joint: bool, whole: bool, relative: bool) -> None:
    data = walks()
    baseline = baseline_of("ridge_lags", "forecast", data)
    set_to(baseline, data, joint, whole, relative)
    test = baseline.task.examples.of_part(data, "test")
    for part in (data, before_test(data)):
        if part is data:
            baseline._learn(data)
        else:
            baseline.refit(data)
        expected = by_scikit_learn(baseline, part, test)
        found = baseline.predict(data, test)[..., 0].double()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_half_relative_is_the_mean_of_both_lines() -> None:
    data = walks()
    found = {}
    for relative in (0.0, 0.5, 1.0):
        baseline = baseline_of("ridge_lags", "forecast", data)
        set_to(baseline, data, True, True, relative)
        baseline._learn(data)
        found[relative] = baseline.predict(data, baseline.task.examples.of_part(data, "test"))
    torch.testing.assert_close(found[0.5], (found[0.0] + found[1.0]) / 2)
    assert not torch.equal(found[0.0], found[1.0])


def test_windows_that_miss_targets_are_learned_from_where_they_know_them() -> None:
    """The same as if each step ahead had a regression of its own."""
    from sklearn.linear_model import Ridge

    numbers = torch.randn(300, 1).cumsum(0) / 5
    numbers[torch.rand(300, 1) < 0.1] = math.nan
    data = worlds.series(numbers)
    baseline = baseline_of("ridge_lags", "forecast", data)
    set_to(baseline, data, False, False, 0.0)
    baseline._learn(data)
    train = baseline.task.examples.of_part(data, "train")
    batch = baseline.task.examples.batch(data, train)
    rows = baseline.window(batch)[0]
    for step in range(3):
        known = ~batch.target[:, step, 0].isnan()
        peer = Ridge(alpha=baseline.penalty * len(train))
        peer.fit(rows[known].numpy(), batch.target[known, step, 0].double().numpy())
        found = baseline.lines[0].weights[:, step]
        torch.testing.assert_close(found, torch.from_numpy(peer.coef_), rtol=0, atol=1e-5)


def test_refitting_adds_all_windows_that_end_before_test() -> None:
    data = walks()
    baseline = baseline_of("ridge_lags", "forecast", data)
    begin, train, validation, _ = data.bounds[0].tolist()
    origins = baseline.task.examples.of_part(before_test(data), "train").tolist()
    assert origins == list(range(begin + 8, validation - 3 + 1))
    assert train in origins
    baseline.fit(data)
    before = baseline.lines[0]
    chosen = baseline.window, baseline.relative, baseline.penalty
    baseline.refit(data)
    assert (baseline.window, baseline.relative, baseline.penalty) == chosen
    assert not torch.equal(before.weights, baseline.lines[0].weights)


def test_what_is_held_out_is_judged_exactly_from_sums() -> None:
    rows, targets = torch.randn(90, 4).double(), torch.randn(90, 3).double()
    learned = _ridge.Sums.of(rows[:50], targets[:50])
    held = _ridge.Sums.of(rows, targets) - learned
    line = learned.solve(2.0)
    assert line is not None
    expected = (line(rows[50:]) - targets[50:]).square().mean().item()
    assert held.loss(line) == pytest.approx(expected, rel=1e-10)
    assert learned.first(2).solve(2.0).weights.shape == (2, 3)  # type: ignore[union-attr]


def test_a_choice_sees_more_than_one_stretch_of_time() -> None:
    """Validation alone, a stretch at one level, would take windows as they are."""
    steps = torch.arange(900)
    level = torch.where(steps < 540, steps / 60, 9.0).where(steps < 720, 20.0)
    data = worlds.series((level + 0.1 * torch.randn(900))[:, None])
    baseline = baseline_of("ridge_lags", "forecast", data)
    examples = baseline.task.examples.of_part(data, "test")
    found = predictor(baseline, data)(data, examples)[..., 0]
    target = baseline.task.examples.batch(data, examples).target
    settled = examples > 740
    assert (found - target)[settled].square().mean() < 0.1


def test_relative_windows_do_not_mind_a_level_never_seen() -> None:
    data = walks()
    baseline = baseline_of("ridge_lags", "forecast", data)
    set_to(baseline, data, True, True, True)
    baseline._learn(data)
    test = baseline.task.examples.of_part(data, "test")
    values = data.values.clone()
    values[:, :2] += 100
    moved = Prepared(**{**vars(data), "values": values})
    expected = baseline.predict(data, test) + 100
    torch.testing.assert_close(baseline.predict(moved, test), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("rows", [13, 20, 60])
def test_short_and_constant_series(rows: int) -> None:
    for numbers in (torch.zeros(rows, 1), torch.full((rows, 1), 7.0), torch.randn(rows, 1)):
        data = worlds.series(numbers, context=4)
        baseline = baseline_of("ridge_lags", "forecast", data)
        found = predictor(baseline, data)(data, torch.tensor([rows - 3]))
        baseline.refit(data)
        again = baseline.predict(data, torch.tensor([rows - 3]))
        if not numbers.any() or numbers.std() == 0:
            torch.testing.assert_close(again[..., 0], numbers[None, -3:], rtol=1e-3, atol=1e-3)
        assert found.isfinite().all()
        assert again.abs().max() < 100


def test_more_windows_than_are_affordable_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge_lags, "MOST_WORK", 1e4)
    data = walks()
    baseline = baseline_of("ridge_lags", "forecast", data)
    baseline.fit(data)
    sums = baseline._sums(data, baseline.window, baseline.task.examples.of_part(data, "train"))
    assert sums.every[0].count < 160
    assert baseline.predict(data, torch.tensor([290])).isfinite().all()


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
        window = _windows.WindowRows(data.preparation, joint=False, whole=False, cycles=[])
        found = window(batch)
        assert found.shape == (1, 2, window.features)
        assert window.features <= most
        assert {0, context - 1} <= set(window.lags.tolist())
