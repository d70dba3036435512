"""Windows of series: an example is the row at which a forecast begins, its origin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.batching import Batch, rows_of
from gatewright.data.calendar import Integers, step_in_words
from gatewright.data.continuing import history_of, join_history
from gatewright.data.examples.timing import parts_of_series, step_numbers, times_of
from gatewright.data.guess.forecasts import guess_forecast
from gatewright.data.guess.roles import Column, Notes, Roles
from gatewright.data.guess.shapes import SERIES
from gatewright.data.layout import Layout
from gatewright.data.naive import seasonal_errors
from gatewright.data.prepare.axis import by_workdays
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.series import partition_new_series, partition_series
from gatewright.data.prepared import PARTS, Part, Preparation, Prepared
from gatewright.data.question import Examples, Target, TaskChoice
from gatewright.data.table.reading import Table
from gatewright.data.within import edges
from gatewright.errors import InputError
from gatewright.requests import Split
from gatewright.wording.numbers import counted

HISTORY = 2  # horizons before an origin that are kept to be shown, or 24 steps
BLOCK = 65536  # origins looked at together
MANY_SERIES = 50  # that are tested by series if moments are few:
FEW_STRETCHES = 3  # of the horizon, in the moments of test: spread needs as many


class Windows(Examples):
    """What a series holds up to an origin, to tell the horizon after it."""

    unit = "window"
    shapes = frozenset({SERIES})
    every_step = True
    sees_targets = True
    overlapping = True
    shown = 6
    goes_on = True

    def layout(
        self,
        table: Table,
        columns: Mapping[str, Column],
        roles: Roles,
        notes: Notes,
        choice: TaskChoice,
    ) -> Layout:
        return guess_forecast(table, columns, roles, notes, choice)

    def channels(self, layout: Layout) -> tuple[str, ...]:
        return (*layout.targets, *layout.numbers)

    def known_when_predicting(self, layout: Layout) -> tuple[str, ...]:
        return tuple(name for name in layout.numbers if name in layout.known)

    def settled(self, table: Table, layout: Layout) -> Layout:
        return by_workdays(table, layout)

    def partition(
        self,
        table: Table,
        layout: Layout,
        target: Target,
        folder: Path,
        split: Split,
        seed: int,
    ) -> Partition:
        return partition_series(table, layout, folder, split)

    def partition_new(self, table: Table, layout: Layout, folder: Path) -> Partition:
        return partition_new_series(table, layout, folder)

    def remarks(self, layout: Layout, partition: Partition, folder: Path) -> list[str]:
        """A sentence for each target that has one value only in the test part of each series, and
        one for the series that have no scaled error."""
        target = np.load(folder / "target.npy", mmap_mode="c", allow_pickle=False)
        same, seen = np.ones((2, len(layout.targets)), dtype=bool)
        seen[:] = False
        for begin, end in partition.bounds[:, 2:].tolist():
            if end - begin > 1:
                low, high = (each.reduce(target[begin:end]) for each in (np.fmin, np.fmax))
                same &= ~(low < high)
                seen |= low == high
            if not same.any():
                break
        notes = [
            f"{name} never changes in the test part: what is best there need not be what forecasts "
            "its changes"
            for name, unchanging in zip(layout.targets, same & seen, strict=True)
            if unchanging
        ]
        return notes + _without_scale(target, layout, partition)

    def of_part(self, data: Prepared, part: str) -> Tensor:
        """Those origins of ``origins`` that have at least one target to predict."""
        steps = torch.arange(data.layout.horizon)
        every, kept = origins(data, part), []
        for some in every.split(BLOCK):
            present = torch.zeros(len(some), dtype=torch.bool)
            for step in steps:
                present |= ~data.target[some + step].isnan().all(1)
                if bool(present.all()):
                    break
            kept.append(some[present])
        return torch.cat(kept) if kept else every

    def held_out(self, data: Prepared) -> Prepared:
        """With windows too that begin in training and reach into validation, with no target in
        training: of a validation of a few horizons most steps are told from every distance."""
        item = torch.repeat_interleave(torch.arange(len(data.bounds)), data.lengths)
        trained = torch.arange(len(item)) < data.bounds[item, 1]
        bounds = data.bounds.clone()
        bounds[:, 1] = torch.maximum(bounds[:, 1] - data.layout.horizon + 1, bounds[:, 0])
        target = data.target.masked_fill(trained[:, None], torch.nan)
        return dataclasses.replace(data, bounds=bounds, target=target)

    def parts(self, data: Prepared, table: Table) -> tuple[Part, ...]:
        return parts_of_series(data, table, [self.of_part(data, part) for part in PARTS])

    def batch(self, data: Prepared, examples: Tensor) -> Batch:
        context, horizon = data.layout.context, data.layout.horizon
        item = self.items(data, examples)
        before = examples - data.bounds[:, 0].index_select(0, item)
        lengths = None
        rows = examples + torch.arange(-context, 0)[:, None]
        if not bool((before >= context).all()):
            lengths = before.clamp(max=context)
            rows = (examples - lengths) + torch.arange(context)[:, None]
            rows = torch.minimum(rows, examples - 1)  # beyond a length nothing is looked at
        future_rows = examples + torch.arange(horizon)[:, None]
        channels, categories = data.preparation.channels, data.preparation.categories
        known = [number for number, channel in enumerate(channels) if channel.known]
        codes = [number for number, category in enumerate(categories) if category.known]
        return Batch(
            values=rows_of(data.values, rows),
            codes=rows_of(data.codes, rows),
            lengths=lengths,
            target=rows_of(data.target, future_rows.T),
            future=rows_of(data.values, future_rows, known),
            future_codes=rows_of(data.codes, future_rows, codes),
            data=data,
            examples=examples,
        )

    def units(self, data: Prepared, examples: Tensor) -> NDArray[Any]:
        """Origins at the same time belong together, whatever their series: the number of the step.

        Also of series whose steps begin at other moments: within one step, their times are the
        same. Where there is hardly any time but many series, those of one series belong together.
        """
        if self.by_series(data, examples):
            return self.items(data, examples).numpy()
        return step_numbers(data, examples)

    def unit_of(self, part: str) -> str:
        return "forecast origin"  # with a window of each series

    def by_series(self, data: Prepared, examples: Tensor) -> bool:
        """Many series and so little time that nothing could be told from moments (as the M
        competitions are tested: Koning and others 2005, The M3 competition: Statistical tests of
        the results)."""
        if len(self.items(data, examples).unique()) < MANY_SERIES:
            return False
        steps = np.unique(step_numbers(data, examples))
        return len(steps) < FEW_STRETCHES * self.overlap(data.layout, steps)

    def overlap(self, layout: Layout, units: Integers) -> int:
        """The most units within a horizon."""
        within = np.searchsorted(units, units + layout.horizon) - np.arange(len(units))
        return int(within.max(initial=1))

    def items(self, data: Prepared, examples: Tensor) -> Tensor:
        starts = data.bounds[:, 0].contiguous()
        return torch.bucketize(examples.contiguous(), starts, right=True) - 1

    def places(self, data: Prepared, examples: Tensor) -> dict[str, Tensor]:
        horizon = data.layout.horizon
        return {
            "step": torch.arange(horizon).repeat(len(examples)),
            "series": self.items(data, examples).repeat_interleave(horizon),
        }

    def beside(self, data: Prepared, examples: Tensor) -> dict[str, Tensor]:
        """The targets before each origin (n, history, targets), NaN where there is none; the times
        of those steps and of the horizon (n, history + horizon); what turns targets into the
        column's units."""
        layout, item = data.layout, self.items(data, examples)
        history = min(layout.context, max(HISTORY * layout.horizon, 24))
        rows = examples[:, None] + torch.arange(-history, layout.horizon)
        start = data.bounds[item, 0][:, None]
        seen = data.target[rows[:, :history].clamp(min=0)]
        return {
            "before": seen.where((rows[:, :history] >= start)[..., None], torch.nan),
            "time": data.time[rows.maximum(start)],
            "center": data.center[item],
            "scale": data.scale[item],
        }

    def described(self, layout: Layout, preparation: Preparation, judged: int) -> list[str]:
        words = [f"{counted(layout.horizon, 'step')} ahead"]
        if layout.frequency and not layout.frequency.endswith("i"):
            words.append(f"a step is {step_in_words(layout.frequency)}")
        if layout.series:
            every = len(preparation.series)
            some = "" if judged == every else f"{judged:,} of "
            words.append(f"{some}{every:,} series")
        return words

    def split_in_words(self, layout: Layout) -> str:
        return "in the order of time"

    def history(self, table: Table, layout: Layout, *, whole: bool) -> pl.DataFrame | None:
        return history_of(table, layout, whole=whole)

    def extended(self, table: Table | None, history: pl.DataFrame | None, layout: Layout) -> Table:
        return join_history(table, history, layout)

    def to_predict(self, data: Prepared) -> Tensor:
        """The row after the last one with a target, of each series."""
        return torch.tensor([_origin(data, number) for number in range(len(data.items))])

    def index(self, data: Prepared, table: Table, examples: Tensor) -> dict[str, Any]:
        layout, horizon = data.layout, data.layout.horizon
        columns: dict[str, Any] = {}
        if layout.series:
            names = [data.items[item] for item in self.items(data, examples).tolist()]
            columns[layout.series] = np.repeat(np.array(names, dtype=object), horizon).tolist()
        rows = (examples[:, None] + torch.arange(horizon)).flatten()
        if layout.time is None:
            return columns | {"step": np.tile(np.arange(1, horizon + 1), len(examples))}
        return columns | {layout.time: times_of(data.time[rows].numpy(), table.schema[layout.time])}

    def rows(self, prediction: Tensor, data: Prepared, examples: Tensor) -> Tensor:
        return prediction.flatten(0, 1)

    def scale(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        item = self.items(data, examples).repeat_interleave(data.layout.horizon)
        return data.center[item], data.scale[item]

    def limits(self, data: Prepared, examples: Tensor) -> tuple[Tensor, Tensor]:
        """Limits that were guessed hold as long as nothing that the window sees of the target lies
        beyond: (n, 1, targets)."""
        item = self.items(data, examples)
        low, high = edges(data.preparation.limits, data.center[item], data.scale[item])
        begin = torch.maximum(data.bounds[item, 0], examples - data.layout.context)
        refuted = data.passes[examples] > data.passes[begin]
        low, high = low.masked_fill(refuted, -torch.inf), high.masked_fill(refuted, torch.inf)
        return low[:, None], high[:, None]

    def naive(self, data: Prepared, examples: Tensor) -> Tensor:
        return data.naive[self.items(data, examples).repeat_interleave(data.layout.horizon)]

    def needs(self, layout: Layout) -> tuple[str, str]:
        return "FUTURE.csv" if layout.known else "", "forecast.csv"


def _without_scale(target: NDArray[np.float32], layout: Layout, partition: Partition) -> list[str]:
    """What is said of series whose errors cannot be scaled, a sentence for each reason."""
    bounds = torch.from_numpy(partition.bounds)
    naive = seasonal_errors(torch.from_numpy(target), bounds, layout.season)
    without, short = naive.isnan().any(1), bounds[:, 1] - bounds[:, 0] <= layout.season
    season = f"a season of {counted(layout.season, 'step')}"
    notes = []
    for which, why in (
        (without & short, f"training is no longer than {season}"),
        (without & ~short, "no change from a season to the next in training"),
    ):
        found = which.nonzero().flatten().tolist()
        if found:
            names = ", ".join([*(partition.items[item] for item in found[:3]), "..."][: len(found)])
            who = f"{len(found):,} series ({names})" if layout.series else "the series"
            notes.append(f"{who}: {why}, so that the mean absolute scaled error leaves it out")
    return notes


def origins(data: Prepared, part: str) -> Tensor:
    """Every origin whose horizon lies in a part and has the context before it, (n,), ascending.

    The context may reach back into the part before, never beyond the start of the series. A series
    too short for a whole context in training gives windows that begin where it begins, from half
    a context on.
    """
    layout, number = data.layout, PARTS.index(part)
    begin, end = data.bounds[:, number], data.bounds[:, number + 1]
    start = data.bounds[:, 0]
    room = data.bounds[:, 1] - start - layout.horizon
    least = torch.where(room >= layout.context, layout.context, max(1, layout.context // 2))
    first = torch.maximum(begin, start + least)
    last = end - layout.horizon
    origins = [
        torch.arange(low, high + 1)
        for low, high in zip(first.tolist(), last.tolist(), strict=True)
        if high >= low
    ]
    return torch.cat(origins) if origins else torch.empty(0, dtype=torch.int64)


def _origin(data: Prepared, item: int) -> int:
    """The row after the last one with a target, so that a whole horizon is there."""
    start, end = int(data.bounds[item, 0]), int(data.bounds[item, 3])
    seen = (~data.target[start:end].isnan().all(1)).nonzero()
    if len(seen) == 0:
        raise InputError(
            f"{data.items[item]} has no value of {', '.join(data.layout.targets)}: give the rows "
            "that lead up to the forecast"
        )
    origin = start + int(seen[-1]) + 1
    assert origin + data.layout.horizon <= end, "join_history adds the rows of the future"
    return origin
