"""Ridge regression with more features than rows, all penalties from one eigendecomposition."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

ROUNDS = 30  # to fit targets that are missing in part
SMALLEST = 1e-6  # of the largest eigenvalue: below it the products, of float32, are rounding


@dataclasses.dataclass(frozen=True)
class Rotated:
    """Rows along the principal axes of their products, where each penalty only divides.

    Hoerl and Kennard 1970, Ridge Regression.
    """

    axes: Tensor  # (features, axes), each of length 1
    energy: Tensor  # (axes,): the sums of squares along them, float64
    places: Tensor  # (rows, axes), float64

    @classmethod
    def of(cls, rows: Tensor) -> Rotated:
        """rows: (rows, features), each feature with mean 0."""
        tall = len(rows) > rows.shape[1]
        energy, vectors = torch.linalg.eigh((rows.T @ rows if tall else rows @ rows.T).double())
        kept = energy > SMALLEST * energy[-1:].clamp(min=1e-300)
        energy, vectors = energy[kept], vectors[:, kept]
        if tall:
            axes = vectors.to(rows.dtype)
            return cls(axes, energy, (rows @ axes).double())
        places = vectors * energy.sqrt()
        return cls(rows.T @ (vectors / energy.sqrt()).to(rows.dtype), energy, places)

    def solve(self, target: Tensor, penalty: float) -> Solution:
        """target: (rows, outputs), NaN where missing.

        What is missing is filled with the mean, then with what the solution itself tells (Dempster,
        Laird and Rubin 1977), which comes close to leaving it out the sooner the stronger the
        penalty.
        """
        missing = target.isnan()
        filled = target.where(~missing, target.nanmean(0).nan_to_num().expand_as(target))
        for _ in range(ROUNDS if missing.any() else 1):
            mean = filled.mean(0)
            weights = self.places.T @ (filled - mean) / (self.energy + penalty)[:, None]
            told = self.places @ weights + mean
            filled = target.where(~missing, told)
        own = 1 / len(target) + (self.places.square() / (self.energy + penalty)).sum(1)
        return Solution(weights, mean, told, own)


@dataclasses.dataclass(frozen=True)
class Solution:
    weights: Tensor  # (axes, outputs)
    mean: Tensor  # (outputs,)
    told: Tensor  # (rows, outputs): of the rows it was fitted to
    own: Tensor  # (rows,): how much of its own target each row is told, from 0 to 1

    def left_out(self, target: Tensor) -> Tensor:
        """(rows, outputs): what each row would be told had it been left out, without fitting again
        (Allen 1974, PRESS)."""
        errors = (target - self.told) / (1 - self.own).clamp(min=1e-9)[:, None]
        return (target - errors).where(~target.isnan(), self.told)
