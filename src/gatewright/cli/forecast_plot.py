"""Predictions as a picture: forecasts with their bands, probabilities of classes, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from gatewright.data.continuing import any_target, join_history
from gatewright.data.layout import Layout
from gatewright.data.table.reading import Table
from gatewright.models.predictor import Predictor
from gatewright.tasks.forecast import QUANTILES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
INK, FAINT = "#222222", "#8A8F98"
PANELS = 12  # series and targets drawn, at most
SEQUENCES = 40  # drawn one by one; of more, how many have each class
SEEN = 4  # horizons of history before a forecast
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar in a name is a dollar
}


def draw(predictor: Predictor, frame: pl.DataFrame, table: Table | None) -> Figure:
    """A picture of what ``predictor`` predicted for a table, in ``frame``."""
    from matplotlib import rc_context

    layout = predictor.layout
    with rc_context(STYLE):
        if layout.task == "forecast":
            return _forecasts(frame, join_history(table, predictor.history, layout), layout)
        if predictor.preparation.classes:
            return _classes(frame, layout.targets[0], predictor.preparation.classes)
        return _numbers(frame, layout.targets)


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """That many panels, one above the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * count), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(count, 1, squeeze=False)[:, 0])


def _forecasts(frame: pl.DataFrame, joined: Table, layout: Layout) -> Figure:
    """A panel for each target of each series: what was seen, then the forecast and its bands."""
    past = joined.collect(joined.frame)
    if layout.time is None:  # as the forecast counts its steps, from 1
        number = pl.int_range(pl.len(), dtype=pl.Int64)
        step = number - number.filter(any_target(layout)).max()
        past = past.with_columns(
            (step.over(layout.series) if layout.series else step).alias("step")
        )
    names = frame[layout.series].unique(maintain_order=True) if layout.series else [None]
    wanted = [(name, target) for name in names for target in layout.targets]
    figure, axes = _panels(min(len(wanted), PANELS), 8.0, 3.0 if len(wanted) == 1 else 2.2)
    for panel, (name, target) in zip(axes, wanted, strict=False):
        ahead, seen = frame, past
        if layout.series:
            ahead = frame.filter(pl.col(layout.series) == name)
            seen = past.filter(pl.col(layout.series).cast(pl.String) == name)
        _forecast(panel, seen, ahead, target, layout)
        panel.set_title(target if name is None else f"{target}, {name}")
    axes[0].legend(loc="best", ncols=4, fontsize=8)
    if len(wanted) > PANELS:
        figure.supxlabel(f"the first {PANELS} of {len(wanted)}", fontsize=8, color=FAINT)
    return figure


def _forecast(
    panel: Axes, seen: pl.DataFrame, ahead: pl.DataFrame, target: str, layout: Layout
) -> None:
    time = layout.time or "step"
    seen = seen.filter(pl.col(target).is_not_null()).tail(SEEN * layout.horizon)
    panel.plot(_axis(seen, time), seen[target].to_numpy(), color=INK, lw=1.2, label="seen")
    at = _axis(ahead, time)
    half = len(QUANTILES) // 2
    for low, high in zip(QUANTILES[:half], reversed(QUANTILES), strict=False):
        panel.fill_between(
            at,
            ahead[f"{target} {low:g}"].to_numpy(),
            ahead[f"{target} {high:g}"].to_numpy(),
            color=COLOURS[0],
            alpha=0.14,
            lw=0,
            label=f"{100 * (high - low):.0f}% band" if low == QUANTILES[0] else None,
        )
    panel.plot(at, ahead[target].to_numpy(), color=COLOURS[0], lw=1.6, label="forecast")
    panel.margins(x=0.01)


def _axis(frame: pl.DataFrame, time: str) -> Any:
    return frame[time].to_numpy()


def _classes(frame: pl.DataFrame, target: str, classes: tuple[str, ...]) -> Figure:
    """The probabilities of each sequence, or how many have each class where there are many."""
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(classes))]
    shades = [1.0 - 0.3 * (place // len(COLOURS) % 3) for place in range(len(classes))]
    if len(frame) > SEQUENCES:
        figure, (panel,) = _panels(1, 8.0, 1.0 + 0.28 * len(classes))
        counts = [int((frame[target].cast(pl.String) == name).sum()) for name in classes]
        bars = panel.barh(list(classes), counts, color=COLOURS[0], height=0.7)
        panel.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=3)
        panel.set_title(f"{target}: sequences of each class, {len(frame):,} in all")
    else:
        figure, (panel,) = _panels(1, 8.0, 1.4 + 0.25 * len(frame))
        labels = [str(name) for name in frame[frame.columns[0]]]
        left = [0.0] * len(frame)
        for place, name in enumerate(classes):
            chances = frame[f"{target}={name}"].to_list()
            panel.barh(
                labels,
                chances,
                left=left,
                height=0.7,
                color=colours[place],
                alpha=shades[place],
                label=name,
            )
            left = [before + more for before, more in zip(left, chances, strict=True)]
        panel.set_title(f"{target}: probability of each class")
        panel.set_xlim(0, 1)
        panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    panel.invert_yaxis()
    return figure


def _numbers(frame: pl.DataFrame, targets: tuple[str, ...]) -> Figure:
    """How the predicted numbers are spread."""
    figure, axes = _panels(len(targets), 8.0, 2.6)
    for panel, target in zip(axes, targets, strict=True):
        panel.hist(frame[target].to_numpy(), bins="auto", color=COLOURS[0], rwidth=0.95)
        panel.set_title(f"{target}: predicted for {len(frame):,} sequences")
    return figure
