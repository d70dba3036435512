"""Ridge regression on all steps side by side."""

from __future__ import annotations

from gatewright.baselines._ridge_sequences import RidgeSequences
from gatewright.baselines._sequences import Flat
from gatewright.data.examples.sequences import Sequences
from gatewright.data.targets.numbers import Numbers


class RidgeFlat(RidgeSequences):
    title = "ridge on all steps"
    summary = "ridge regression on all steps side by side"
    examples = Sequences
    target = Numbers
    features = Flat
