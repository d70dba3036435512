"""Small data sets as they are after preparation, and baselines on them. No file is read."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewright import baselines, tasks
from gatewright.baselines import Fitted
from gatewright.data.layout import Layout
from gatewright.data.prepared import Category, Channel, Preparation, Prepared
from gatewright.setting import Options, Setting


def series(
    numbers: Tensor,
    *,
    season: int = 1,
    horizon: int = 3,
    context: int = 8,
    known: Tensor | None = None,
    codes: Tensor | None = None,
    known_codes: bool = False,
    bounds: list[list[int]] | None = None,
) -> Prepared:
    """Series for forecasts; without bounds one series, 60% training and 20% validation.

    numbers: (rows, targets), NaN where missing: imputed by the value before. Scaled by 2, less 1.
    known: (rows, inputs), whose future is known. codes: (rows, categories).
    """
    rows, targets = numbers.shape
    names = tuple(f"target {number}" for number in range(targets))
    missing = numbers.isnan()
    values = numbers.clone()
    for row in range(rows):
        values[row] = values[row].where(~missing[row], values[row - 1] if row else 0.0)
    channels = [Channel(name=name, column=name, role="target", known=False) for name in names]
    columns = [values]
    for name in names if missing.any() else ():
        channels.append(Channel(name=f"{name} missing", column=name, role="missing", known=False))
    if missing.any():
        columns.append(missing.float())
    if known is not None:
        channels += [
            Channel(name=f"known {number}", column=f"known {number}", role="input", known=True)
            for number in range(known.shape[1])
        ]
        columns.append(known)
    codes = torch.zeros(rows, 0, dtype=torch.int64) if codes is None else codes
    categories = tuple(
        Category(
            column=f"category {number}",
            values=tuple(f"value {value}" for value in range(int(codes[:, number].max()))),
            known=known_codes,
        )
        for number in range(codes.shape[1])
    )
    layout = Layout(
        task="forecast",
        targets=names,
        categories=tuple(found.column for found in categories),
        season=season,
        horizon=horizon,
        context=context,
    )
    ends = torch.tensor(bounds or [[0, rows * 6 // 10, rows * 8 // 10, rows]])
    return Prepared(
        preparation=Preparation(
            layout=layout,
            channels=tuple(channels),
            categories=categories,
            target_mean=(-1.0,) * targets,
            target_scale=(2.0,) * targets,
        ),
        items=tuple(f"series {number}" for number in range(len(ends))),
        values=torch.cat(columns, 1),
        codes=codes,
        time=torch.arange(rows),
        bounds=ends,
        part=torch.zeros(0, dtype=torch.int64),
        group=torch.zeros(0, dtype=torch.int64),
        target=numbers,
        center=torch.full((len(ends), targets), -1.0, dtype=torch.float64),
        scale=torch.full((len(ends), targets), 2.0, dtype=torch.float64),
    )


def sequences(
    task: str,
    values: list[Tensor],
    target: Tensor,
    *,
    codes: list[Tensor] | None = None,
    classes: int = 0,
) -> Prepared:
    """Sequences, each (steps, channels); of six, one goes to validation and one to test.

    target: (sequences, targets). codes: each (steps, categories).
    """
    codes = codes or [torch.zeros(len(one), 0, dtype=torch.int64) for one in values]
    ends = torch.tensor([len(one) for one in values]).cumsum(0)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
    number = torch.arange(len(values))
    part = torch.tensor([0, 0, 0, 1, 0, 2]).repeat(len(values) // 6 + 1)[: len(values)]
    flat, all_codes = torch.cat(values), torch.cat(codes)
    labels = tuple(f"class {found}" for found in range(classes))
    train = target[part == 0, 0]
    preparation = Preparation(
        layout=Layout(
            task=task,
            targets=("class",) if classes else tuple(f"t{n}" for n in range(target.shape[1])),
        ),
        channels=tuple(
            Channel(name=f"c{n}", column=f"c{n}", role="input", known=False)
            for n in range(flat.shape[1])
        ),
        categories=tuple(
            Category(
                column=f"category {n}",
                values=tuple(f"value {value}" for value in range(int(all_codes[:, n].max()))),
                known=False,
            )
            for n in range(all_codes.shape[1])
        ),
        classes=labels,
        class_counts=tuple(int((train == found).sum()) for found in range(classes)),
    )
    return Prepared(
        preparation=preparation,
        items=tuple(str(found) for found in number.tolist()),
        values=flat,
        codes=all_codes,
        time=torch.cat([torch.arange(len(one)) for one in values]),
        bounds=torch.stack([starts, ends, ends, ends], 1),
        part=part,
        group=number,
        target=target,
        center=torch.zeros(0, dtype=torch.float64),
        scale=torch.zeros(0, dtype=torch.float64),
    )


def periodic(rows: int, season: int, targets: int = 1) -> Tensor:
    """(rows, targets): a season that repeats exactly."""
    return torch.randn(season, targets).repeat(rows // season + 1, 1)[:rows]


def waves(count: int = 90, horizon: int = 3) -> Prepared:
    steps = torch.arange(count)
    numbers = torch.stack([(steps * 0.7).sin(), (steps * 0.7).cos()], 1)
    return series(numbers, horizon=horizon, context=8, known=(steps[:, None] % 2).float())


def labelled(task: str) -> Prepared:
    """Sequences of different lengths whose target is told by their level."""
    generator = torch.Generator().manual_seed(0)
    level = torch.arange(36) % 3
    values = [
        one + 0.1 * torch.randn(4 + number % 5, 2, generator=generator)
        for number, one in enumerate(level.tolist())
    ]
    target = level[:, None].float()
    question = tasks.get(task)
    if question.examples.every_step:
        target = target.repeat_interleave(torch.tensor([len(one) for one in values]), 0)
    if not question.target.numeric:
        return sequences(task, values, target, classes=3)
    return sequences(task, values, target - 1)


def of_task(task: str) -> Prepared:
    """Something that a task can learn."""
    return waves() if tasks.get(task).examples.sees_targets else labelled(task)


def baseline_of(name: str, task: str, data: Prepared, **options: Any) -> Any:
    kind = baselines.get(name)
    if kind.extra and importlib.util.find_spec("statsforecast") is None:
        pytest.skip(f"the extra {kind.extra} is not installed")
    return kind(tasks.get(task)(data.preparation, Options(**options)))


def predictor(baseline: Any, data: Prepared) -> Any:
    """Fits; returns what predicts from data and examples."""
    if isinstance(baseline, Fitted):
        baseline.fit(data)
        return baseline.predict
    network = baseline.network(Setting()).eval()
    return lambda data, examples: network(baseline.task.examples.batch(data, examples)).detach()
