"""What the page's script draws, as plain data: nothing is embedded that is not drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from gatewright.comparison.records import Fit, Plan, Row, Score
from gatewright.comparison.running import chosen
from gatewright.data.layout import Layout
from gatewright.report.shown import HIGH, HIGHEST, LOW, LOWEST, POINT, Array, Shown

MOST_NUMBERS = 250_000  # of forecasts, about 2 MB
MOST_TARGETS = 12
MOST_EPOCHS = 200  # points of a curve
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def plain(values: Any) -> Any:
    """Arrays and lists with five significant digits; what is not finite becomes null."""
    if isinstance(values, np.ndarray):
        return plain(values.tolist())
    if isinstance(values, list):
        return [plain(value) for value in values]
    if isinstance(values, float):
        return float(f"{values:.5g}") if math.isfinite(values) else None
    return values


def has_dates(layout: Layout) -> bool:
    """Whether times are dates; else they are numbers of steps."""
    return bool(layout.time and layout.frequency and not layout.frequency.endswith("i"))


def times(values: Sequence[int], layout: Layout) -> list[Any]:
    """Microseconds as dates that plotting libraries read; whole numbers as they are."""
    if not has_dates(layout):
        return list(values)
    return [
        (BEGINNING + timedelta(microseconds=value)).strftime("%Y-%m-%d %H:%M:%S")
        for value in values
    ]


def time_label(value: Any) -> str:
    """A time as people read it, without a clock where that is midnight."""
    if isinstance(value, str):
        return value.removesuffix(":00").removesuffix(" 00:00")
    return f"step {value:,}"


def forecasts(plan: Plan, shown: Mapping[str, Shown]) -> dict[str, Any]:
    """Histories, truths and forecasts with their bands; as many targets as the page carries."""
    first = next(iter(shown.values()))
    origins, horizon, targets = first.target.shape
    history = 0 if first.before is None else first.before.shape[1]
    each = origins * (horizon * (5 * len(shown) + 1) + history)
    kept = max(1, min(targets, MOST_TARGETS, MOST_NUMBERS // max(1, each)))
    truth = (
        first.target if first.before is None else np.concatenate([first.before, first.target], 1)
    )
    return {
        "targets": list(plan.layout.targets[:kept]),
        "all_targets": targets,
        "history": history,
        "dates": has_dates(plan.layout) and first.time is not None,
        "axis": plan.layout.time or "step",
        "origins": _origin_labels(first, plan.layout, history),
        "time": [times_of(first, plan.layout, number) for number in range(origins)],
        "truth": plain(truth[..., :kept].transpose(0, 2, 1)),
        "by": {name: _bands(one.prediction, kept) for name, one in shown.items()},
    }


def _bands(prediction: Array, targets: int) -> dict[str, Any]:
    """Each (origins, targets, horizon)."""
    places = {"point": POINT, "lowest": LOWEST, "low": LOW, "high": HIGH, "highest": HIGHEST}
    return {
        name: plain(prediction[:, :, :targets, place].transpose(0, 2, 1))
        for name, place in places.items()
    }


def times_of(shown: Shown, layout: Layout, origin: int) -> list[Any]:
    """Of the steps before an origin and of its horizon."""
    if shown.time is None:
        return list(range(1, shown.target.shape[1] + 1))
    return times(shown.time[origin].tolist(), layout)


def _origin_labels(shown: Shown, layout: Layout, history: int) -> list[str]:
    labels = []
    for number in range(len(shown.target)):
        label = f"origin {number + 1}"
        if shown.time is not None:
            label = time_label(times_of(shown, layout, number)[history])
        if layout.series and shown.items:
            label = f"{shown.items[number]}, {label}"
        labels.append(label)
    return labels


def scatter(plan: Plan, shown: Mapping[str, Shown]) -> dict[str, Any]:
    """True and predicted numbers of sequences."""
    first = next(iter(shown.values()))
    kept = min(len(plan.layout.targets), MOST_TARGETS)
    return {
        "targets": list(plan.layout.targets[:kept]),
        "items": list(first.items),
        "truth": plain(first.target.T[:kept]),
        "by": {name: plain(one.prediction.T[:kept]) for name, one in shown.items()},
    }


def learning(plan: Plan, fits: Mapping[str, Fit], rows: Sequence[Row]) -> dict[str, Any]:
    """Candidate -> its curves, one a setting and seed."""
    settings = chosen(plan, dict(fits))
    found: dict[str, Any] = {}
    for row in rows:
        mine = [fit for fit in fits.values() if fit.candidate == row.name and len(fit.epochs) > 1]
        curves = [_curve(fit, settings.get(row.name)) for fit in mine]
        if curves:
            found[row.name] = curves
    return found


def _curve(fit: Fit, setting: int | None) -> dict[str, Any]:
    step = math.ceil(len(fit.epochs) / MOST_EPOCHS)
    last = len(fit.epochs) - 1
    # The best and the last epoch are shown whatever is left out.
    kept = [
        epoch
        for place, epoch in enumerate(fit.epochs)
        if place % step == 0 or place == last or epoch.number == fit.best_epoch
    ]
    return {
        "setting": fit.setting + 1,
        "seed": fit.seed,
        "chosen": fit.setting == setting,
        "best": fit.best_epoch,
        "epoch": [epoch.number for epoch in kept],
        "train": plain([epoch.train_loss for epoch in kept]),
        "validation": plain([epoch.validation_loss for epoch in kept]),
        "norm": plain([epoch.gradient_norm for epoch in kept]),
        "clipped": plain([epoch.clipped for epoch in kept]),
    }


def by_step(scores: Mapping[str, Score], rows: Sequence[Row]) -> dict[str, list[float]]:
    """Candidate -> its loss at each step of the horizon, mean over seeds."""
    found = {}
    for row in rows:
        steps = [
            score.measures["by_step"]
            for score in scores.values()
            if score.candidate == row.name and not score.failed and "by_step" in score.measures
        ]
        if steps and len(steps[0]) > 1:
            found[row.name] = plain(np.array(steps, dtype=float).mean(0))
    return found


def contenders(plan: Plan, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Who is drawn, best first. A colour stays with a candidate in every picture."""
    slots = {True: 0, False: 0}
    found = []
    for row in rows:
        if not row.failed:
            entry = {"name": row.name, "title": row.title, "baseline": row.baseline}
            found.append(entry | {"slot": slots[row.baseline]})
            slots[row.baseline] += 1
    return found
