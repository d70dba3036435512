"""What networks and linear models of windows share: levels taken out, inputs known ahead."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatewright.data.batching import Batch

KNOWN_SIZE = 16  # units between what is known of a step and the forecast of it
SMALLEST_SPREAD = 0.1  # of a window, in standard deviations of its series


class KnownInputs(nn.Module):
    """What is known of a step to come, and what it does to that step given what was seen.

    The same for all steps, so that its size does not follow the horizon.
    """

    def __init__(self, hidden_size: int, known: int, targets: int) -> None:
        super().__init__()
        self.seen = nn.Linear(hidden_size, KNOWN_SIZE, bias=False)
        self.known = nn.Linear(known, KNOWN_SIZE)
        self.out = nn.Linear(KNOWN_SIZE, targets, bias=False)

    def forward(self, held: Tensor, future: Tensor) -> Tensor:
        """held: (batch, hidden_size); future: (horizon, batch, known).

        Returns (horizon, batch, targets).
        """
        forecast: Tensor = self.out(torch.relu(self.known(future) + self.seen(held)))
        return forecast


def one_target_a_row(batch: Batch, targets: int) -> Batch:
    """The batch with each example as many times as there are targets, each with one of them.

    The targets' channels come first, and one of them remains first.
    """

    def repeated(steps: Tensor) -> Tensor:
        return steps.repeat_interleave(targets, 1)

    own = batch.values[..., :targets].flatten(1, 2)[..., None]
    return Batch(
        values=torch.cat([own, repeated(batch.values[..., targets:])], -1),
        codes=repeated(batch.codes),
        lengths=None if batch.lengths is None else batch.lengths.repeat_interleave(targets),
        target=batch.target,
        future=repeated(batch.future),
        future_codes=repeated(batch.future_codes),
        data=batch.data,
        examples=batch.examples,
    )


def relative_to_window(
    values: Tensor, lengths: Tensor | None, targets: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The values with the targets' channels less their mean, over their spread, in each window.

    values: (time, batch, channels). Returns them, and mean and spread, each (batch, targets).
    """
    seen = values[..., :targets]
    if lengths is None:
        level, variance = seen.mean(0), seen.var(0, correction=0)
    else:
        inside = (torch.arange(len(seen))[:, None] < lengths)[..., None]
        count = lengths[:, None]
        level = (seen * inside).sum(0) / count
        variance = ((seen - level).square() * inside).sum(0) / count
    scale = (variance + SMALLEST_SPREAD**2).sqrt()
    return torch.cat([(seen - level) / scale, values[..., targets:]], -1), level, scale
