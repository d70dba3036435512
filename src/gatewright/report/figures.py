"""What the page's script draws, as plain data: nothing is embedded that is not drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatewright.comparison.records import Fit, Plan, Row
from gatewright.comparison.running import chosen

MOST_TARGETS = 12  # whose predictions are drawn
MOST_EPOCHS = 200  # points of a curve


def plain(values: Any) -> Any:
    """Arrays and lists with five significant digits; what is not finite becomes null."""
    if isinstance(values, np.ndarray):
        return plain(values.tolist())
    if isinstance(values, list):
        return [plain(value) for value in values]
    if isinstance(values, float):
        return float(f"{values:.5g}") if math.isfinite(values) else None
    return values


def learning(plan: Plan, fits: Mapping[str, Fit], rows: Sequence[Row]) -> dict[str, Any]:
    """Candidate -> its curves, one a setting and seed."""
    settings = chosen(plan, dict(fits))
    by_candidate: dict[str, Any] = {}
    for row in rows:
        # Of each setting and seed: what was before is part of it.
        longest: dict[tuple[int, int], Fit] = {}
        for fit in fits.values():
            key = fit.setting, fit.seed
            before = longest.get(key)
            if fit.candidate == row.name and len(fit.epochs) > 1:
                longest[key] = fit if before is None or fit.asked > before.asked else before
        mine = list(longest.values())
        curves = [_curve(fit, settings.get(row.name)) for fit in mine]
        if curves:
            by_candidate[row.name] = curves
    return by_candidate


def _curve(fit: Fit, setting: int | None) -> dict[str, Any]:
    step = math.ceil(len(fit.epochs) / MOST_EPOCHS)
    last = len(fit.epochs) - 1
    # The best and the last epoch are shown whatever is left out.
    kept = [
        epoch
        for index, epoch in enumerate(fit.epochs)
        if index % step == 0 or index == last or epoch.number == fit.best_epoch
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


def contenders(plan: Plan, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Who is drawn, best first. A colour stays with a candidate in every picture."""
    slots = {True: 0, False: 0}
    drawn = []
    for row in rows:
        if not row.failed:
            entry = {"name": row.name, "title": row.title, "baseline": row.baseline}
            drawn.append(entry | {"slot": slots[row.baseline]})
            slots[row.baseline] += 1
    return drawn
