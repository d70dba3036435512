"""Pictures to print: PNGs for papers and slides."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.comparison.folder import PLOTS
from gatewright.report import figures, tables
from gatewright.report.outcome import Outcome
from gatewright.report.shown import HIGH, HIGHEST, LOW, LOWEST, POINT, Shown
from gatewright.sealed import write_whole
from gatewright.wording import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 300  # per inch
WIDTH = 6.8  # inches: a page between its margins
# Okabe and Ito's palette, told apart by colour-blind readers too; baselines are grey and broken.
NETWORKS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
BASELINES = ("#5A5F66", "#8A7340", "#8F949B")
DASHES = ("--", ":", "-.", (0, (6, 2)))
INK, FAINT, GRID = "#1B1F24", "#6A737E", "#E4E4E4"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": "#B5B8BC",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # a dollar in a column's name is a dollar
    "text.usetex": False,
}
SHOWN_ORIGINS = 4
MOST_CELLS = 20  # of a confusion matrix, in which numbers are still read


def draw(outcome: Outcome, folder: Path) -> list[str] | None:
    """Write the pictures; returns their names, or None where matplotlib is not installed."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    folder.mkdir(exist_ok=True)
    names = []
    with rc_context(STYLE):
        for name, size, paint in _pictures(outcome):
            assert name in PLOTS, "what a run folder holds is named in one place"
            figure = Figure(figsize=size, layout="constrained")
            FigureCanvasAgg(figure)
            paint(outcome, figure)
            content = BytesIO()
            figure.savefig(content, dpi=DOTS, format="png", facecolor="white")
            write_whole(folder / name, content.getvalue())
            names.append(name)
    return names


def _pictures(outcome: Outcome) -> Iterator[tuple[str, tuple[float, float], Any]]:
    """Name, size in inches and painter of each picture there is something for."""
    rows = [row for row in outcome.rows if not row.failed]
    yield "leaderboard.png", (WIDTH, 0.9 + 0.28 * len(rows)), _leaderboard
    if "forecasts" in outcome.task.views:
        if outcome.shown:
            yield "forecasts.png", (WIDTH, 4.8), _forecasts
        if figures.by_step(outcome.scores, outcome.rows):
            yield "error_by_step.png", (WIDTH, 3.4), _by_step
    elif "confusion" in outcome.task.views:
        if _confusion_of(outcome) is not None:
            yield "confusion.png", (WIDTH, 0.88 * WIDTH), _confusion
    elif outcome.shown and "scatter" in outcome.task.views:
        yield "predicted_and_true.png", (WIDTH, 0.55 * WIDTH), _scatter
    if figures.learning(outcome.plan, outcome.fits, outcome.rows):
        yield "learning.png", (WIDTH, 3.0), _learning


def _looks(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Candidate -> how its lines look: the same in every picture."""
    found = {}
    for one in figures.contenders(outcome.plan, outcome.rows):
        colours = BASELINES if one["baseline"] else NETWORKS
        turn, slot = divmod(one["slot"], len(colours))
        dash: Any = (
            DASHES[one["slot"] % len(DASHES)] if one["baseline"] else ("-", *DASHES)[turn % 5]
        )
        found[one["name"]] = {
            "color": colours[slot],
            "linestyle": dash,
            "linewidth": 1.3 if one["baseline"] else 1.5,
            "label": one["title"],
        }
    return found


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = min(4, len(handles))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=3)


def _leaderboard(outcome: Outcome, figure: Figure) -> None:
    """Means and intervals, best on top."""
    axes = figure.subplots()
    rows = [row for row in outcome.rows if row.loss is not None]
    low, high = tables.reach(rows)
    best = next((row.loss for row in rows if row.name == outcome.verdict.best_baseline), None)
    if best is not None:
        axes.axvline(best, color=BASELINES[1], linewidth=0.9, linestyle=":")
    for place, row in enumerate(rows):
        assert row.loss is not None
        colour = BASELINES[0] if row.baseline else NETWORKS[0]
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.4)
        if row.loss > high:
            text, at = f"{numbers.number(row.loss)} \N{RIGHTWARDS ARROW}", (1, place)
            style: dict[str, Any] = {"ha": "right", "va": "center", "color": FAINT, "fontsize": 8}
            axes.annotate(text, at, xycoords=("axes fraction", "data"), **style)
        face = "white" if row.baseline else colour
        axes.plot([row.loss], [place], "o", color=colour, markerfacecolor=face, markersize=5)
    axes.set_yticks(range(len(rows)), [row.title for row in rows], color=INK)
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    level = 100 * (1 - outcome.verdict.level)
    axes.set_xlabel(f"{outcome.verdict.metric} on test, {level:g}% interval")
    axes.grid(visible=False, axis="y")


def _forecasts(outcome: Outcome, figure: Figure) -> None:
    """The best network and the best baseline over what happened, at several origins."""
    looks = _looks(outcome)
    shown = {name: outcome.shown[name] for name in outcome.leaders if name in outcome.shown}
    shown = shown or dict(list(outcome.shown.items())[:1])
    first = next(iter(shown.values()))
    origins = np.linspace(0, len(first.target) - 1, min(SHOWN_ORIGINS, len(first.target))).astype(
        int
    )
    grid = figure.subplots(-(-len(origins) // 2), min(2, len(origins)), squeeze=False)
    labels = figures.forecasts(outcome.plan, shown)["origins"]
    for number, axes in enumerate(grid.flat):
        if number >= len(origins):
            axes.set_visible(False)
            continue
        _one_forecast(outcome, axes, shown, int(origins[number]), looks)
        axes.set_title(f"from {labels[origins[number]]}", fontsize=8, color=FAINT, loc="left")
    for axes in grid[:, 0]:
        axes.set_ylabel(outcome.plan.layout.targets[0])
    _legend_below(figure, grid[0, 0])


def _one_forecast(
    outcome: Outcome, axes: Axes, shown: dict[str, Shown], origin: int, looks: dict[str, Any]
) -> None:
    first = next(iter(shown.values()))
    truth = first.target[origin, :, 0]
    if first.before is not None:
        truth = np.concatenate([first.before[origin, :, 0], truth])
    steps, horizon = np.arange(len(truth)), first.target.shape[1]
    axes.plot(steps, truth, color=INK, linewidth=1.1, label="what happened", zorder=3)
    ahead = steps[-horizon:]
    for name, one in shown.items():
        found, look = one.prediction[origin, :, 0], looks[name]
        for lower, upper, alpha in ((LOWEST, HIGHEST, 0.14), (LOW, HIGH, 0.2)):
            axes.fill_between(
                ahead,
                found[:, lower],
                found[:, upper],
                color=look["color"],
                alpha=alpha,
                linewidth=0,
            )
        marker = "o" if len(ahead) == 1 else ""
        axes.plot(ahead, found[:, POINT], marker=marker, zorder=4, **look)
    axes.locator_params(axis="y", nbins=5)
    times = figures.times_of(first, outcome.plan.layout, origin)
    # Labels of a short horizon would run into each other.
    last = [len(truth) - 1] if 3 * horizon >= len(truth) else []
    ticks = sorted({0, len(truth) - horizon, *last})
    labels = [figures.time_label(times[tick]).replace(" ", "\n") for tick in ticks]
    axes.set_xticks(ticks, labels, fontsize=7)


def _by_step(outcome: Outcome, figure: Figure) -> None:
    axes = figure.subplots()
    found = figures.by_step(outcome.scores, outcome.rows)
    looks = _looks(outcome)
    # Those far behind are left out, as on the page.
    best = min(float(np.mean(losses)) for losses in found.values())
    for name, losses in found.items():
        if float(np.mean(losses)) <= 4 * best or name in outcome.leaders:
            axes.plot(range(1, len(losses) + 1), losses, **looks[name])
    axes.set(xlabel="steps ahead", ylabel=outcome.verdict.metric)
    axes.set_ylim(bottom=0)
    _legend_below(figure, axes)


def _learning(outcome: Outcome, figure: Figure) -> None:
    """Validation loss and gradient norms of each candidate's chosen setting, seed by seed."""
    left, right = figure.subplots(1, 2)
    looks = _looks(outcome)
    for name, curves in figures.learning(outcome.plan, outcome.fits, outcome.rows).items():
        for number, curve in enumerate(one for one in curves if one["chosen"]):
            look = looks[name] | {"linestyle": "-", "linewidth": 1.0}
            look["label"] = look["label"] if number == 0 else "_"
            left.plot(curve["epoch"], curve["validation"], **look)
            right.plot(curve["epoch"], curve["norm"], **look)
    left.set(xlabel="epoch", ylabel="validation loss")
    right.axhline(outcome.plan.stopping.clip, color=FAINT, linestyle=":", linewidth=0.9)
    right.set(xlabel="epoch", ylabel="norm of the gradient")
    right.set_ylim(bottom=0)
    _legend_below(figure, left)


def _confusion_of(outcome: Outcome) -> tables.Confusion | None:
    """Of the recommended candidate."""
    found = tables.confusions(
        outcome.preparation.classes, outcome.rows, outcome.fits, outcome.scores
    )
    return found.get(outcome.verdict.recommended)


def _confusion(outcome: Outcome, figure: Figure) -> None:
    found = _confusion_of(outcome)
    assert found is not None
    axes = figure.subplots()
    shares = np.array([[square.share for square in row] for row in found.rows])
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = [label if len(label) <= 24 else f"{label[:23]}…" for label in found.classes]
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=90 if max(map(len, labels)) > 5 else 0, color=INK)
    axes.set_yticks(places, labels, color=INK)
    axes.set(xlabel="predicted", ylabel="true", title=found.title)
    axes.grid(visible=False)
    if len(labels) > MOST_CELLS:
        return
    for row, squares in enumerate(found.rows):
        for column, square in enumerate(squares):
            if square.count:
                colour = "white" if square.share > 0.55 else INK
                text = f"{square.count:,}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)


def _scatter(outcome: Outcome, figure: Figure) -> None:
    """Predicted over true, of the first target, beside each other."""
    names = [name for name in outcome.leaders if name in outcome.shown] or list(outcome.shown)[:1]
    looks = _looks(outcome)
    grid = figure.subplots(1, len(names), squeeze=False, sharex=True, sharey=True)
    for axes, name in zip(grid.flat, names, strict=True):
        one, look = outcome.shown[name], looks[name]
        truth, predicted = one.target[:, 0], one.prediction[:, 0]
        axes.axline((float(np.nanmean(truth)),) * 2, slope=1, color=FAINT, linewidth=0.8)
        axes.scatter(truth, predicted, s=9, color=look["color"], alpha=0.6, linewidths=0)
        axes.set_title(look["label"], fontsize=9)
        axes.set_xlabel(f"{outcome.plan.layout.targets[0]}, true")
    grid[0, 0].set_ylabel("predicted")
