"""Logistic regression on all steps side by side."""

from __future__ import annotations

from gatewright.baselines._logistic import Logistic
from gatewright.baselines._sequences import Flat
from gatewright.data.examples.sequences import Sequences
from gatewright.data.targets.classes import Classes


class LogisticFlat(Logistic):
    title = "logistic regression on all steps"
    summary = "logistic regression on all steps side by side"
    examples = Sequences
    target = Classes
    features = Flat
