"""Predictions in blocks, so that memory follows the block and not the number of examples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatewright.data.prepared import Prepared
from gatewright.tasks import Task

BLOCK = 256  # examples


def predict_network(network: nn.Module, task: Task, data: Prepared, examples: Tensor) -> Tensor:
    """The predictions of a network in evaluation mode, as the task lays them out."""
    network.eval()
    with torch.inference_mode():
        predictions = [network(task.examples.batch(data, some)) for some in examples.split(BLOCK)]
    return task.examples.joined(predictions)
