"""The mean of what was seen in training, of each series."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._windows import before_test, in_training, items_of
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers


class SeriesMean(Fitted):
    title = "mean"
    summary = "tells the mean of each series in training, whatever the window"
    source = "Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 2021"
    examples = Windows
    target = Numbers
    trivial = True

    means: Tensor  # (series, targets)

    def fit(self, data: Prepared) -> None:
        rows = ((begin, end) for begin, end, *_ in data.bounds.tolist())
        means = [data.target[begin:end].double().nanmean(0) for begin, end in rows]
        # Of a target without any value, 0: the mean that it was given in its place.
        self.means = torch.stack(means).nan_to_num().float()

    def refit(self, data: Prepared) -> None:
        self.fit(before_test(data))

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """A series that was not in training has the mean of the rows given, which is 0."""
        number = in_training(data)[items_of(data, examples)]
        told = self.means[number].where(number[:, None] >= 0, 0.0)
        return told[:, None, :, None].expand(-1, self.task.layout.horizon, -1, -1)

    def state(self) -> dict[str, Tensor]:
        return {"means": self.means}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.means = state["means"]
