"""How well the chance of each class ranks those of the class before all others."""

from __future__ import annotations

import numpy as np

from gatewright.measures.measure import HIGHER, Measure
from gatewright.measures.told import Told


class AUC(Measure):
    """The area under the curve of true over false positives, one class against the rest, mean over
    the classes that occur; None where only one does."""

    name = "auc"
    title = "area under the ROC curve"
    short = "AUC"
    better = HIGHER

    def value(self, told: Told) -> float | None:
        from sklearn.metrics import roc_auc_score

        label, chances = told.label.numpy(), told.chances.exp().numpy()
        present = np.unique(label)
        if len(present) < 2:
            return None
        areas = [roc_auc_score(label == each, chances[:, each]) for each in present]
        return float(np.mean(areas))
