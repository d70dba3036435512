"""Training a network: the loop, its checkpoints, and predictions from what was trained."""

from gatewright.training.loop import DivergedError, Epoch, Stopping, evenly
from gatewright.training.model import Model, Recipe

__all__ = ["DivergedError", "Epoch", "Model", "Recipe", "Stopping", "evenly"]
