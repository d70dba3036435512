"""Logistic regression on summaries of each channel."""

from __future__ import annotations

from gatewright.baselines._logistic import Logistic
from gatewright.baselines._summary import Summary
from gatewright.data.examples.sequences import Sequences
from gatewright.data.targets.classes import Classes


class LogisticSummary(Logistic):
    title = "logistic regression on summaries"
    summary = "logistic regression on summaries of each channel"
    examples = Sequences
    target = Classes
    features = Summary
