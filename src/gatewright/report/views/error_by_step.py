"""The error at each step of the horizon, of every candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.report import looks
from gatewright.report.figures import plain
from gatewright.report.outcome import Outcome
from gatewright.report.views.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOPELESS = 4  # times the best: left out of the picture, as on the page


class ErrorByStep(View):
    """Needs the deciding measure by step; a horizon of one step has nothing to show."""

    name = "error_by_step"
    section = "steps"
    link = "Error by step"
    size = (looks.WIDTH, 3.4)

    def content(self, outcome: Outcome) -> dict[str, Any] | None:
        """Candidate -> its loss at each step of the horizon."""
        losses = {}
        for row in outcome.rows:
            some = outcome.measured.get(row.name)
            found = some.told_by("step").values() if some else ()
            steps = [numbers.get(outcome.measure.name) for numbers in found]
            if len(steps) > 1:
                losses[row.name] = plain(steps)
        return losses or None

    def paint(self, outcome: Outcome, content: dict[str, Any], figure: Figure) -> None:
        axes = figure.subplots()
        styles = looks.line_styles(outcome)
        each = {name: np.array(losses, dtype=float) for name, losses in content.items()}
        best = min(float(np.nanmean(losses)) for losses in each.values())
        for name, losses in each.items():
            if float(np.nanmean(losses)) <= HOPELESS * best or name in outcome.leaders:
                axes.plot(range(1, len(losses) + 1), losses, **styles[name])
        axes.set(xlabel="steps ahead", ylabel=outcome.measure.title)
        axes.set_ylim(bottom=0)
        looks.legend_below(figure, axes)
