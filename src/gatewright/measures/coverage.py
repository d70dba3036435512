"""How often the outer quantiles hold what came."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.measures.measure import Averaged
from gatewright.measures.told import Told


class Coverage(Averaged):
    """Of the 90% band; the nearer to 90%, the better."""

    name = "coverage"
    title = "coverage of the 90% band"
    short = "coverage"
    share = True
    better = ""

    def errors(self, told: Told) -> Tensor:
        low, high = (1 + told.levels.index(level) for level in (0.05, 0.95))
        above = told.target >= told.prediction[..., low]
        inside = above & (told.target <= told.prediction[..., high])
        return inside.double().where(~told.target.isnan(), torch.nan)
