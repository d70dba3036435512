"""Training a network: the loop, its checkpoints, and predictions from what was trained."""

from gatewright.training.loop import Diverged, Epoch, Stopping, evenly
from gatewright.training.model import Model, Recipe

__all__ = ["Diverged", "Epoch", "Model", "Recipe", "Stopping", "evenly"]
