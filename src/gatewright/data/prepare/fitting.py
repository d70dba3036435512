"""What is learned from the training part: means, scales, vocabularies, which values are missing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.calendar import DAY, Floats, Integers, channel_names
from gatewright.data.layout import Layout
from gatewright.data.prepare.columns import frequency_of
from gatewright.data.prepare.extremes import Extremes, settled
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.scaling import Moments, center_and_scale, too_large
from gatewright.data.prepared import PARTS, Category, Channel, Preparation
from gatewright.data.question import Question
from gatewright.errors import InputError

TRAIN = PARTS.index("train")


@dataclasses.dataclass(frozen=True)
class FittedPreparation:
    preparation: Preparation
    center: Floats  # (items, targets): of targets that are inputs too
    scale: Floats


def fit(layout: Layout, partition: Partition, question: Question) -> FittedPreparation:
    """Fit a preparation on the training part. Raises InputError for numbers too large to scale."""
    names = question.examples.channels(layout)
    targets = len(layout.targets) if question.examples.sees_targets else 0
    own = Moments(len(partition.items), targets)
    extremes, middle = Extremes(targets), _middle(partition)
    shared = Moments(1, len(names) - targets)
    missing = np.zeros(len(names), dtype=bool)
    values: dict[str, set[str]] = {name: set() for name in layout.categories}
    labels: list[pl.DataFrame] = []  # of the training rows, where each row has its own
    every: list[pl.DataFrame] = []  # those of all rows, each once
    end = partition.training.max()
    first, last = np.iinfo(np.int64).max, np.iinfo(np.int64).min  # times of training
    for block in partition.blocks():
        training = block.rows < partition.training[block.item]
        numbers, item = block.numbers[training], block.item[training]
        if training.any():
            times = block.time[training]
            first, last = min(first, times.min()), max(last, times.max())
        own.add(item, numbers[:, :targets])
        extremes.add(item, numbers[:, :targets], block.rows[training] >= middle[item])
        shared.add(np.zeros_like(item), numbers[:, targets:])
        missing |= np.isnan(numbers).any(axis=0)
        mask = pl.Series(training[block.present], dtype=pl.Boolean)
        for name, texts in values.items():
            texts.update(block.texts[name].filter(mask).drop_nulls().unique().to_list())
        if block.targets is not None:
            labels.append(block.targets.filter(mask))
            every.append(block.targets.unique())
        elif block.stop >= end:
            break
    center, scale, target_mean, target_scale = center_and_scale(own)
    _, _, mean, spread = center_and_scale(shared)
    means, scales = np.append(target_mean, mean), np.append(target_scale, spread)
    _check_finite(layout, partition, names, _finite(means, scales), _finite(center, scale))
    if question.examples.sees_targets:
        pair = {"target_mean": target_mean, "target_scale": target_scale}
        of_targets: dict[str, Any] = {name: tuple(each.tolist()) for name, each in pair.items()}
        of_targets["limits"] = extremes.limits(target_mean, target_scale)
    elif partition.labels is not None:
        of_targets = _fit_labels(partition, partition.labels, question)
    else:
        of_targets = question.target.fit(
            pl.concat(labels), pl.concat(every), lambda row: f"row {row + 1} of the training part"
        )
    of_targets |= settled(layout, of_targets.get("limits", ()))
    preparation = Preparation(
        layout=layout,
        channels=_channels(
            layout, names, targets, means, scales, missing, (int(last) - int(first)) / DAY
        ),
        categories=tuple(
            Category(column=name, values=tuple(sorted(texts)), known=name in layout.known)
            for name, texts in values.items()
        ),
        **of_targets,
    )
    if layout.series:
        pairs = np.stack([center, scale], axis=2).tolist()
        series = {
            name: tuple((pair[0], pair[1]) for pair in each)
            for name, each in zip(partition.items, pairs, strict=True)
        }
        preparation = preparation.model_copy(update={"series": series})
    return FittedPreparation(preparation, center, scale)


def _middle(partition: Partition) -> Integers:
    """The row in the middle of the training part of each item."""
    return (partition.bounds[:, 0] + partition.training) // 2


def _fit_labels(partition: Partition, labels: pl.DataFrame, question: Question) -> dict[str, Any]:
    training = np.flatnonzero(partition.part == TRAIN)

    def where(row: int) -> str:
        return f"sequence {partition.items[training[row]]}"

    return question.target.fit(labels[training], labels, where)


def fit_series(partition: Partition, preparation: Preparation) -> tuple[Floats, Floats]:
    """(center, scale) of the series of a new table, each (items, targets).

    Series that were not in training take those of the rows that are given.
    """
    mean, spread = preparation.target_mean, preparation.target_scale
    center = np.tile(mean, (len(partition.items), 1))
    scale = np.tile(spread, (len(partition.items), 1))
    if not preparation.layout.series:
        return center, scale
    new = [name not in preparation.series for name in partition.items]
    for at, name in enumerate(partition.items):
        if not new[at]:
            center[at], scale[at] = np.transpose(preparation.series[name])
    if any(new):
        moments = Moments(len(partition.items), len(mean))
        for block in partition.blocks():
            moments.add(block.item, block.numbers[:, : len(mean)])
        deviation = moments.deviation()
        layout, own = preparation.layout, _finite(moments.mean, deviation)
        _check_finite(layout, partition, layout.targets, np.ones(len(mean), dtype=bool), own)
        rows = np.array(new)[:, None]
        center = np.where(rows & (moments.count > 0), moments.mean, center)
        scale = np.where(rows & (deviation > 0), deviation, scale)
    return center, scale


def _channels(
    layout: Layout,
    names: tuple[str, ...],
    targets: int,
    means: Floats,
    scales: Floats,
    missing: Floats,
    days: float,
) -> tuple[Channel, ...]:
    """``targets``: how many of the columns, the first ones, are targets; ``days``: from the first
    time of training to the last."""
    columns = [None if layout.steps and not at else name for at, name in enumerate(names)]
    channels = [
        Channel(
            name=name,
            column=column,
            role="target" if at < targets else "input",
            known=name in layout.known,
            mean=means[at],
            scale=scales[at],
        )
        for at, (name, column) in enumerate(zip(names, columns, strict=True))
    ]
    channels += [
        Channel(name=name, column=None, role="calendar", known=True)
        for name in channel_names(frequency_of(layout), days)
    ]
    channels += [
        Channel(name=f"{name} missing", column=column, role="missing", known=name in layout.known)
        for name, column, some in zip(names, columns, missing, strict=True)
        if some
    ]
    return tuple(channels)


def _finite(one: Floats, other: Floats) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = np.isfinite(one) & np.isfinite(other)
    return both


def _check_finite(
    layout: Layout,
    partition: Partition,
    names: tuple[str, ...],
    shared: NDArray[np.bool_],
    own: NDArray[np.bool_],
) -> None:
    """Raise InputError for a column whose mean or scale is not finite.

    ``shared`` (columns,) and ``own`` (items, targets): whether both are, of all items and of each.
    """
    bad = ~shared
    bad[: own.shape[1]] |= ~own.all(axis=0)
    if bad.any():
        column = int(bad.argmax())
        row, value = _largest(partition, column)
        name = f"column {names[column]!r}"
        if layout.steps and names[column] not in layout.numbers:
            name = f"a column from {layout.steps[0]!r} to {layout.steps[-1]!r}"
        raise InputError(too_large(partition.where(row), name, value))


def _largest(partition: Partition, column: int) -> tuple[int, float]:
    """The row of the arrays where a column is farthest from 0, and its value there."""
    row, value = 0, 0.0
    for block in partition.blocks():
        numbers = np.nan_to_num(block.numbers[:, column])
        at = int(np.abs(numbers).argmax())
        if abs(numbers[at]) > abs(value):
            row, value = block.start + at, float(numbers[at])
    return row, value
