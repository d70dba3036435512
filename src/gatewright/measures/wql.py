"""The loss of the quantiles beside the size of what came."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class WQL(Averaged):
    """The weighted quantile loss of Salinas and others (2020): twice the pinball loss, summed and
    over the sum of absolute targets, mean over the quantiles.

    It decides as the quantile loss itself: what it is divided by is the same for all candidates.
    """

    name = "wql"
    title = "weighted quantile loss"
    short = "WQL"
    decides = "quantile loss in own units"

    def errors(self, told: Told) -> Tensor:
        levels = torch.tensor(told.levels, dtype=torch.float64)
        error = told.target.double()[..., None] - told.prediction[..., 1:].double()
        return 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1) * told.scale

    def weights(self, told: Told, errors: Tensor) -> Tensor:
        return told.in_units(told.target).abs()
