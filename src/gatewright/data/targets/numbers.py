"""Numbers, told in units of each target's standard deviation in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.calendar import Floats, Integers
from gatewright.data.guess.labels import LabelCounts
from gatewright.data.prepare.extremes import limits_of
from gatewright.data.prepare.relations import LinearMap
from gatewright.data.prepare.scaling import LARGEST, Moments, center_and_scale, too_large
from gatewright.data.prepared import Preparation
from gatewright.data.question import Relation, Target, Where
from gatewright.data.within import arrays, edges
from gatewright.errors import InputError, argument


class Numbers(Target):
    """One or several numbers; what is not finite is missing."""

    numeric = True
    general = True

    def suits(self, labels: LabelCounts) -> str:
        if labels.whole:
            return "many different whole numbers"
        return "numbers that are not whole"

    def check(self, labels: LabelCounts, task: str, otherwise: str) -> None:
        for target, column in labels.targets.items():
            if not column.numeric:
                raise InputError(
                    f"{argument('task', task)}: {target} of {labels.table.name} holds words; "
                    f"expected numbers: say {otherwise}."
                )

    def known(self, values: pl.DataFrame) -> NDArray[np.bool_]:
        any_number: NDArray[np.bool_] = np.any(~np.isnan(_finite(values)), axis=1)
        return any_number

    def strata(self, values: pl.DataFrame) -> tuple[tuple[str, ...], Integers]:
        return (), np.zeros(len(values), dtype=np.int64)

    def fit(self, values: pl.DataFrame, every: pl.DataFrame, where: Where) -> dict[str, Any]:
        numbers = _finite(values)
        moments = Moments(1, numbers.shape[1])
        moments.add(np.zeros(len(numbers), dtype=np.int64), numbers)
        _, _, mean, scale = center_and_scale(moments)
        bad = ~(np.isfinite(mean) & np.isfinite(scale))
        if bad.any():
            column = int(bad.argmax())
            held = np.nan_to_num(numbers[:, column])
            row = int(np.abs(held).argmax())
            name = f"column {values.columns[column]!r}"
            raise InputError(too_large(where(row), name, held[row]))
        return {
            "target_mean": tuple(mean.tolist()),
            "target_scale": tuple(scale.tolist()),
            "limits": limits_of(numbers, mean, scale),
        }

    def as_numbers(self, values: pl.DataFrame, preparation: Preparation) -> Floats:
        return _finite(values)

    def encode(self, values: pl.DataFrame, preparation: Preparation, where: Where) -> Floats:
        numbers = _finite(values)
        with np.errstate(over="ignore"):
            away = numbers - np.array(preparation.target_mean)
            scaled: Floats = away / np.array(preparation.target_scale)
        large = np.abs(scaled) > LARGEST
        if large.any():
            row, column = np.argwhere(large)[0]
            raise InputError(
                f"{where(int(row))}: {values.columns[column]} is {numbers[row, column]:g}, too far "
                "from the training part; correct it"
            )
        return scaled

    def relation(self, preparation: Preparation, columns: int) -> Relation:
        return LinearMap(len(preparation.layout.targets), columns)

    def in_units(self, encoded: Floats, center: Floats, scale: Floats) -> Floats:
        return encoded * scale + center

    def limited(self, prediction: Tensor, low: Tensor, high: Tensor) -> Tensor:
        return prediction.clamp(low, high)

    def columns(
        self, prediction: Tensor, center: Tensor, scale: Tensor, preparation: Preparation
    ) -> dict[str, Any]:
        """A column for each target, under its name."""
        numbers = in_table(prediction, center, scale, preparation).numpy()
        targets = preparation.layout.targets
        return {target: numbers[:, at] for at, target in enumerate(targets)}


def in_table(prediction: Tensor, center: Tensor, scale: Tensor, preparation: Preparation) -> Tensor:
    """Predictions (rows, targets) in the units of the table, in float64: what stands at the edge of
    the limits is exactly the limit."""
    numbers = prediction.double() * scale + center
    if preparation.limits:
        ends = torch.from_numpy(arrays(preparation.limits))
        for end, edge in zip(ends, edges(preparation.limits, center, scale), strict=True):
            numbers = torch.where((prediction == edge) & end.isfinite(), end, numbers)
    return numbers


def _finite(values: pl.DataFrame) -> Floats:
    """(rows, columns), NaN for what is no finite number: where nothing is learned from them, as in
    a table to predict, they may be words."""
    numbers = values.select(pl.all().cast(pl.Float64, strict=False)).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)
