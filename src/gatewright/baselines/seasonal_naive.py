"""Today is like the same day of the last season."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._windows import items_of
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers


class SeasonalNaive(Fitted):
    title = "seasonal naive"
    summary = "repeats the value of one season before; the last one where no season was found"
    source = "Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 2021"
    examples = Windows
    target = Numbers

    @classmethod
    def suits(cls, layout: Layout) -> bool:
        return layout.season > 1  # else it is the last value

    def fit(self, data: Prepared) -> None:
        """Nothing is learned."""

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """Looks back a season even where the context is shorter, but not beyond the series: where
        less than a season has passed, the last value is repeated."""
        layout = data.layout
        steps = torch.arange(layout.horizon)
        back = layout.season - steps % layout.season  # from the origin, for each step ahead
        start = data.bounds[items_of(data, examples), 0]
        rows = examples[:, None] - back
        rows = torch.where(rows >= start[:, None], rows, examples[:, None] - 1)
        return data.values[rows, : len(layout.targets)][..., None]
