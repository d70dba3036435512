"""Ridge regression on all steps side by side."""

from __future__ import annotations

from gatewright.baselines._ridge_sequences import RidgeSequences
from gatewright.baselines._sequences import Flat


class RidgeFlat(RidgeSequences):
    title = "ridge on all steps"
    summary = "ridge regression on all steps side by side"
    tasks = ("regress",)
    features = Flat
