"""MiniRocket against what is known of it and against slow computations of the same."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import worlds
from gatewright.baselines import _kernels, _mini_rocket
from gatewright.baselines._kernels import KERNELS, Kernels, dilations_of
from gatewright.baselines._rotated import Rotated
from worlds import baseline_of


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """These problems are too small for more."""
    torch_threads(1)


def weights_of(kernel: int) -> np.ndarray:
    weights = np.full(9, -1.0)
    weights[list(KERNELS[kernel])] = 2.0
    return weights


def test_there_are_84_kernels_whose_weights_have_the_sum_zero() -> None:
    assert len(set(KERNELS)) == 84
    for kernel in range(84):
        weights = weights_of(kernel)
        assert sorted(set(weights)) == [-1, 2]
        assert weights.sum() == 0


def test_dilations_are_those_of_the_authors_code() -> None:
    """For 150 steps and 10,000 features, as the authors' and sktime's code give them."""
    dilations, each = dilations_of(150, 119, again=False)
    assert dilations.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18]
    assert each.tolist() == [30, 15, 12, 12, 4, 8, 8, 4, 4, 4, 3, 3, 3, 3, 3, 3]
    for steps in (9, 10, 17, 26, 512):
        for again in (False, True):
            dilations, each = dilations_of(steps, 119, again=again)
            assert each.sum() == 119
            assert dilations[0] == 1
            assert dilations[-1] == (steps - 1) // 8


def convolution(
    sequence: Tensor, channels: Tensor, dilation: int, kernel: int, ends: bool
) -> np.ndarray:
    """Step by step; ``ends``: with the steps that see beyond them."""
    seen = sequence[:, channels].sum(1).double().numpy()
    steps, reach = len(seen), 4 * dilation
    chosen = range(steps) if ends or steps <= 2 * reach else range(reach, steps - reach)
    found = []
    for step in chosen:
        places = [step + (tap - 4) * dilation for tap in range(9)]
        inside = [seen[place] if 0 <= place < steps else 0.0 for place in places]
        found.append(weights_of(kernel) @ inside)
    return np.array(found)


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_shares_of_steps_above_a_bias(channels: int) -> None:
    lengths = torch.tensor([30, 4, 17, 25])
    inside = torch.arange(30)[:, None] < lengths[:, None, None]
    sequences = torch.randn(4, 30, channels).where(inside, 0.0)
    kernels = Kernels.fit(sequences, lengths, 3 * 84)
    assert len(kernels.biases) == 3 * 84
    found = kernels(sequences, lengths)
    patterns = torch.arange(len(kernels.channels)).repeat_interleave(
        kernels.each.repeat_interleave(84)
    )
    for feature in range(0, 3 * 84, 5):
        place, kernel = divmod(int(patterns[feature]), 84)
        for number in range(4):
            told = convolution(
                sequences[number, : lengths[number]],
                kernels.channels[patterns[feature]],
                int(kernels.dilations[place]),
                kernel,
                ends=(place + kernel) % 2 == 0,
            )
            # A bias that is one of the values may fall on either side of it.
            bias = kernels.biases[feature].item()
            least, most = (told > bias + 1e-5).mean(), (told > bias - 1e-5).mean()
            assert least - 1e-6 <= found[number, feature].item() <= most + 1e-6


def test_biases_are_quantiles_of_the_convolution_of_a_sequence() -> None:
    """Of one sequence, all biases are its own: the golden ratio says which quantiles."""
    sequence = torch.randn(1, 40, 1)
    kernels = Kernels.fit(sequence, torch.tensor([40]), 84)
    assert kernels.dilations.tolist() == [1]
    padded = np.pad(sequence[0, :, 0].double().numpy(), 4)
    for kernel in range(84):
        convolution = np.correlate(padded, weights_of(kernel), "valid")
        quantile = (kernel + 1) * (math.sqrt(5) + 1) / 2 % 1
        told = np.quantile(convolution, quantile)
        assert kernels.biases[kernel].item() == pytest.approx(told, abs=1e-5)


def test_padding_and_company_change_no_bit() -> None:
    lengths = torch.randint(1, 30, (20,))
    inside = torch.arange(40)[:, None] < lengths[:, None, None]
    sequences = torch.randn(20, 40, 2).where(inside, 0.0)
    kernels = Kernels.fit(sequences, lengths, 2 * 84)
    together = kernels(sequences, lengths)
    for number in range(20):
        short = sequences[number, None, : max(9, int(lengths[number]))]
        assert torch.equal(kernels(short, lengths[[number]])[0], together[number])


def test_patterns_look_at_one_to_nine_channels() -> None:
    draw = torch.Generator().manual_seed(1)
    for channels in (1, 2, 12, 1000):
        sizes = _kernels.subsets(500, channels, draw).sum(1)
        assert sizes.min() == 1
        assert sizes.max() == min(9, channels)


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
@pytest.mark.parametrize("missing", [False, True])
def test_one_eigendecomposition_gives_ridge_for_every_penalty(
    shape: tuple[int, int], missing: bool
) -> None:
    from sklearn.linear_model import Ridge

    rows = torch.randn(shape).double()
    rows = rows - rows.mean(0)
    target = torch.randn(len(rows), 2).double()
    if missing:
        target[:3, 1] = math.nan
    rotated = Rotated.of(rows)
    for penalty in (10.0, 100.0) if missing else (0.1, 3.0, 100.0):
        solution = rotated.solve(target, penalty)
        found = rotated.axes.double() @ solution.weights
        for output in range(2):
            known = ~target[:, output].isnan()
            peer = Ridge(alpha=penalty).fit(rows[known].numpy(), target[known, output].numpy())
            np.testing.assert_allclose(found[:, output], peer.coef_, atol=1e-2 if missing else 1e-3)
        if missing:
            continue
        left_out = solution.left_out(target)
        for row in range(0, len(rows), 5):
            others = torch.arange(len(rows)) != row
            peer = Ridge(alpha=penalty).fit(rows[others].numpy(), target[others].numpy())
            told = peer.predict(rows[[row]].numpy())[0]
            np.testing.assert_allclose(left_out[row], told, atol=1e-3)


def waves(count: int, task: str = "classify") -> worlds.Prepared:
    """Two periods, at any phase, under noise; of many lengths."""
    label = torch.arange(count) % 2
    values = []
    for one in label.tolist():
        steps = torch.arange(int(torch.randint(20, 60, (1,))))
        wave = (steps * (0.5 + 0.4 * one) + 6 * torch.rand(1)).sin()
        values.append((wave + 0.4 * torch.randn(len(steps)))[:, None])
    target = label[:, None].float()
    if task == "classify":
        return worlds.sequences(task, values, target, classes=2)
    return worlds.sequences(task, values, 2 * target - 1)


def test_classes_that_differ_in_their_patterns() -> None:
    data = waves(90)
    baseline = baseline_of("mini_rocket", "classify", data)
    baseline.fit(data)
    test = baseline.task.examples.of_part(data, "test")
    told = baseline.predict(data, test)
    assert torch.equal(told.argmax(1), data.target[test, 0].long())
    torch.testing.assert_close(told.exp().sum(1), torch.ones(len(test)))
    assert told.exp().max() < 1


def test_numbers_that_differ_in_their_patterns() -> None:
    data = waves(90, "regress")
    baseline = baseline_of("mini_rocket_numbers", "regress", data)
    baseline.fit(data)
    test = baseline.task.examples.of_part(data, "test")
    assert (baseline.predict(data, test) - data.target[test]).square().mean() < 0.4


def test_very_many_sequences_have_fewer_features_and_some_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_mini_rocket, "FEATURES", 4 * 84)
    monkeypatch.setattr(_mini_rocket, "FEWER", 84)
    data = waves(180)
    baseline = baseline_of("mini_rocket", "classify", data)
    baseline.fit(data)
    assert len(baseline.kernels.biases) == 84
    baseline.refit(data)
    assert len(baseline.kernels.biases) == 84
    monkeypatch.setattr(_mini_rocket, "WORK", 84 * 60 * 10)
    kept, _ = baseline._learn(data, baseline.task.examples.of_part(data, "train"))
    assert 10 <= len(kept) < 15
    assert set(data.target[kept, 0].tolist()) == {0, 1}


def test_very_long_sequences_are_taken_in_means() -> None:
    values = [torch.randn(length, 1) for length in (2000, 700, 1300, 5, 1, 1025)]
    data = worlds.sequences("regress", values, torch.randn(6, 1))
    baseline = baseline_of("mini_rocket_numbers", "regress", data)
    baseline.fit(data)
    assert baseline.features.every == 4
    found, lengths = baseline.features.of(data, torch.arange(6), baseline.task)
    assert lengths.tolist() == [500, 175, 325, 2, 1, 257]
    torch.testing.assert_close(found[0, :, 0], values[0].view(500, 4).mean(1))
    assert (found[1, 175:] == 0).all()


@pytest.mark.parametrize("level", [0.0, 1e-20, 1e10])
def test_sequences_that_do_not_move(level: float) -> None:
    data = worlds.sequences(
        "classify", [torch.full((5, 1), level)] * 12, torch.arange(12.0)[:, None] % 2, classes=2
    )
    baseline = baseline_of("mini_rocket", "classify", data)
    baseline.fit(data)
    assert baseline.predict(data, torch.arange(12)).isfinite().all()
