"""What tasks on whole sequences share: examples, networks, and what of these is tried."""

from __future__ import annotations

from abc import abstractmethod

from torch import nn

from gatewright.data.examples.sequences import Sequences
from gatewright.data.prepared import Prepared
from gatewright.networks.encoder import POOLINGS
from gatewright.networks.whole import SequenceNetwork, segments
from gatewright.setting import Setting
from gatewright.tasks.task import Task


class WholeSequences(Task):
    """A task whose example is a sequence from its first step to its last."""

    examples = Sequences()

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers a network gives for a sequence."""

    def choices(self, data: Prepared) -> tuple[tuple[str, ...], ...]:
        return (POOLINGS,)

    def segments(self, data: Prepared) -> tuple[int, ...]:
        """By the median length of the training sequences."""
        lengths = data.lengths[self.examples.of_part(data, "train")]
        return segments(int(lengths.median()) if len(lengths) else 0)

    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        return SequenceNetwork(
            self.preparation, self.options.truncate, cell, hidden_size, setting, self.outputs
        )
