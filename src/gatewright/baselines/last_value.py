"""Tomorrow will be like today."""

from __future__ import annotations

from torch import Tensor

from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.windows import Windows
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers


class LastValue(Fitted):
    title = "last value"
    summary = "repeats the last value seen"
    examples = Windows
    target = Numbers

    def fit(self, data: Prepared) -> None:
        """Nothing is learned."""

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        layout = data.layout
        last = data.values[examples - 1, : len(layout.targets)]
        return last[:, None, :, None].expand(-1, layout.horizon, -1, -1)
