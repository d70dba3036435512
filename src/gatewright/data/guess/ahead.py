"""Inputs that hold the target ahead of time: copies shifted by some steps, or linear maps of them.

Whoever prepares a table for a model that sees one row often leaves such a column in it. A forecast
that reads it has the answer before its eyes on test, and nothing once it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.guess.roles import Column, Roles
from gatewright.data.table.reading import Table
from gatewright.wording.numbers import counted

Floats = NDArray[np.float64]

ROWS = 20_000  # that are looked at
MOST = 200  # steps ahead that are looked for, or the horizon
LIKELY = 0.8  # correlation of changes, without the largest, from which on a shift is looked at
SAME = 0.99  # share of the rows that have to agree: the last ones may have been filled
MAPPED = 0.9999  # correlation of changes that makes a column a linear map
CHANGES = 20  # that have to agree; fewer may by chance


@dataclass(frozen=True)
class _Rows:
    """Some rows, one series below another, NaN rows of ``reach`` between them."""

    inputs: Floats  # (rows, inputs)
    targets: Floats  # (rows, targets)


def held_ahead(
    table: Table, columns: Mapping[str, Column], roles: Roles, names: Sequence[str], reach: int
) -> dict[str, str]:
    """Those inputs among the names that hold a target up to ``reach`` steps ahead, and what each
    is: what was named as known ahead or as a category is not asked.

    A column that as well holds a target of now or of before, as one that repeats does, is none.
    """
    chosen = {*roles.known, *roles.categories}
    names = [name for name in names if name not in chosen and not columns[name].constant]
    if not names:
        return {}
    rows = _rows(table, roles, names, reach)
    found: dict[str, str] = {}
    for at, target in enumerate(roles.targets):
        for name, input_ in zip(names, rows.inputs.T, strict=True):
            ahead = _ahead(input_, rows.targets[:, at], reach)
            if ahead is not None and name not in found:
                steps, what = ahead
                found[name] = f"on nearly all rows {what} {target} {counted(steps, 'step')} ahead"
    return found


def _rows(table: Table, roles: Roles, names: Sequence[str], reach: int) -> _Rows:
    values = [pl.col(name).cast(pl.Float64) for name in (*names, *roles.targets)]
    key = [] if roles.series is None else [pl.col(roles.series).alias("\0series")]
    frame = table.collect(table.frame.select(*values, *key).head(ROWS))
    parts = frame.partition_by("\0series", maintain_order=True) if key else [frame]
    gap = np.full((reach, len(values)), np.nan)
    pieces = [
        piece for part in parts for piece in (part.select(pl.exclude("\0series")).to_numpy(), gap)
    ]
    stacked = np.concatenate(pieces)
    return _Rows(stacked[:, : len(names)], stacked[:, len(names) :])


def _ahead(input_: Floats, target: Floats, reach: int) -> tuple[int, str] | None:
    """(steps, what it is) where an input holds the target ahead, and not that of now or before."""
    likely = _likely(np.diff(input_), np.diff(target), reach)
    found = {steps: what for steps in likely if (what := _held(input_, target, steps))}
    if not found or min(found) <= 0:
        return None
    first = min(found)
    return first, found[first]


def _likely(input_: Floats, target: Floats, reach: int) -> list[int]:
    """The shifts, from -reach to reach, at which changes of both are alike: by their correlation
    without the largest of them, all shifts at once by a Fourier transform."""
    size = 1 << int(np.ceil(np.log2(len(target) + reach + 1)))
    transforms = []
    for changes in (input_, target):
        known = np.isfinite(changes)
        sizes = np.abs(changes[known & (changes != 0)])
        if len(sizes) < CHANGES:
            return []
        # In their own unit: squares of the largest numbers would be infinite.
        limit = 3 * np.median(sizes)
        clipped = np.clip(np.where(known, changes, 0.0) / limit, -1.0, 1.0)
        powers = (known.astype(np.float64), clipped, clipped**2)
        transforms.append([np.fft.rfft(power, size) for power in powers])
    (n_x, x, xx), (n_y, y, yy) = transforms

    def sums(one: NDArray[np.complex128], two: NDArray[np.complex128]) -> Floats:
        shifted: Floats = np.fft.irfft(np.conj(one) * two, size)
        return np.concatenate([shifted[-reach:], shifted[: reach + 1]])

    n = np.maximum(sums(n_x, n_y), 1.0)
    mean_x, mean_y = sums(x, n_y) / n, sums(n_x, y) / n
    spread = (sums(xx, n_y) / n - mean_x**2) * (sums(n_x, yy) / n - mean_y**2)
    both = sums(x, y) / n - mean_x * mean_y
    alike = np.abs(both) >= LIKELY * np.sqrt(np.maximum(spread, 1e-12))
    return [int(place) - reach for place in np.flatnonzero(alike & (n > CHANGES))]


def _held(input_: Floats, target: Floats, steps: int) -> str:
    """What an input is of the target some steps ahead: "it is", or empty."""
    x = input_[: len(input_) - steps] if steps >= 0 else input_[-steps:]
    y = target[steps:] if steps >= 0 else target[:steps]
    before, after = np.stack([x, y])[:, :-1], np.stack([x, y])[:, 1:]
    known = np.isfinite(before).all(0) & np.isfinite(after).all(0)
    x, y = after[:, known]
    change_x, change_y = (after - before)[:, known]
    moved = change_y != 0
    if moved.sum() < CHANGES:
        return ""
    same = np.abs(x - y) <= 1e-9 * np.abs(y)
    if same.mean() >= SAME and same[moved].mean() >= SAME:
        return "it is"
    return "it is a linear map of" if _mapped(change_x, change_y) else ""


def _mapped(x: Floats, y: Floats) -> bool:
    """Whether changes are those of a linear map: nearly all of them, and the usual ones too, which
    a few large ones would outweigh."""
    x, y = x / max(np.abs(x).max(), 1e-300), y / np.abs(y).max()
    usual = np.abs(y) <= 3 * np.median(np.abs(y[y != 0]))
    if (x[usual] ** 2).sum() == 0 or usual.sum() < CHANGES:
        return False
    slope = (x[usual] * y[usual]).sum() / (x[usual] ** 2).sum()
    away = np.abs(y - slope * x)
    near = away <= np.quantile(away, SAME)
    return _correlation(x[near], y[near]) > MAPPED and (
        _correlation(x[near & usual], y[near & usual]) > MAPPED
    )


def _correlation(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    both = np.sqrt((x**2).sum() * (y**2).sum())
    return float(abs((x * y).sum()) / both) if both > 0 else 0.0
