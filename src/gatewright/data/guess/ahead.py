"""Inputs that hold the target ahead of time: copies shifted by some steps, or linear maps of them.

Whoever prepares a table for a model that sees one row often leaves such a column in it. A forecast
that reads it has the answer before its eyes on test, and nothing once it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.guess.roles import Column, Roles
from gatewright.data.table.reading import Table
from gatewright.wording.numbers import counted

Floats = NDArray[np.float64]

SERIES = "\0series"  # no name of a file of text holds this character
ROWS, NUMBERS = 20_000, 2_000_000  # that are looked at; of many inputs fewer rows
TARGETS = 20  # that are looked at, of many
MOST = 200  # steps ahead that are looked for, or the horizon
LIKELY = 0.7  # correlation of changes, without the largest, from which on a shift is looked at
SAME = 0.99  # share of the rows that have to agree: the last ones may have been filled
MAPPED = 0.9999  # correlation of changes that makes a column a linear map
CHANGES = 20  # that have to agree; fewer may by chance


def held_ahead(
    table: Table, columns: Mapping[str, Column], roles: Roles, names: Sequence[str], reach: int
) -> dict[str, str]:
    """Those inputs among the names that hold a target up to ``reach`` steps ahead, and what each
    is: what was named as known ahead or as a category is not asked.

    A column that as well holds a target of now or of before, as one that repeats does, is none.
    """
    chosen = {*roles.known, *roles.categories}
    names = [name for name in names if name not in chosen]
    if not names:
        return {}
    targets = roles.targets[:TARGETS]
    rows = _rows(table, roles, [*names, *targets], reach)
    inputs, wanted = rows[:, : len(names)], rows[:, len(names) :]
    seen = _Changes.of(inputs, reach)
    found: dict[str, str] = {}
    for at, target in enumerate(targets):
        alike = seen.alike(_Changes.of(wanted[:, at : at + 1], reach), reach)
        for number in np.flatnonzero(alike[:, reach + 1 :].any(axis=1)).tolist():
            likely = (np.flatnonzero(alike[number]) - reach).tolist()
            ahead = _ahead(inputs[:, number], wanted[:, at], likely)
            if ahead is not None:
                steps, what = ahead
                words = f"on nearly all rows {what} {target} {counted(steps, 'step')} ahead"
                found.setdefault(names[number], words)
    return found


def _rows(table: Table, roles: Roles, names: Sequence[str], reach: int) -> Floats:
    """(rows, names): one series below another, with ``reach`` rows of NaN after each."""
    values = [pl.col(name).cast(pl.Float64) for name in names]
    key = [] if roles.series is None else [pl.col(roles.series).alias(SERIES)]
    count = min(ROWS, max(NUMBERS // len(names), 10 * reach))
    frame = table.collect(table.frame.select(*values, *key).head(count))
    parts = frame.partition_by(SERIES, maintain_order=True) if key else [frame]
    gap = np.full((reach, len(values)), np.nan)
    return np.concatenate([each for part in parts for each in (part[names].to_numpy(), gap)])


@dataclass(frozen=True)
class _Changes:
    """The changes of columns from row to row, without the largest, as Fourier transforms."""

    known: NDArray[np.complex128]  # (columns, frequencies): of 1 where there is one
    values: NDArray[np.complex128]
    spread: Floats  # (columns,): the standard deviation; infinite where there are too few

    @classmethod
    def of(cls, rows: Floats, reach: int) -> Self:
        size = 1 << int(np.ceil(np.log2(len(rows) + reach)))
        with np.errstate(all="ignore"):
            changes = np.diff(rows, axis=0).T
        known = np.isfinite(changes)
        values, spread = np.zeros(changes.shape), np.full(len(changes), np.inf)
        for number, (change, there) in enumerate(zip(changes, known, strict=True)):
            moved = np.abs(change[there & (change != 0)])
            if len(moved) >= CHANGES:
                # In units of the largest: sums and squares of large numbers would be infinite.
                largest = moved.max()
                usual = max(3 * float(np.median(moved / largest)), 1e-300)
                clipped = np.clip(change[there] / largest / usual, -1.0, 1.0)
                values[number, there] = clipped - clipped.mean()
                spread[number] = clipped.std()
        return cls(np.fft.rfft(known, size), np.fft.rfft(values, size), spread)

    def alike(self, target: _Changes, reach: int) -> NDArray[np.bool_]:
        """Whether the changes of each column correlate with those of one target, at each shift
        from -reach to reach: (columns, shifts)."""

        def sums(one: NDArray[np.complex128], two: NDArray[np.complex128]) -> Floats:
            shifted = np.fft.irfft(np.conj(one) * two)
            return np.concatenate([shifted[:, -reach:], shifted[:, : reach + 1]], axis=1)

        both, count = sums(self.values, target.values), sums(self.known, target.known)
        enough = count > CHANGES
        with np.errstate(invalid="ignore"):  # of no rows and an infinite spread
            likely = np.abs(both) >= LIKELY * count * (self.spread * target.spread)[:, None]
        return np.asarray(likely & enough)


def _ahead(input_: Floats, target: Floats, likely: Sequence[int]) -> tuple[int, str] | None:
    """(steps, what it is) where an input holds the target ahead, and not that of now or before."""
    found = {steps: what for steps in likely if (what := _held(input_, target, steps))}
    if not found or min(found) <= 0:
        return None
    first = min(found)
    return first, found[first]


def _held(input_: Floats, target: Floats, steps: int) -> str:
    """What an input is of the target some steps ahead: "it is", or empty."""
    x = input_[: len(input_) - steps] if steps >= 0 else input_[-steps:]
    y = target[steps:] if steps >= 0 else target[:steps]
    before, after = np.stack([x, y])[:, :-1], np.stack([x, y])[:, 1:]
    known = np.isfinite(before).all(0) & np.isfinite(after).all(0)
    x, y = after[:, known]
    with np.errstate(over="ignore"):
        change_x, change_y = (after - before)[:, known]
    if not (np.isfinite(change_x).all() and np.isfinite(change_y).all()):
        return ""
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
