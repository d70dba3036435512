"""What is chosen about a network and its training, before either exists."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from gatewright.wording.numbers import counted


class Setting(BaseModel):
    """One setting of everything about a network and its training that is tried, not solved for."""

    model_config = ConfigDict(frozen=True)

    learning_rate: float = 3e-3
    num_layers: int = 1
    dropout: float = 0.0
    segment: int = 1  # steps that a network reads at once
    choices: tuple[str, ...] = ()  # one of each that the task offers, in its words

    def in_words(self, hidden_size: int = 0) -> str:
        """As "learning rate 0.003, 2 layers of 24, dropout 0.1, segments of 12, last value"."""
        layers = counted(self.num_layers, "layer")
        parts = [
            f"learning rate {self.learning_rate:g}",
            f"{layers} of {hidden_size:,}" if hidden_size else layers,
            f"dropout {self.dropout:g}" if self.dropout else "",
            f"segments of {self.segment}" if self.segment > 1 else "",
            *self.choices,
        ]
        return ", ".join(filter(None, parts))


class Options(BaseModel):
    """What a person may ask of a task."""

    model_config = ConfigDict(frozen=True)

    class_weights: bool = False  # classify: each class counts the same, however many it has
    metric: str = ""  # the measure that candidates are judged by; empty for the task's usual one
    truncate: int = 0  # steps after which gradients stop going further back; 0 for never
