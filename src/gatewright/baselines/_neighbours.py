"""The nearest of the sequences of training, straight or warped in time."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from gatewright.baselines._sequences import learned_from
from gatewright.baselines._spread import evenly
from gatewright.baselines._steps import Stretched
from gatewright.baselines._warping import straight, warped
from gatewright.baselines.baseline import Fitted
from gatewright.data.prepared import Prepared
from gatewright.tasks import Task

BANDS = (0.0, 0.05, 0.1, 0.2, 1.0)  # tried: steps off the diagonal, as a share of all
MOST_STEPS = 256  # of a sequence; of longer ones, each step is the mean of some
MOST_TRIED = 256  # sequences to choose by
MOST_KEPT = 2e7  # numbers: 80 MB
WORK = 4e10  # for all sequences there are; a unit is a channel of a cell, about half a nanosecond
STRAIGHT = 0.1  # units that a number compared without warping costs
BLOCK = 1 << 22  # distances at once
LEARNED = ("sequences", "told", "band", "count", "affordable")


class Neighbours(Fitted):
    """Validation and training, whose sequences are left out one at a time, choose how wide the band
    is in which a sequence may be warped (none: Euclidean distance), and how many are asked.

    A wide band is compared with fewer of the sequences, as far as the work is affordable.
    """

    counts: ClassVar[tuple[int, ...]]  # of neighbours tried

    sequences: (
        Tensor  # (kept, steps, channels), in an order whose every beginning has of each class
    )
    told: Tensor  # (kept, targets): what goes with them
    band: Tensor  # the share
    count: Tensor  # how many neighbours are asked
    affordable: Tensor  # units of work for one sequence

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = Stretched(task.preparation, 1, MOST_STEPS)

    @abstractmethod
    def kinds(self, target: Tensor) -> Tensor:
        """(examples,): of which whole numbers all are to be kept, if few are."""

    @abstractmethod
    def answers_of(self, targets: Tensor) -> Tensor:
        """Predictions from the targets of neighbours, (batch, neighbours, targets)."""

    def settle(self, answers: Tensor, target: Tensor) -> None:
        """Learn from what the choice made would have told the sequences it was chosen by."""

    def fit(self, data: Prepared) -> None:
        train, held_out = (
            self.task.examples.of_part(data, part) for part in ("train", "validation")
        )
        self.affordable = torch.tensor(WORK / (len(data.items) + len(BANDS) * MOST_TRIED))
        kept = self._learn(data, train)
        held_out = held_out[evenly(len(held_out), MOST_TRIED)]
        left_out = train[evenly(len(train), MOST_TRIED - len(held_out))]
        tried = torch.cat([held_out, left_out])
        batch = self.task.examples.batch(data, tried)
        strange = data.group[tried][:, None] != data.group[kept]  # not itself, nor of its group
        best = math.inf
        self.band, self.count = torch.tensor(0.0), torch.tensor(1)
        for band in self._bands():
            near = self._nearest(self.features.of(data, tried, self.task), band, strange)
            # With fewer others than that, a sequence would be among those it is told by.
            others = int(strange[:, : self._compared(band)].sum(1).min()) if len(tried) else 0
            for count in [one for one in self.counts if one <= max(1, others)]:
                answers = self.answers_of(self.told[near[:, :count]])
                loss = self.task.losses(answers, batch).nanmean().item()
                if loss < best:
                    best, chosen = loss, answers
                    self.band, self.count = torch.tensor(band), torch.tensor(count)
        if best < math.inf:
            self.settle(chosen, batch.target)

    def refit(self, data: Prepared) -> None:
        self._learn(data, learned_from(self.task, data))

    def _learn(self, data: Prepared, examples: Tensor) -> Tensor:
        """Keep the sequences; returns which were kept."""
        self.features.fit(data, examples, self.task)
        numbers = int(self.features.steps) * self.features.numbers
        most = min(MOST_KEPT, self.affordable.item() / STRAIGHT) / numbers
        order = shuffled(self.kinds(data.target[examples]))
        kept = examples[order[: max(1, int(most))]]
        self.sequences = self.features.of(data, kept, self.task)
        self.told = data.target[kept]
        return kept

    def _bands(self) -> list[float]:
        """Those that differ, and whose work is affordable."""
        steps = int(self.features.steps)
        radii = {round(band * steps): band for band in reversed(BANDS)}
        least = len(self.kinds(self.told).unique())
        return sorted(band for band in radii.values() if band == 0 or self._affords(band) >= least)

    def _compared(self, band: float) -> int:
        """The number of kept sequences that one is compared with."""
        warping = round(band * int(self.features.steps)) > 0
        return min(len(self.sequences), self._affords(band)) if warping else len(self.sequences)

    def _affords(self, band: float) -> int:
        """The number of sequences that one may be compared with, warped."""
        steps, radius = int(self.features.steps), round(band * int(self.features.steps))
        cells = steps * min(steps, 2 * radius + 1)
        return int(self.affordable.item() / (cells * (self.features.numbers + 1)))

    def _nearest(self, asked: Tensor, band: float, allowed: Tensor | None = None) -> Tensor:
        """(asked, neighbours): the numbers of the kept ones, the nearest first.

        allowed: (asked, kept), False for those that may not be asked.
        """
        radius = round(band * int(self.features.steps))
        kept = self.sequences[: self._compared(band)]
        pieces = []
        for some in torch.arange(len(asked)).split(max(1, BLOCK // len(kept))):
            away = warped(asked[some], kept, radius) if radius else straight(asked[some], kept)
            if allowed is not None:
                away = away.where(allowed[some, : len(kept)], math.inf)
            pieces.append(away.topk(min(max(self.counts), len(kept)), largest=False).indices)
        return torch.cat(pieces)

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        asked = self.features.of(data, examples, self.task)
        near = self._nearest(asked, self.band.item())
        return self.answers_of(self.told[near[:, : int(self.count)]])

    def state(self) -> dict[str, Tensor]:
        return {**self.features.state(), **{name: getattr(self, name) for name in LEARNED}}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.features.restore(state)
        for name in LEARNED:
            setattr(self, name, state[name])

    def parameters(self) -> int:
        return self.sequences.numel() + self.told.numel()


def shuffled(kinds: Tensor) -> Tensor:
    """An order, always the same, whose every beginning has as large a share of one kind as of the
    others, and first one of each."""
    order = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(0))
    place = torch.empty(len(kinds), dtype=torch.float64)
    for kind in kinds.unique():
        members = order[kinds[order] == kind]
        place[members] = torch.arange(len(members), dtype=torch.float64) / len(members)
    return place.argsort(stable=True)
