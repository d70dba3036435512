"""Logistic regression on all steps side by side."""

from __future__ import annotations

from gatewright.baselines._logistic import Logistic
from gatewright.baselines._sequences import Flat


class LogisticFlat(Logistic):
    title = "logistic regression on all steps"
    summary = "logistic regression on all steps side by side"
    tasks = ("classify",)
    features = Flat
