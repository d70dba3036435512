"""Pictures to print: PNGs for papers and slides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.comparison.folder import pictures
from gatewright.report import figures, looks, panels, tables, views
from gatewright.report.outcome import Outcome
from gatewright.sealed import write_whole
from gatewright.wording import numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Painter = Callable[[Figure], None]


def draw(outcome: Outcome, folder: Path) -> list[str] | None:
    """Write the pictures; returns their files' names, or None where there is no matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    folder.mkdir(exist_ok=True)
    files = []
    with rc_context(looks.STYLE):
        for name, size, paint in _pictures(outcome):
            file = f"{name}.png"
            assert f"plots/{file}" in pictures(outcome.plan), "named in one place: the run folder"
            figure = Figure(figsize=size, layout="constrained")
            FigureCanvasAgg(figure)
            paint(figure)
            content = BytesIO()
            panels.save(figure, content, dpi=looks.DOTS, format="png", facecolor="white")
            write_whole(folder / file, content.getvalue())
            files.append(file)
    return files


def _pictures(outcome: Outcome) -> Iterator[tuple[str, tuple[float, float], Painter]]:
    """Name, size in inches and painter of each picture there is something for."""
    rows = [row for row in outcome.rows if not row.failed]
    if not outcome.alone:
        yield "leaderboard", (looks.WIDTH, 0.9 + 0.28 * len(rows)), partial(_leaderboard, outcome)
    for view, content in views.contents(outcome).items():
        yield view.name, view.size, partial(view.paint, outcome, content)
    curves = figures.learning(outcome.plan, outcome.fits, outcome.rows)
    if curves:
        yield "learning", (looks.WIDTH, 3.0), partial(_learning, outcome, curves)


def _leaderboard(outcome: Outcome, figure: Figure) -> None:
    """Means and intervals, best on top."""
    axes = figure.subplots()
    rows = [row for row in outcome.rows if row.loss is not None]
    low, high = tables.reach(rows)
    best = next((row.loss for row in rows if row.name == outcome.verdict.best_baseline), None)
    if best is not None:
        axes.axvline(best, color=looks.BASELINES[1], linewidth=0.9, linestyle=":")
    for line, row in enumerate(rows):
        assert row.loss is not None
        colour = looks.BASELINES[0] if row.baseline else looks.NETWORKS[0]
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [line, line], color=colour, linewidth=1.4)
        if row.loss > high:
            text, at = f"{numbers.number(row.loss)} \N{RIGHTWARDS ARROW}", (1, line)
            style: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8}
            axes.annotate(text, at, xycoords=("axes fraction", "data"), color=looks.FAINT, **style)
        face = "white" if row.baseline else colour
        axes.plot([row.loss], [line], "o", color=colour, markerfacecolor=face, markersize=5)
    axes.set_yticks(range(len(rows)), [row.title for row in rows], color=looks.INK)
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    level = 100 * outcome.verdict.confidence
    axes.set_xlabel(f"{outcome.verdict.metric} on test, {level:g}% interval")
    axes.grid(visible=False, axis="y")


def _learning(outcome: Outcome, curves: dict[str, Any], figure: Figure) -> None:
    """Validation loss and gradient norms of each candidate's chosen setting, seed by seed."""
    left, right = figure.subplots(1, 2)
    styles = looks.line_styles(outcome)
    for name, own in curves.items():
        for number, curve in enumerate(one for one in own if one["chosen"]):
            look = styles[name] | {"linestyle": "-", "linewidth": 1.0}
            look["label"] = look["label"] if number == 0 else "_"
            left.plot(curve["epoch"], curve["validation"], **look)
            right.plot(curve["epoch"], curve["norm"], **look)
    left.set(xlabel="epoch", ylabel="validation loss")
    right.axhline(outcome.plan.stopping.clip, color=looks.FAINT, linestyle=":", linewidth=0.9)
    right.set(xlabel="epoch", ylabel="norm of the gradient")
    right.set_ylim(bottom=0)
    looks.legend_below(figure, left)
