"""Predicted numbers beside the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gatewright.data.table.reading import Table
from gatewright.models.predictor import Predictor
from gatewright.report import looks, panels
from gatewright.report.figures import MOST_TARGETS, plain
from gatewright.report.outcome import Outcome
from gatewright.report.views.view import PlottingView

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Scatter(PlottingView):
    """Needs predictions (examples, targets); new ones are drawn as they are spread."""

    name = "scatter"
    section = "predictions"
    link = "Predictions"
    size = (looks.WIDTH, 0.55 * looks.WIDTH)

    def content(self, outcome: Outcome) -> dict[str, Any] | None:
        """True and predicted numbers, target by target; as many as the page carries."""
        if not outcome.shown:
            return None
        first = next(iter(outcome.shown.values()))
        targets = outcome.plan.layout.targets[:MOST_TARGETS]
        kept = len(targets)
        return {
            "targets": list(targets),
            "items": list(first.items),
            "truth": plain(first.target.T[:kept]),
            "by": {name: plain(one.prediction.T[:kept]) for name, one in outcome.shown.items()},
        }

    def paint(self, outcome: Outcome, content: dict[str, Any], figure: Figure) -> None:
        """Predicted over true, of the first target, candidates beside each other."""
        names = outcome.looked_at
        styles = looks.line_styles(outcome)
        grid = figure.subplots(1, len(names), squeeze=False, sharex=True, sharey=True)
        for axes, name in zip(grid.flat, names, strict=True):
            one, style = outcome.shown[name], styles[name]
            truth, predicted = one.target[:, 0], one.prediction[:, 0]
            axes.axline((float(np.nanmean(truth)),) * 2, slope=1, color=looks.FAINT, linewidth=0.8)
            axes.scatter(truth, predicted, s=9, color=style["color"], alpha=0.6, linewidths=0)
            axes.set_title(style["label"], fontsize=9)
            axes.set_xlabel(f"{outcome.plan.layout.targets[0]}, true")
        grid[0, 0].set_ylabel("predicted")

    def plotted(self, predictor: Predictor, frame: pl.DataFrame, table: Table | None) -> Figure:
        targets = predictor.layout.targets
        figure, axes = panels.stacked(len(targets), 8.0, 2.6)
        for panel, target in zip(axes, targets, strict=True):
            panel.hist(frame[target].to_numpy(), bins="auto", color=panels.COLOURS[0], rwidth=0.95)
            panel.set_title(f"{target}: predicted for {len(frame):,} sequences")
        return figure
