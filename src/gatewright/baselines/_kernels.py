"""MiniRocket: what share of a sequence looks like each of many small patterns.

Dempster, Schmidt and Webb 2021, MiniRocket: A Very Fast (Almost) Deterministic Transform for Time
Series Classification. A pattern is a kernel of nine weights, six of -1 and three of 2, at some
dilation, over one or several channels. Its feature is the share of steps at which the convolution
exceeds a bias, which is a quantile of the convolution of a sequence of training.

The paper has sequences of one channel and one length. Here each is looked at as far as it goes, and
patterns of several channels look at a few of them, drawn for each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = 9
KERNELS = tuple(combinations(range(TAPS), 3))  # the places of the three weights of 2
MOST_DILATIONS = 32
MOST_CHANNELS = 9  # that one kernel looks at
GOLDEN = (math.sqrt(5) + 1) / 2
BLOCK = 1 << 16  # numbers of a block of sequences, so that its convolutions stay in the cache


@dataclasses.dataclass(frozen=True)
class Kernels:
    """All patterns, one after the other by dilation and within it by kernel."""

    dilations: Tensor  # (dilations,)
    each: Tensor  # (dilations,): how many biases a kernel has
    channels: Tensor  # (dilations * 84, channels), True for those that are looked at
    biases: Tensor  # (features,)

    @classmethod
    def fit(cls, sequences: Tensor, lengths: Tensor, features: int) -> Kernels:
        """Draw channels, and the sequences that give biases; the same ones every time.

        sequences: (n, steps, channels) of training, 0 beyond their lengths, (n,); at least nine
        steps. features: about how many.
        """
        draw = torch.Generator().manual_seed(0)
        count, steps, channels = sequences.shape
        dilations, each = dilations_of(steps, features // len(KERNELS), again=channels > 1)
        patterns = len(dilations) * len(KERNELS)
        drawn = torch.randint(count, (patterns,), generator=draw)
        kernels = cls(dilations, each, subsets(patterns, channels, draw), torch.zeros(0))
        quantile = torch.arange(1, int(each.sum()) * len(KERNELS) + 1).double() * GOLDEN % 1
        quantiles = quantile.float().split(each.repeat_interleave(len(KERNELS)).tolist())
        biases = []
        for number, (one, some) in enumerate(zip(drawn.tolist(), quantiles, strict=True)):
            sequence = sequences[one, None, : int(lengths[one])].permute(2, 0, 1)
            shifted = kernels.shifted(sequence, number)
            found = convolution(shifted, sum_of(shifted), number % len(KERNELS))
            biases.append(torch.quantile(found[0], some))
        return dataclasses.replace(kernels, biases=torch.cat(biases))

    def __call__(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """(n, features), each from 0 to 1, of sequences and lengths as ``fit`` takes them."""
        size = max(1, BLOCK // sequences.shape[1])
        shares = torch.empty(len(sequences), len(self.biases))
        for some in torch.arange(len(sequences)).split(size):
            block = sequences[some].permute(2, 0, 1).contiguous()
            shares[some] = torch.cat(list(self._shares(block, lengths[some, None])), 1)
        return shares

    def _shares(self, sequences: Tensor, lengths: Tensor) -> Iterator[Tensor]:
        """Of each pattern (n, biases); sequences: (channels, n, steps), lengths: (n, 1)."""
        biases = self.biases.split(self.each.repeat_interleave(len(KERNELS)).tolist())
        step = torch.arange(sequences.shape[2])
        beyond = step >= lengths
        for number, some in enumerate(biases):
            place, kernel = divmod(number, len(KERNELS))
            if not kernel or not self.channels[number].equal(self.channels[number - 1]):
                shifted = self.shifted(sequences, number)
                total = sum_of(shifted)
            if not kernel:
                # Steps that see beyond an end, of sequences that have others too.
                reach = (TAPS // 2 * int(self.dilations[place])) * torch.ones_like(lengths)
                reach = reach.where(lengths > 2 * reach, 0)
                near = (step < reach) | (step >= lengths - reach)
                left = lengths - 2 * reach
            found = convolution(shifted, total, kernel)
            alone = (place + kernel) % 2  # every other one is without those steps
            found.masked_fill_(near if alone else beyond, -math.inf)
            above = [(found > bias).sum(1) for bias in some]
            yield torch.stack(above, 1) / (left if alone else lengths)

    def shifted(self, sequences: Tensor, number: int) -> list[Tensor]:
        """What each tap of a pattern sees at each step, with zeros beyond the ends, each (n,
        steps); sequences: (channels, n, steps)."""
        dilation, steps = int(self.dilations[number // len(KERNELS)]), sequences.shape[2]
        reach = TAPS // 2 * dilation
        seen = sum_of(
            [sequences[one] for one in self.channels[number].nonzero().flatten().tolist()]
        )
        padded = F.pad(seen, (reach, reach))
        return [padded[:, tap * dilation : tap * dilation + steps] for tap in range(TAPS)]


def convolution(shifted: list[Tensor], total: Tensor, kernel: int) -> Tensor:
    """With weights of -1, and of 2 at three taps; total: the sum of all taps."""
    return sum_of([shifted[tap] for tap in KERNELS[kernel]]).mul_(3).sub_(total)


def sum_of(tensors: list[Tensor]) -> Tensor:
    """Of some, in their order."""
    total = tensors[0].clone()
    for one in tensors[1:]:
        total += one
    return total


def dilations_of(steps: int, biases: int, *, again: bool) -> tuple[Tensor, Tensor]:
    """The dilations, spread evenly by their logarithms up to where a kernel is as long as a
    sequence, and how many of a kernel's biases each of them has.

    again: whether those that are equal when rounded stay apart, to look at other channels.
    """
    most = min(biases, MOST_DILATIONS)
    exponents = torch.linspace(0, math.log2((steps - 1) / (TAPS - 1)), most, dtype=torch.float64)
    dilations, times = (2**exponents + 1e-9).long(), torch.ones(most, dtype=torch.int64)
    if not again:
        dilations, times = dilations.unique(return_counts=True)
    each = times * biases // most
    rest = biases - int(each.sum())
    each += rest // len(each) + (torch.arange(len(each)) < rest % len(each))
    return dilations, each


def subsets(patterns: int, channels: int, draw: torch.Generator) -> Tensor:
    """(patterns, channels): from one to nine channels each, few of them more often than many."""
    most = min(channels, MOST_CHANNELS)
    exponents = torch.rand(patterns, generator=draw, dtype=torch.float64) * math.log2(most + 1)
    size = (2**exponents).long().clamp(max=most)
    rank = torch.rand(patterns, channels, generator=draw).argsort(1).argsort(1)
    return rank < size[:, None]
