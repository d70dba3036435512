"""What a series is at a time, by its cycles and its trend alone."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from gatewright.baselines._harmonics import waves
from gatewright.baselines._windows import in_training
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared

RIDGE = 1e-3  # for each row, so that what training hardly tells stays small
FARTHEST = 2.0  # where a trend ends, in lengths of training from its start


@dataclasses.dataclass(frozen=True)
class Form:
    """What is chosen of a level."""

    harmonics: tuple[int, ...]  # of each cycle of the layout
    trend: bool = False
    pull: float = math.inf  # of what all series have in common, on each, in rows for each row


@dataclasses.dataclass(frozen=True)
class Axis:
    """The times that series were seen at, from 0 to 1."""

    begin: int
    length: int

    @classmethod
    def of(cls, data: Prepared) -> Axis:
        """Of the training part of all series."""
        begin, end = data.time[data.bounds[:, 0]], data.time[data.bounds[:, 1] - 1]
        return cls(int(begin.min()), max(1, int(end.max() - begin.min())))


def columns(layout: Layout, time: Tensor, form: Form, axis: Axis) -> Tensor:
    """1, the trend, and the waves of a form at times (n,): (n, columns), in float64."""
    passed = ((time - axis.begin).double() / axis.length).clamp(0, FARTHEST)
    ones = torch.ones_like(passed)
    first = torch.stack([ones, 2 * passed - 1] if form.trend else [ones], 1)
    return torch.cat([first, waves(layout, time, form.harmonics)], 1)


def within(form: Form, full: Form) -> Tensor:
    """Which of the columns of ``full``, which has a trend, are those of a form."""
    kept, at = [0, 1] if form.trend else [0], 2
    for some, most in zip(form.harmonics, full.harmonics, strict=True):
        kept += [*range(at, at + some), *range(at + most, at + most + some)]
        at += 2 * most
    return torch.tensor(kept)


@dataclasses.dataclass(frozen=True)
class Level:
    """The coefficients of a form: (series + 1, columns, targets), last those of a series that was
    not in training."""

    form: Form
    axis: Axis
    coefficients: Tensor

    def __call__(self, data: Prepared, begin: int, end: int) -> Tensor:
        """The level at rows of the data, (rows, targets), in float64."""
        times, place = data.time[begin:end].unique(return_inverse=True)
        every = columns(data.layout, times, self.form, self.axis)
        if math.isinf(self.form.pull):
            shared: Tensor = (every @ self.coefficients[-1])[place]
            return shared
        level = torch.zeros(end - begin, self.coefficients.shape[2], dtype=torch.float64)
        numbers = in_training(data).tolist()
        for number, (start, *_, stop) in zip(numbers, data.bounds.tolist(), strict=True):
            rows = slice(max(start - begin, 0), min(stop, end) - begin)
            if rows.start < rows.stop:
                level[rows] = every[place[rows]] @ self.coefficients[number]
        return level


@dataclasses.dataclass(frozen=True)
class LevelSums:
    """What the coefficients of all forms within one are found from, of each series and target, or
    of all series together; sums of different rows can be added."""

    full: Form
    axis: Axis
    inner: Tensor  # (series, targets, columns, columns)
    outer: Tensor  # (series, targets, columns)

    @classmethod
    def of(
        cls, data: Prepared, full: Form, axis: Axis, rows: list[tuple[int, int]], *, apart: bool
    ) -> LevelSums:
        """Of some rows of each series; without ``apart``, of all series together."""
        times, place = data.time.unique(return_inverse=True)
        every = columns(data.layout, times, full, axis)
        shape = (len(rows) if apart else 1, len(data.layout.targets), every.shape[1])
        inner = torch.zeros(*shape, shape[-1], dtype=torch.float64)
        outer = torch.zeros(shape, dtype=torch.float64)
        for item, (begin, end) in enumerate(rows):
            known = ~data.target[begin:end].isnan()
            seen, told = every[place[begin:end]], data.target[begin:end].nan_to_num().double()
            number = item if apart else 0
            outer[number] += told.T @ seen
            whole = seen.T @ seen if known.all() else None
            for target in range(shape[1]):
                some = seen[known[:, target]]
                inner[number, target] += some.T @ some if whole is None else whole
        return cls(full, axis, inner, outer)

    def __add__(self, more: LevelSums) -> LevelSums:
        return LevelSums(self.full, self.axis, self.inner + more.inner, self.outer + more.outer)

    def level(self, form: Form) -> Level:
        """Ridge regression on what all series have in common, and of each series on the rest."""
        kept = within(form, self.full)
        inner, outer = self.inner[..., kept[:, None], kept], self.outer[..., kept, None]
        shared = _solve(inner.sum(0), outer.sum(0), RIDGE)
        found = shared[None]
        if not math.isinf(form.pull):
            own = shared + _solve(inner, outer - inner @ shared, form.pull)
            found = torch.cat([own, found])
        return Level(form, self.axis, found[..., 0].transpose(1, 2))


def _solve(inner: Tensor, outer: Tensor, ridge: float) -> Tensor:
    """Each column but the constant 1 shrunk by the ridge for each row; all by one that is tiny."""
    penalty = torch.full(inner.shape[-1:], ridge, dtype=torch.float64)
    penalty = penalty * inner[..., :1, :1].squeeze(-1).clamp(min=1.0)
    solved: Tensor = torch.linalg.solve(inner + torch.diag_embed(penalty), outer)
    return solved
