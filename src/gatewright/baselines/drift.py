"""From the last value on, along the line from the first to the last."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._windows import before_test, in_training, items_of
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers


class Drift(Fitted):
    """The slope is that of training, so that a forecast looks back no farther than on a value."""

    title = "drift"
    summary = (
        "goes on from the last value, along the line from the first to the last one of training"
    )
    source = "Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 2021"
    examples = Windows
    target = Numbers

    slopes: Tensor  # (series, targets): for each step

    def fit(self, data: Prepared) -> None:
        targets = len(data.layout.targets)
        self.slopes = torch.zeros(len(data.bounds), targets)
        for item, (begin, end, *_) in enumerate(data.bounds.tolist()):
            for target in range(targets):
                values = data.target[begin:end, target].double()
                known = (~values.isnan()).nonzero()[:, 0]
                if len(known) > 1:
                    first, last = known[0], known[-1]
                    slope = (values[last] - values[first]) / (last - first)
                    self.slopes[item, target] = slope.float()

    def refit(self, data: Prepared) -> None:
        self.fit(before_test(data))

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        """A series that was not in training repeats its last value."""
        layout = self.task.layout
        number = in_training(data)[items_of(data, examples)]
        slopes = self.slopes[number].where(number[:, None] >= 0, 0.0)
        last = data.values[examples - 1, : len(layout.targets)]
        ahead = torch.arange(1, layout.horizon + 1)[:, None]
        return (last[:, None] + ahead * slopes[:, None])[..., None]

    def state(self) -> dict[str, Tensor]:
        return {"slopes": self.slopes}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.slopes = state["slopes"]
