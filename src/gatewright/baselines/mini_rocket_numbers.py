"""MiniRocket, for numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewright.baselines._mini_rocket import MiniRocket
from gatewright.data.prepared import Prepared
from gatewright.data.targets.numbers import Numbers


class MiniRocketNumbers(MiniRocket):
    target = Numbers

    def kinds(self, target: Tensor) -> Tensor:
        return torch.zeros(len(target), dtype=torch.int64)

    def encoded(self, target: Tensor) -> Tensor:
        return target.double()

    def judge(self, told: Tensor, target: Tensor) -> float:
        return (told - target).square().nanmean().item()

    def predict(self, data: Prepared, examples: Tensor) -> Tensor:
        return self.told(data, examples)
