"""What is learned from the training part: means, scales, vocabularies, which values are missing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl

from gatewright.data.calendar import Floats, channel_names
from gatewright.data.layout import Layout
from gatewright.data.prepare.columns import frequency_of, is_forecast, number_columns
from gatewright.data.prepare.labels import class_numbers
from gatewright.data.prepare.plans import Plan
from gatewright.data.prepare.scaling import Moments, center_and_scale
from gatewright.data.prepared import PARTS, Category, Channel, Preparation
from gatewright.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fitted:
    preparation: Preparation
    center: Floats  # (items, targets): forecasts only
    scale: Floats


def input_names(layout: Layout) -> tuple[str, ...]:
    """The names of the columns of numbers in a block."""
    return (*(("value",) if layout.steps else ()), *number_columns(layout))


def fit(layout: Layout, plan: Plan) -> Fitted:
    """Fit a preparation on the training part. Raises InputError for numbers too large to scale."""
    names = input_names(layout)
    targets = len(layout.targets) if is_forecast(layout) else 0
    own = Moments(len(plan.items), targets)
    shared = Moments(1, len(names) - targets)
    missing = np.zeros(len(names), dtype=bool)
    values: dict[str, set[str]] = {name: set() for name in layout.categories}
    end = plan.training.max()
    for block in plan.blocks():
        training = block.rows < plan.training[block.item]
        numbers, item = block.numbers[training], block.item[training]
        own.add(item, numbers[:, :targets])
        shared.add(np.zeros_like(item), numbers[:, targets:])
        missing |= np.isnan(numbers).any(axis=0)
        mask = pl.Series(training[block.present], dtype=pl.Boolean)
        for name, found in values.items():
            found.update(block.texts[name].filter(mask).drop_nulls().unique().to_list())
        if block.stop >= end:
            break
    center, scale, target_mean, target_scale = center_and_scale(own)
    _, _, mean, spread = center_and_scale(shared)
    means, scales = np.append(target_mean, mean), np.append(target_scale, spread)
    _check_finite(layout, plan, names, means + scales, center + scale)
    preparation = Preparation(
        layout=layout,
        channels=_channels(layout, names, means, scales, missing),
        categories=tuple(
            Category(column=name, values=tuple(sorted(found)), known=name in layout.known)
            for name, found in values.items()
        ),
        **_fit_targets(layout, plan, target_mean, target_scale),
    )
    if layout.series and is_forecast(layout):
        pairs = np.stack([center, scale], axis=2).tolist()
        series = {
            name: tuple((pair[0], pair[1]) for pair in each)
            for name, each in zip(plan.items, pairs, strict=True)
        }
        preparation = preparation.model_copy(update={"series": series})
    return Fitted(preparation, center, scale)


def fit_series(plan: Plan, preparation: Preparation) -> tuple[Floats, Floats]:
    """(center, scale) of the series of a new table, each (items, targets).

    Series that were not in training take those of the rows that are given.
    """
    mean, spread = preparation.target_mean, preparation.target_scale
    center = np.tile(mean, (len(plan.items), 1))
    scale = np.tile(spread, (len(plan.items), 1))
    if not preparation.layout.series:
        return center, scale
    new = [name not in preparation.series for name in plan.items]
    for at, name in enumerate(plan.items):
        if not new[at]:
            center[at], scale[at] = np.transpose(preparation.series[name])
    if any(new):
        moments = Moments(len(plan.items), len(mean))
        for block in plan.blocks():
            moments.add(block.item, block.numbers[:, : len(mean)])
        deviation = moments.deviation()
        own = moments.mean + deviation
        _check_finite(preparation.layout, plan, preparation.layout.targets, own.max(axis=0), own)
        rows = np.array(new)[:, None]
        center = np.where(rows & (moments.count > 0), moments.mean, center)
        scale = np.where(rows & (deviation > 0), deviation, scale)
    return center, scale


def _channels(
    layout: Layout, names: tuple[str, ...], means: Floats, scales: Floats, missing: Floats
) -> tuple[Channel, ...]:
    frequency = frequency_of(layout)
    forecast = is_forecast(layout)
    columns = [None if layout.steps and not at else name for at, name in enumerate(names)]
    found = [
        Channel(
            name=name,
            column=column,
            role="target" if forecast and name in layout.targets else "input",
            known=name in layout.known,
            mean=mean,
            scale=scale,
        )
        for name, column, mean, scale in zip(names, columns, means, scales, strict=True)
    ]
    found += [
        Channel(name=name, column=None, role="calendar", known=True)
        for name in channel_names(frequency)
        if forecast
    ]
    found += [
        Channel(name=f"{name} missing", column=column, role="missing", known=name in layout.known)
        for name, column, some in zip(names, columns, missing, strict=True)
        if some
    ]
    return tuple(found)


def _fit_targets(layout: Layout, plan: Plan, mean: Floats, scale: Floats) -> dict[str, Any]:
    """What the preparation says of the targets; of forecasts it is known from the inputs."""
    labels = plan.labels
    if labels is None:
        return {"target_mean": tuple(mean.tolist()), "target_scale": tuple(scale.tolist())}
    assert plan.kept is not None
    training = plan.kept[plan.part == PARTS.index("train")]
    if labels.labels is not None:
        numbers = class_numbers(labels.labels.gather(training), plan.classes).astype(np.int64)
        counts = np.bincount(numbers, minlength=len(plan.classes))
        return {"classes": plan.classes, "class_counts": tuple(counts.tolist())}
    assert labels.numbers is not None
    moments = Moments(1, labels.numbers.shape[1])
    moments.add(np.zeros_like(training), labels.numbers[training])
    _, _, mean, scale = center_and_scale(moments)
    bad = ~np.isfinite(mean + scale)
    if bad.any():
        column = int(bad.argmax())
        numbers = np.nan_to_num(labels.numbers[training][:, column])
        at = int(np.abs(numbers).argmax())
        item = plan.items[np.flatnonzero(plan.part == PARTS.index("train"))[at]]
        name = f"column {layout.targets[column]!r}"
        raise InputError(_too_large(f"sequence {item}", name, numbers[at]))
    return {"target_mean": tuple(mean.tolist()), "target_scale": tuple(scale.tolist())}


def _check_finite(
    layout: Layout, plan: Plan, names: tuple[str, ...], shared: Floats, own: Floats
) -> None:
    """Raise InputError for a column whose mean or scale is not finite.

    ``shared`` (columns,) and ``own`` (items, targets): sums of both, of all items and of each.
    """
    bad = ~np.isfinite(shared)
    bad[: own.shape[1]] |= ~np.isfinite(own).all(axis=0)
    if bad.any():
        column = int(bad.argmax())
        row, value = _largest(plan, column)
        name = f"column {names[column]!r}"
        if layout.steps and names[column] not in layout.numbers:
            name = f"a column from {layout.steps[0]!r} to {layout.steps[-1]!r}"
        raise InputError(_too_large(plan.where(row), name, value))


def _too_large(where: str, name: str, value: float) -> str:
    return (
        f"{where}: {name} holds numbers too large to square, as {value:g}; correct it, or "
        "give the column in a larger unit, or its logarithm"
    )


def _largest(plan: Plan, column: int) -> tuple[int, float]:
    """The row of the arrays where a column is farthest from 0, and its value there."""
    row, value = 0, 0.0
    for block in plan.blocks():
        numbers = np.nan_to_num(block.numbers[:, column])
        at = int(np.abs(numbers).argmax())
        if abs(numbers[at]) > abs(value):
            row, value = block.start + at, float(numbers[at])
    return row, value
