"""Ridge regression on summaries of each channel."""

from __future__ import annotations

from gatewright.baselines._ridge_sequences import RidgeSequences
from gatewright.baselines._summary import Summary
from gatewright.data.examples.sequences import Sequences
from gatewright.data.targets.numbers import Numbers


class RidgeSummary(RidgeSequences):
    title = "ridge on summaries"
    summary = "ridge regression on summaries of each channel"
    examples = Sequences
    target = Numbers
    features = Summary
