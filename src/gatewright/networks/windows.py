"""What networks and linear models of windows share: where windows end, levels taken out."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.data.batching import Batch
from gatewright.data.layout import Layout

LAST, SEEN, SEASON = "last value", "last value and its level", "last season"
LEVELS = (LAST, SEEN, SEASON)


def ending_at_origin(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Windows of the same length, (time, batch, channels); short ones repeat their first value."""
    if lengths is None:
        return values
    steps = torch.arange(len(values))[:, None] - (len(values) - lengths)
    return values.gather(0, steps.clamp(min=0)[..., None].expand(-1, -1, values.shape[2]))


def levels(layout: Layout) -> tuple[str, ...]:
    """What a forecast may be told relative to.

    The level is an input for one target alone: weights that several targets share would have each
    of them return as the others do.
    """
    alone, seasonal = len(layout.targets) == 1, 1 < layout.season <= layout.context
    return (LAST, *([SEEN] if alone else []), *([SEASON] if seasonal else []))


class Level:
    """What a window is seen and its forecast told relative to, so that a level never seen in
    training does no harm.

    A window is seen less its last value. Its forecast is told relative to that too, or to the value
    one season before each of its steps. Where levels return to where they were, the last value is
    an input beside (``is_seen``).
    """

    def __init__(self, window: Tensor, relative_to: str, layout: Layout) -> None:
        """window: (time, batch, targets), ending at the origin."""
        self.last = self.base = window[-1:]
        self.is_seen = relative_to == SEEN
        if relative_to == SEASON:
            ahead = torch.arange(layout.horizon) % layout.season
            self.base = window[len(window) - layout.season + ahead]

    def take(self, window: Tensor) -> Tensor:
        """The window, (time, batch, targets), relative to its level."""
        return window - self.last

    def give_back(self, told: Tensor) -> Tensor:
        """A forecast (batch, horizon, targets, ...) as numbers again."""
        base: Tensor = self.base.transpose(0, 1)[(..., *[None] * (told.dim() - 3))]
        return told + base


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
