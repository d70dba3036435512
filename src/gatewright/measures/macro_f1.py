"""Precision and recall of each class, every class counting the same."""

from __future__ import annotations

import torch

from gatewright.measures.measure import HIGHER, Measure, number
from gatewright.measures.told import Told


class MacroF1(Measure):
    """The mean over classes of the harmonic mean of precision and recall; of the classes that
    occur, as true ones or predicted."""

    name = "macro_f1"
    title = "macro F1"
    short = "macro F1"
    better = HIGHER

    def value(self, told: Told) -> float | None:
        label, guess = told.label, told.chances.argmax(-1)
        classes = told.prediction.shape[-1]
        right = torch.bincount(label[label == guess], minlength=classes)
        both = torch.bincount(label, minlength=classes) + torch.bincount(guess, minlength=classes)
        return number((2 * right / both)[both > 0].mean().item())
