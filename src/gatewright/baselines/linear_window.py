"""A linear network on the window (DLinear)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.baselines.baseline import Trained
from gatewright.data.batching import Batch
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.targets.numbers import Numbers
from gatewright.networks.forecaster import OWN
from gatewright.networks.windows import LAST, LEVELS, SEEN, Level, ending_at_origin
from gatewright.setting import Setting

KERNEL = 25  # steps of the moving average, as in the paper's code


class LinearWindow(Trained):
    title = "linear network"
    summary = "the trend and the rest of the window, each through one linear layer"
    source = (
        "DLinear: Zeng and others, Are Transformers Effective for Time Series Forecasting, 2023"
    )
    examples = Windows
    target = Numbers

    def network(self, setting: Setting) -> nn.Module:
        known = sum(channel.known for channel in self.task.preparation.channels)
        relative_to = next((word for word in setting.choices if word in LEVELS), LAST)
        return DecomposedLinear(
            self.task.layout, 0 if OWN in setting.choices else known, relative_to
        )


class DecomposedLinear(nn.Module):
    """One pair of linear layers for all targets, and one for what is known of a step ahead; where
    levels are seen, a weight of the last value for each step ahead."""

    def __init__(self, layout: Layout, known: int, relative_to: str) -> None:
        """known: how many channels known ahead it sees."""
        super().__init__()
        targets, context, horizon = len(layout.targets), layout.context, layout.horizon
        self.layout, self.targets, self.level = layout, targets, relative_to
        self.trend = nn.Linear(context, horizon)
        self.rest = nn.Linear(context, horizon)
        self.known = nn.Linear(known, targets, bias=False) if known else None
        self.lift = nn.Parameter(torch.zeros(horizon, 1)) if relative_to == SEEN else None
        for layer in (self.trend, self.rest):
            nn.init.constant_(layer.weight, 1 / context)
        if self.known is not None:
            nn.init.zeros_(self.known.weight)

    def forward(self, batch: Batch) -> Tensor:
        window = ending_at_origin(batch.values[..., : self.targets], batch.lengths)
        level = Level(window, self.level, self.layout)
        seen = level.take(window).permute(1, 2, 0)
        trend = F.avg_pool1d(
            F.pad(seen, ((KERNEL - 1) // 2, KERNEL // 2), mode="replicate"), KERNEL, stride=1
        )
        point: Tensor = (self.trend(trend) + self.rest(seen - trend)).transpose(1, 2)
        if self.known is not None:
            point = point + self.known(batch.future).transpose(0, 1)
        if self.lift is not None:
            point = point + self.lift * level.last.transpose(0, 1)
        point = level.give_back(point)
        return point[..., None]
