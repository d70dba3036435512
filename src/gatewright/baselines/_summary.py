"""A sequence of any length in a few numbers for each channel."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from gatewright.baselines._sequences import MOST_FEATURES, Features, lengths_of
from gatewright.baselines._spread import evenly
from gatewright.data.batching import Batch

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
LAGS = (1, 2, 4, 8)  # steps
BANDS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1.0)  # edges, in cycles a step; there are none above 1/2


class Summary(Features):
    """Of each channel: mean, standard deviation, slope by least squares, first and last value,
    least and greatest, quantiles, slopes of both halves, autocorrelations, and how its spectral
    energy is spread over bands; the length; how frequent each category is.

    Of very many channels only the first of these are taken. Each number is the same to the last
    bit however far the sequence was padded: sums run step by step from the first.
    """

    most_categories = MOST_FEATURES

    def rows(self, batch: Batch) -> Tensor:
        lengths = lengths_of(batch)
        values = batch.values.double()[..., evenly(self.channels, MOST_FEATURES)]
        inside = (torch.arange(len(values))[:, None] < lengths)[..., None]
        values = values.where(inside, 0.0)
        shares = self.frequencies(batch)[:, self.kept].double()
        return torch.cat([*_of_channels(values, inside, lengths), lengths[:, None], shares], 1)


def _of_channels(values: Tensor, inside: Tensor, lengths: Tensor) -> list[Tensor]:
    """Numbers of each channel, each (batch, channels), the most telling first, as many of them as
    are affordable.

    values: (time, batch, channels), 0 beyond a length; inside: (time, batch, 1).
    """
    if not values.shape[2]:
        return []
    count = lengths.clamp(min=1)[:, None]
    batch = torch.arange(len(lengths))
    mean = total(values) / count
    centred = (values - mean).where(inside, 0.0)
    energy = total(centred.square())
    deviation = (energy / count).sqrt()
    found = [mean, deviation, slope(centred, lengths, lengths * 0)]
    found += [values[0], values[lengths.clamp(min=1) - 1, batch]]
    found += [
        values.where(inside, torch.inf).amin(0).nan_to_num(posinf=0.0),
        values.where(inside, -torch.inf).amax(0).nan_to_num(neginf=0.0),
    ]
    most = max(1, MOST_FEATURES // max(1, values.shape[2]))
    if most > len(found):
        half = lengths // 2
        found += quantiles(values.where(inside, torch.inf), count)
        found += [slope(centred, half, half * 0), slope(centred, lengths, half)]
        # Of a channel that does not move there is nothing to share out.
        energy = energy.where(deviation > 1e-6 * (1 + mean.abs()), torch.inf)
        found += [total(centred[lag:] * centred[:-lag]) / energy for lag in LAGS]
        found += [part / energy for part in bands(centred, lengths)]
    return found[:most]


def total(values: Tensor) -> Tensor:
    """The sum over time, added up step by step: zeros behind change nothing."""
    return values.cumsum(0)[-1] if len(values) else values.sum(0)


def slope(values: Tensor, end: Tensor, start: Tensor) -> Tensor:
    """The slope by least squares from one step to before another, (batch, channels), in units a
    stretch; start and end: (batch,)."""
    step = torch.arange(len(values), dtype=torch.float64)[:, None]
    chosen = ((step >= start) & (step < end))[..., None]
    count = (end - start).clamp(min=1)
    place = ((step - start - (count - 1) / 2) / count)[..., None].where(chosen, 0.0)
    return total(place * values) / total(place.square()).clamp(min=1e-12)


def quantiles(values: Tensor, count: Tensor) -> list[Tensor]:
    """Each (batch, channels), between neighbours in a straight line; count: (batch, 1) steps, with
    infinity behind them."""
    ordered = values.sort(0).values
    found = []
    for quantile in QUANTILES:
        place = (quantile * (count - 1).double()).expand(-1, values.shape[2])
        below = place.floor().long()
        above = torch.minimum(below + 1, count - 1)
        low, high = ordered.gather(0, torch.stack([below, above]))
        found.append((low + (high - low) * (place - below)).nan_to_num(posinf=0.0))
    return found


def bands(centred: Tensor, lengths: Tensor) -> list[Tensor]:
    """The energy in each band of frequencies, (batch, channels): together the sum of squares.

    Sequences of one length are taken together, as each has frequencies of its own.
    """
    found = centred.new_zeros(len(BANDS) - 1, *centred.shape[1:])
    for length in lengths[lengths > 0].unique().tolist():
        chosen = (lengths == length).nonzero().flatten()
        energy = torch.fft.rfft(centred[:length, chosen], dim=0).abs().square() / length
        energy[1 : (length + 1) // 2] *= 2  # those of the other half are the same
        frequency = torch.arange(len(energy)) / length
        for number, (low, high) in enumerate(pairwise(BANDS)):
            found[number, chosen] = total(energy[(frequency >= low) & (frequency < high)])
    return list(found)
