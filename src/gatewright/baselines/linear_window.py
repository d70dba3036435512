"""A linear network on the window (DLinear)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatewright.baselines._windows import ending_at_origin
from gatewright.baselines.baseline import Trained
from gatewright.data.batching import Batch
from gatewright.data.examples.windows import Windows
from gatewright.data.targets.numbers import Numbers
from gatewright.networks.windows import relative_to_window
from gatewright.setting import Setting
from gatewright.tasks.forecast import QUANTILES, SERIES

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
        layout = self.task.layout
        known = sum(channel.known for channel in self.task.preparation.channels)
        return DecomposedLinear(
            len(layout.targets), layout.context, layout.horizon, known, setting.variant != SERIES
        )


class DecomposedLinear(nn.Module):
    """One pair of linear layers for all targets, and one for what is known of a step ahead."""

    def __init__(
        self, targets: int, context: int, horizon: int, known: int, relative: bool
    ) -> None:
        super().__init__()
        self.targets, self.context, self.horizon = targets, context, horizon
        self.relative = relative
        self.trend = nn.Linear(context, horizon)
        self.rest = nn.Linear(context, horizon)
        self.known = nn.Linear(known, targets, bias=False) if known else None
        for layer in (self.trend, self.rest):
            nn.init.constant_(layer.weight, 1 / context)
        if self.known is not None:
            nn.init.zeros_(self.known.weight)

    def forward(self, batch: Batch) -> Tensor:
        values, level, scale = batch.values, None, None
        if self.relative:
            values, level, scale = relative_to_window(values, batch.lengths, self.targets)
        seen = ending_at_origin(values[..., : self.targets], batch.lengths).permute(1, 2, 0)
        trend = F.avg_pool1d(
            F.pad(seen, ((KERNEL - 1) // 2, KERNEL // 2), mode="replicate"), KERNEL, stride=1
        )
        point: Tensor = (self.trend(trend) + self.rest(seen - trend)).transpose(1, 2)
        if self.known is not None:
            point = point + self.known(batch.future).transpose(0, 1)
        if level is not None and scale is not None:
            point = point * scale[:, None] + level[:, None]
        # The quantiles are the point, and the conformal step moves them to where they belong. The
        # pinball loss has no part in the point, so that squared error alone trains it.
        quantiles = point.detach()[..., None].expand(*point.shape, len(QUANTILES))
        return torch.cat([point[..., None], quantiles], -1)
