"""Forecasts with their bands over what happened, at several origins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gatewright.comparison.records import Plan
from gatewright.data.calendar import from_integers, labels
from gatewright.data.continuing import any_target, join_history
from gatewright.data.layout import Layout
from gatewright.data.table.reading import Table
from gatewright.models.predictor import Predictor
from gatewright.report import looks, panels
from gatewright.report.figures import MOST_TARGETS, plain
from gatewright.report.outcome import Outcome
from gatewright.report.shown import Array, Shown
from gatewright.report.views.view import PlottingView
from gatewright.tasks._bands import QUANTILES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Places in the last dimension of a prediction: first the point, then the quantiles.
POINT = 0
LOWEST, LOW, HIGH, HIGHEST = (1 + QUANTILES.index(level) for level in (0.05, 0.2, 0.8, 0.95))
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
QUARTERS = "%YQ%q"  # as d3 writes dates
MOST_NUMBERS = 250_000  # on the page, about 2 MB
SHOWN_ORIGINS = 4  # in the picture
PANELS = 12  # series and targets drawn of new forecasts, at most
SEEN = 4  # horizons of history before a new forecast


class Forecasts(PlottingView):
    """Needs predictions (examples, horizon, targets, 1 + quantiles)."""

    name = "forecasts"
    section = "predictions"
    link = "Predictions"
    size = (looks.WIDTH, 4.8)

    def content(self, outcome: Outcome) -> dict[str, Any] | None:
        return on_page(outcome.plan, outcome.shown) if outcome.shown else None

    def paint(self, outcome: Outcome, content: dict[str, Any], figure: Figure) -> None:
        """The best network and the best baseline over what happened, at several origins."""
        shown = {name: outcome.shown[name] for name in outcome.looked_at}
        count = len(content["origins"])
        origins = np.linspace(0, count - 1, min(SHOWN_ORIGINS, count)).astype(int)
        grid = figure.subplots(-(-len(origins) // 2), min(2, len(origins)), squeeze=False)
        for number, axes in enumerate(grid.flat):
            if number >= len(origins):
                axes.set_visible(False)
                continue
            origin = int(origins[number])
            _paint_origin(outcome, axes, shown, origin)
            label = content["origins"][origin]
            axes.set_title(f"from {label}", fontsize=8, color=looks.FAINT, loc="left")
        for axes in grid[:, 0]:
            axes.set_ylabel(outcome.plan.layout.targets[0])
        looks.legend_below(figure, grid[0, 0])

    def plotted(self, predictor: Predictor, frame: pl.DataFrame, table: Table | None) -> Figure:
        """A panel for each target of each series: what was seen, then the forecast."""
        layout = predictor.layout
        past = _past(join_history(table, predictor.history, layout), layout)
        names = frame[layout.series].unique(maintain_order=True) if layout.series else [None]
        wanted = [(name, target) for name in names for target in layout.targets]
        figure, axes = panels.stacked(
            min(len(wanted), PANELS), 8.0, 3.0 if len(wanted) == 1 else 2.2
        )
        for panel, (name, target) in zip(axes, wanted, strict=False):
            forecast, seen = frame, past
            if layout.series:
                forecast = frame.filter(pl.col(layout.series) == name)
                seen = past.filter(pl.col(layout.series).cast(pl.String) == name)
            _plot_one(panel, seen, forecast, target, layout)
            panel.set_title(target if name is None else f"{target}, {name}")
        axes[0].legend(loc="best", ncols=4, fontsize=8)
        if len(wanted) > PANELS:
            figure.supxlabel(f"the first {PANELS} of {len(wanted)}", fontsize=8, color=panels.FAINT)
        return figure


# On the page --------------------------------------------------------------------------------------


def on_page(plan: Plan, shown: Mapping[str, Shown]) -> dict[str, Any]:
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
        "dates": _has_dates(plan.layout) and first.time is not None,
        "form": _form(first, plan.layout),
        "axis": plan.layout.time or "step",
        "origins": _origin_labels(first, plan.layout, history),
        "time": [_times_of(first, plan.layout, number) for number in range(origins)],
        "truth": plain(truth[..., :kept].transpose(0, 2, 1)),
        "by": {name: _bands(one.prediction, kept) for name, one in shown.items()},
    }


def _bands(prediction: Array, targets: int) -> dict[str, Any]:
    """Each (origins, targets, horizon)."""
    outputs = {"point": POINT, "lowest": LOWEST, "low": LOW, "high": HIGH, "highest": HIGHEST}
    return {
        name: plain(prediction[:, :, :targets, output].transpose(0, 2, 1))
        for name, output in outputs.items()
    }


def _times_of(shown: Shown, layout: Layout, origin: int) -> list[Any]:
    """Of the steps before an origin and of its horizon: dates as plotting libraries read them, or
    whole numbers."""
    if shown.time is None:
        return list(range(1, shown.target.shape[1] + 1))
    times: list[int] = shown.time[origin].tolist()
    if not _has_dates(layout):
        return list(times)
    return [
        (BEGINNING + timedelta(microseconds=time)).strftime("%Y-%m-%d %H:%M:%S") for time in times
    ]


def _origin_labels(shown: Shown, layout: Layout, history: int) -> list[str]:
    words = []
    for number in range(len(shown.target)):
        label = f"origin {number + 1}"
        if shown.time is not None:
            label = _labels(shown, layout, number)[history]
        if layout.series and shown.items:
            label = f"{shown.items[number]}, {label}"
        words.append(label)
    return words


def _form(shown: Shown, layout: Layout) -> str:
    """How the axis writes dates, where that is not as usual."""
    return QUARTERS if "Q" in _labels(shown, layout, 0)[0] else ""


def _has_dates(layout: Layout) -> bool:
    """Whether times are dates; else they are numbers of steps."""
    return bool(layout.time and layout.frequency and not layout.frequency.endswith("i"))


def _labels(shown: Shown, layout: Layout, origin: int) -> list[str]:
    """The times of ``_times_of`` as people read them."""
    if shown.time is None or not _has_dates(layout):
        return [f"step {value:,}" for value in _times_of(shown, layout, origin)]
    times = from_integers(shown.time[origin])
    return labels(times, layout.frequency).to_list()


# In print -----------------------------------------------------------------------------------------


def _paint_origin(outcome: Outcome, axes: Axes, shown: Mapping[str, Shown], origin: int) -> None:
    """Of the first target: what happened, then the forecasts of some candidates."""
    styles = looks.line_styles(outcome)
    first = next(iter(shown.values()))
    truth = first.target[origin, :, 0]
    if first.before is not None:
        truth = np.concatenate([first.before[origin, :, 0], truth])
    steps, horizon = np.arange(len(truth)), first.target.shape[1]
    axes.plot(steps, truth, color=looks.INK, linewidth=1.1, label="what happened", zorder=3)
    future = steps[-horizon:]
    for name, one in shown.items():
        bands, style = one.prediction[origin, :, 0], styles[name]
        for lower, upper, alpha in ((LOWEST, HIGHEST, 0.14), (LOW, HIGH, 0.2)):
            ends = bands[:, lower], bands[:, upper]
            axes.fill_between(future, *ends, color=style["color"], alpha=alpha, linewidth=0)
        marker = "o" if len(future) == 1 else ""
        axes.plot(future, bands[:, POINT], marker=marker, zorder=4, **style)
    axes.locator_params(axis="y", nbins=5)
    times = _labels(first, outcome.plan.layout, origin)
    # Labels of a short horizon would run into each other.
    last = [len(truth) - 1] if 3 * horizon >= len(truth) else []
    ticks = sorted({0, len(truth) - horizon, *last})
    words = [times[tick].replace(" ", "\n") for tick in ticks]
    axes.set_xticks(ticks, words, fontsize=7)


# Of a new table -----------------------------------------------------------------------------------


def _past(joined: Table, layout: Layout) -> pl.DataFrame:
    """The rows that were seen, with steps that end at 0 where there is no column of times."""
    past = joined.collect(joined.frame)
    if layout.time is None:  # as the forecast counts its steps, from 1
        number = pl.int_range(pl.len(), dtype=pl.Int64)
        step = number - number.filter(any_target(layout)).max()
        past = past.with_columns(
            (step.over(layout.series) if layout.series else step).alias("step")
        )
    return past


def _plot_one(
    panel: Axes, seen: pl.DataFrame, forecast: pl.DataFrame, target: str, layout: Layout
) -> None:
    time = layout.time or "step"
    seen = seen.filter(pl.col(target).is_not_null()).tail(SEEN * layout.horizon)
    panel.plot(
        seen[time].to_numpy(), seen[target].to_numpy(), color=panels.INK, lw=1.2, label="seen"
    )
    at = forecast[time].to_numpy()
    half = len(QUANTILES) // 2
    for low, high in zip(QUANTILES[:half], reversed(QUANTILES), strict=False):
        panel.fill_between(
            at,
            forecast[f"{target} {low:g}"].to_numpy(),
            forecast[f"{target} {high:g}"].to_numpy(),
            color=panels.COLOURS[0],
            alpha=0.14,
            lw=0,
            label=f"{100 * (high - low):.0f}% band" if low == QUANTILES[0] else None,
        )
    panel.plot(at, forecast[target].to_numpy(), color=panels.COLOURS[0], lw=1.6, label="forecast")
    panel.margins(x=0.01)
