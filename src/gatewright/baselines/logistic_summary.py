"""Logistic regression on summaries of each channel."""

from __future__ import annotations

from gatewright.baselines._logistic import Logistic
from gatewright.baselines._sequences import Summary


class LogisticSummary(Logistic):
    title = "logistic regression on summaries"
    summary = "logistic regression on summaries of each channel"
    tasks = ("classify",)
    features = Summary
