"""Summaries of sequences, each number recomputed by other means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import worlds
from gatewright.baselines import _summary
from gatewright.data.batching import Batch

NAMES = ["mean", "deviation", "slope", "first", "last", "least", "greatest"]


def rows(values: Tensor, lengths: Tensor) -> Tensor:
    """(numbers of a channel, batch, channels); values: (time, batch, channels)."""
    data = worlds.sequences("regress", [torch.zeros(2, values.shape[2])] * 6, torch.zeros(6, 1))
    nothing = torch.zeros(len(values), len(lengths), 0)
    summary = _summary.Summary(data.preparation)
    none = torch.zeros(0)
    batch = Batch(values, nothing.long(), lengths, none, nothing, nothing.long(), data, none.long())
    found = summary.rows(batch)
    assert torch.equal(found[:, -1], lengths.double())
    return found[:, :-1].unflatten(1, (-1, values.shape[2])).transpose(0, 1)


def expected(series: np.ndarray) -> list[float]:
    """Of one channel of one sequence, by numpy."""
    steps = len(series)
    centred = series - series.mean()
    energy = (centred**2).sum()

    def slope(part: np.ndarray) -> float:
        return np.polyfit(np.arange(len(part)), part, 1)[0] * len(part) if len(part) > 1 else 0.0

    numbers = [series.mean(), series.std(), slope(series), series[0], series[-1]]
    numbers += [series.min(), series.max(), *np.quantile(series, [0.1, 0.25, 0.5, 0.75, 0.9])]
    numbers += [slope(series[: steps // 2]), slope(series[steps // 2 :])]
    for lag in (1, 2, 4, 8):
        numbers.append((centred[lag:] * centred[: max(0, steps - lag)]).sum() / energy)
    spectrum = np.abs(np.fft.fft(centred)) ** 2
    frequency = np.abs(np.fft.fftfreq(steps))
    for low, high in ((0, 1 / 16), (1 / 16, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1)):
        numbers.append(spectrum[(frequency >= low) & (frequency < high)].sum() / spectrum.sum())
    return numbers


def test_every_number_is_what_numpy_says() -> None:
    lengths = torch.tensor([2, 3, 9, 16, 41, 64])
    values = torch.randn(64, 6, 2).double().cumsum(0)
    found = rows(values, lengths)
    for place, length in enumerate(lengths.tolist()):
        for channel in range(2):
            told = expected(values[:length, place, channel].numpy())
            np.testing.assert_allclose(found[:, place, channel], told, rtol=1e-9, atol=1e-9)


def test_padding_and_company_change_no_bit() -> None:
    for _ in range(20):
        lengths = torch.randint(1, 50, (7,))
        values = torch.randn(80, 7, 3)
        spoilt = values.clone()
        spoilt[torch.arange(80)[:, None] >= lengths] = 1e9
        together = rows(values, lengths)
        assert torch.equal(rows(spoilt, lengths), together)
        for place, length in enumerate(lengths.tolist()):
            alone = rows(values[:length, [place]], lengths[[place]])
            assert torch.equal(alone[:, 0], together[:, place])


@pytest.mark.parametrize("level", [0.0, 1e-30, 3.0, 1e15])
def test_a_channel_that_does_not_move(level: float) -> None:
    found = rows(torch.full((20, 3, 1), level), torch.tensor([1, 2, 20]))[..., 0]
    assert found.isfinite().all()
    for name, numbers in zip(NAMES, found, strict=False):
        still = name in {"deviation", "slope"}
        torch.testing.assert_close(numbers, torch.full_like(numbers, 0.0 if still else level))
    assert (found[14:] == 0).all(), "no correlation and no energy"


def test_very_many_channels_have_fewer_numbers_each() -> None:
    most = _summary.MOST_FEATURES
    lengths = torch.tensor([4, 5])
    for channels, each in ((1, 22), (186, 22), (1000, 4), (most, 1)):
        assert len(rows(torch.randn(5, 2, channels), lengths)) == each
    data = worlds.sequences("regress", [torch.zeros(2, most + 9)] * 6, torch.zeros(6, 1))
    nothing = torch.zeros(2, 6, 0)
    batch = Batch(
        torch.randn(2, 6, most + 9),
        nothing.long(),
        None,
        nothing,
        nothing,
        nothing,
        data,
        torch.arange(6),
    )
    assert _summary.Summary(data.preparation).rows(batch).shape == (6, most + 1)
