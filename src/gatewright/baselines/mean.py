"""The mean of training, whatever the sequence."""

from __future__ import annotations

from torch import Tensor

from gatewright.baselines._sequences import learned_from
from gatewright.baselines.baseline import Fitted
from gatewright.data.examples.sequences import Sequences
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers


class Mean(Fitted):
    title = "mean"
    summary = "tells the mean of training, whatever the sequence"
    examples = Sequences
    target = Numbers
    trivial = True

    mean: Tensor  # (targets,)

    def fit(self, data: Prepared) -> None:
        self._learn(data, self.task.examples.of_part(data, "train"))

    def refit(self, data: Prepared) -> None:
        self._learn(data, learned_from(self.task, data))

    def _learn(self, data: Prepared, examples: Tensor) -> None:
        mean = data.target[examples].double().nanmean(0)
        self.mean = mean.nan_to_num().float()  # a target without any value is told as 0

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self.mean.expand(len(examples), -1)

    def state(self) -> dict[str, Tensor]:
        return {"mean": self.mean}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.mean = state["mean"]
