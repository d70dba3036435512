"""What is chosen about a network and its training, before either exists."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Setting(BaseModel):
    """One setting of everything about a network and its training that is tried, not solved for."""

    model_config = ConfigDict(frozen=True)

    learning_rate: float = 3e-3
    num_layers: int = 1
    dropout: float = 0.0
    variant: str = ""  # one of the task's own


class Options(BaseModel):
    """What a person may ask of a task."""

    model_config = ConfigDict(frozen=True)

    class_weights: bool = False  # classify: each class counts the same, however many it has
    metric: str = ""  # the measure that candidates are judged by; empty for the task's usual one
    truncate: int = 0  # steps after which gradients stop going further back; 0 for never
