"""What networks and linear models of windows share: where windows end, levels taken out."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.data.batching import Batch
from gatewright.data.layout import Layout

SMALLEST_SPREAD = 0.1  # of a window, in standard deviations of its series
LAST, SEASON, WINDOW = "last value", "last season", "mean and spread"
LEVELS = (LAST, SEASON, WINDOW)


def ending_at_origin(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Windows of the same length, (time, batch, channels); short ones repeat their first value."""
    if lengths is None:
        return values
    steps = torch.arange(len(values))[:, None] - (len(values) - lengths)
    return values.gather(0, steps.clamp(min=0)[..., None].expand(-1, -1, values.shape[2]))


def levels(layout: Layout) -> tuple[str, ...]:
    """What a forecast may be told relative to."""
    seasonal = 1 < layout.season <= layout.context
    return (LAST, SEASON, WINDOW) if seasonal else (LAST, WINDOW)


class Level:
    """What a window is seen and its forecast told relative to, so that a level never seen in
    training does no harm.

    That is the last value; or the last value for the window, and for the forecast the value one
    season before each of its steps; or for both the mean and the spread of the window (Kim and
    others 2022, without their learned scale).
    """

    def __init__(self, seen: Tensor, relative_to: str, layout: Layout) -> None:
        """seen: (time, batch, targets), ending at the origin."""
        self.center = self.base = seen[-1:]
        self.spread: Tensor | None = None
        if relative_to == SEASON:
            ahead = torch.arange(layout.horizon) % layout.season
            self.base = seen[len(seen) - layout.season + ahead]
        elif relative_to == WINDOW:
            self.center = self.base = seen.mean(0, keepdim=True)
            variance = seen.var(0, correction=0, keepdim=True)
            self.spread = (variance + SMALLEST_SPREAD**2).sqrt()

    def take(self, seen: Tensor) -> Tensor:
        """The window, (time, batch, targets), relative to its level."""
        away = seen - self.center
        return away if self.spread is None else away / self.spread

    def give_back(self, told: Tensor) -> Tensor:
        """A forecast (batch, horizon, targets, ...) as numbers again."""
        base, spread = (
            None if one is None else one.transpose(0, 1)[(..., *[None] * (told.dim() - 3))]
            for one in (self.base, self.spread)
        )
        assert base is not None
        return told + base if spread is None else told * spread + base


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
