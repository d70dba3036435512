"""The predictions that a run kept to be shown, in the units of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright import tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit, Plan, Row, Score
from gatewright.comparison.running import best_seed
from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation
from gatewright.training.checkpoint import Tensors

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """What one fit of a candidate predicted of some test examples.

    Forecasts: ``prediction`` (examples, horizon, targets, 1 + quantiles), ``target`` (examples,
    horizon, targets), ``before`` (examples, history, targets), ``time`` (examples, history +
    horizon). Else ``prediction`` (examples, classes or targets), ``target`` (examples, targets),
    and nothing before.
    """

    fit: str
    items: tuple[str, ...]
    prediction: Array
    target: Array
    before: Array | None = None
    time: NDArray[np.int64] | None = None


def shown_of(
    folder: RunFolder, plan: Plan, preparation: Preparation, rows: list[Row]
) -> dict[str, Shown]:
    """Candidate -> what is shown of it, best first."""
    fits, scores = folder.fits(), folder.scores()
    shown = {}
    for row in rows:
        name = representative(row.name, fits, scores)
        if name is not None:
            tensors, record = folder.kept_score(scores[name])
            shown[row.name] = shown_in(tensors, record, plan.layout, preparation, name)
    return shown


def representative(
    candidate: str, fits: Mapping[str, Fit], scores: Mapping[str, Score]
) -> str | None:
    """Of the fits that were judged, the one that would be shipped: the best on validation."""
    mine = [
        fits[name]
        for name, score in scores.items()
        if score.candidate == candidate and not score.failed and name in fits
    ]
    best = best_seed(mine)
    return None if best is None else best.name


def shown_in(
    tensors: Tensors, record: Any, layout: Layout, preparation: Preparation, fit: str
) -> Shown:
    """What stands in a file beside a score; ``record``: that of the file."""
    kept = {
        name.removeprefix("shown_"): value
        for name, value in tensors.items()
        if name.startswith("shown_")
    }
    arrays = {name: value.double().numpy() for name, value in kept.items()}
    # Of series, where each has its own: for every step of a window.
    means, scales = preparation.target_mean, preparation.target_scale
    center = arrays["center"][:, None] if "center" in arrays else np.array(means)
    scale = arrays["scale"][:, None] if "scale" in arrays else np.array(scales)
    in_units = tasks.get(layout.task).target.in_units
    return Shown(
        fit=fit,
        items=tuple((record or {}).get("items", ())),
        prediction=in_units(arrays["prediction"], center, scale),
        target=in_units(arrays["target"], center, scale),
        before=in_units(arrays["before"], center, scale) if "before" in arrays else None,
        time=kept["time"].numpy() if "time" in kept else None,
    )
