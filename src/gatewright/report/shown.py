"""The predictions that a run kept to be shown, in the units of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright import tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Plan, Row
from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation
from gatewright.training.checkpoint import Tensors

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """What a candidate predicted of some test examples.

    Forecasts: ``prediction`` (examples, horizon, targets, 1 + quantiles), ``target`` (examples,
    horizon, targets), ``before`` (examples, history, targets), ``time`` (examples, history +
    horizon). Else ``prediction`` (examples, classes or targets), ``target`` (examples, targets),
    and nothing before.
    """

    items: tuple[str, ...]
    prediction: Array
    target: Array
    before: Array | None = None
    time: NDArray[np.int64] | None = None


def shown_of(
    folder: RunFolder, plan: Plan, preparation: Preparation, rows: list[Row]
) -> dict[str, Shown]:
    """Candidate -> what is shown of it, best first."""
    scores, shown = folder.scores(), {}
    for row in rows:
        if not row.failed:
            tensors, record = folder.kept_score(scores[row.name])
            shown[row.name] = shown_in(tensors, record, plan.layout, preparation)
    return shown


def shown_in(tensors: Tensors, record: Any, layout: Layout, preparation: Preparation) -> Shown:
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
        items=tuple((record or {}).get("items", ())),
        prediction=in_units(arrays["prediction"], center, scale),
        target=in_units(arrays["target"], center, scale),
        before=in_units(arrays["before"], center, scale) if "before" in arrays else None,
        time=kept["time"].numpy() if "time" in kept else None,
    )
