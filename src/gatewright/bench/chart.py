"""The results as a picture: how many times as fast as the other side, with the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.bench.cases import FORWARD, REFERENCE, TRAINING, Case
from gatewright.bench.results import Measurement, Results
from gatewright.sealed import write_whole
from gatewright.wording.numbers import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
INK, FAINT, MISS = "#222222", "#8A8F98", "#B3261E"
# Inches, so that a bar has one size in every picture: a bar, a heading above bars, title and axis
# of a panel; the width of a column, its margin, the room for names, the bars.
ROW, GAP, EDGE = 0.25, 0.42, 0.95
COLUMN, MARGIN, NAMES, BARS = 6.7, 0.35, 1.3, 4.85


@dataclass(frozen=True)
class Panel:
    """Bars of one work beside one side."""

    title: str
    other: str
    measurements: list[Measurement]

    @property
    def groups(self) -> list[tuple[str, list[Measurement]]]:
        """The measurements of the same task together."""
        by_title: dict[str, list[Measurement]] = {}
        for measurement in self.measurements:
            by_title.setdefault(measurement.case.title, []).append(measurement)
        return list(by_title.items())

    @property
    def height(self) -> float:
        return EDGE + GAP * len(self.groups) + ROW * len(self.measurements)


def panels(results: Results) -> list[Panel]:
    """What there is to draw: forward and training beside torch, the rest beside the reference."""
    titles = {FORWARD: "Forward", TRAINING: "Training step"}
    sides = {"torch": "beside torch.nn", REFERENCE: "beside its own reference"}
    every = [
        Panel(f"{titles[work]}, {sides[other]}", other, _with(results, work, other))
        for other in sides
        for work in titles
    ]
    return [panel for panel in every if panel.measurements]


def _with(results: Results, work: str, other: str) -> list[Measurement]:
    return [
        measurement
        for measurement in results.measurements
        if measurement.case.work == work and measurement.ratio(other) is not None
    ]


def draw(results: Results, path: Path) -> bool:
    """Write the picture; False where nothing was measured beside another side.

    Raises ImportError where matplotlib is missing.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = panels(results)
    if not shown:
        return False
    columns, colours = _columns(shown), _colours(shown)
    head, foot = 0.95, 0.4
    tall = max(sum(panel.height for panel in column) for column in columns)
    wide, high = COLUMN * len(columns), head + tall + foot
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9, "text.color": INK}):
        figure = Figure(figsize=(wide, high), facecolor="white")
        FigureCanvasAgg(figure)
        for at, column in enumerate(columns):
            top = high - head
            for panel in column:
                low = top - panel.height + 0.5
                left, inner = COLUMN * at + MARGIN + NAMES, panel.height - EDGE
                box = (left / wide, low / high, BARS / wide, inner / high)
                _panel(figure.add_axes(box), panel, colours)
                top -= panel.height
        _margins(figure, results)
        content = BytesIO()
        figure.savefig(content, dpi=150, format="png")
    write_whole(path, content.getvalue())
    return True


def _margins(figure: Figure, results: Results) -> None:
    """The heading above the panels and what the numbers hold for below them."""
    wide, high = figure.get_size_inches()
    targets = any(measurement.case.targets for measurement in results.measurements)
    mark = "the dark mark is the target, " if targets else ""
    lines: tuple[tuple[float, str, dict[str, Any]], ...] = (
        (high - 0.36, "Speed of each cell", {"size": 15, "weight": "bold"}),
        (
            high - 0.66,
            f"How many times as fast: {mark}1× is the same speed. Sizes are (time, batch, "
            "input, hidden).",
            {"size": 8.5, "color": FAINT},
        ),
        (0.24, _footer(results), {"size": 7, "color": FAINT}),
    )
    for height, text, style in lines:
        figure.text(MARGIN / wide, height / high, text, va="center", **style)


def _columns(shown: Sequence[Panel]) -> list[list[Panel]]:
    """Panels in one column, or in two where the picture would grow too tall."""
    if len(shown) == 1:
        return [list(shown)]
    half = sum(panel.height for panel in shown) / 2
    columns: list[list[Panel]] = [[], []]
    filled = 0.0
    for panel in shown:
        columns[filled + panel.height / 2 > half].append(panel)
        filled += panel.height
    return [column for column in columns if column]


def _colours(shown: Sequence[Panel]) -> dict[str, str]:
    """A colour for each cell that stands beside torch; the cells beside themselves share one."""
    cells = dict.fromkeys(m.case.cell for panel in shown for m in panel.measurements)
    beside = [
        cell
        for cell in cells
        if any(
            m.case.cell == cell
            for panel in shown
            if panel.other == "torch"
            for m in panel.measurements
        )
    ]
    named = {cell: COLOURS[number % len(COLOURS)] for number, cell in enumerate(beside)}
    return {cell: named.get(cell, "#7A869A") for cell in cells}


def _depths(panel: Panel) -> Iterator[tuple[float, str | Measurement]]:
    """(depth in inches, heading or measurement) from the top of the panel downwards."""
    depth = 0.0
    for title, measurements in panel.groups:
        yield depth + GAP * 0.62, title
        depth += GAP
        for measurement in measurements:
            yield depth + ROW / 2, measurement
            depth += ROW


def _panel(axes: Axes, panel: Panel, colours: dict[str, str]) -> None:
    from matplotlib.ticker import MaxNLocator

    ratios = [measurement.ratio(panel.other) or 0.0 for measurement in panel.measurements]
    targets = [measurement.case.targets.get(panel.other, 0.0) for measurement in panel.measurements]
    reach = max(*ratios, *targets, 1.0)
    axes.set_xlim(0, reach * 1.16)
    axes.set_ylim(panel.height - EDGE, 0)
    edge = -NAMES / BARS  # the margin of the column
    axes.set_title(panel.title, loc="left", x=edge, size=11.5, weight="bold", pad=5)
    labels: list[tuple[float, str]] = []
    for depth, item in _depths(panel):
        if isinstance(item, str):
            _heading(axes, edge, depth, item)
        else:
            labels.append((depth, item.case.cell))
            _bar(axes, depth, item.ratio(panel.other) or 0.0, panel.other, item.case, colours)
    axes.axvline(1, color=INK, lw=0.8, zorder=1)
    axes.set_yticks([depth for depth, _ in labels], [cell for _, cell in labels], size=8.5)
    axes.tick_params(length=0, colors=INK)
    axes.tick_params(axis="x", colors=FAINT)
    axes.grid(axis="x", color="#E6E8EB", lw=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter("{x:g}×")
    axes.spines[:].set_visible(False)


def _heading(axes: Axes, edge: float, depth: float, text: str) -> None:
    """The name of a task, on white so that no line of the grid runs through it."""
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    transform = axes.get_yaxis_transform()
    axes.text(
        edge, depth, text, transform=transform, va="center", size=8.5, color=FAINT, bbox=white
    )


def _bar(
    axes: Axes, depth: float, ratio: float, other: str, case: Case, colours: dict[str, str]
) -> None:
    """One bar, its value at the end, its target as a mark across it."""
    axes.barh(depth, ratio, height=ROW * 0.74, color=colours[case.cell], zorder=2)
    target = case.targets.get(other)
    end, colour = ratio, INK
    if target is not None:
        mark = [depth - ROW * 0.46, depth + ROW * 0.46]
        axes.plot([target] * 2, mark, color=INK, lw=2.2, zorder=3)
        if ratio < target:
            colour = MISS
            # The value stands clear of a mark that is near.
            end = target if target - ratio < 0.13 * axes.get_xlim()[1] else ratio
    axes.annotate(
        f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.1f}×",
        (end, depth),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        size=8.5,
        color=colour,
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )


def _footer(results: Results) -> str:
    machine = results.machine
    parts = [
        machine.cpu,
        f"level {machine.level}",
        f"{counted(machine.threads, 'thread')} for every side",
        f"torch {machine.versions.get('torch', '')}",
        f"gatewright {machine.versions.get('gatewright', '')}",
        results.made[:10],
    ]
    return "float32, medians.  " + ", ".join(part for part in parts if part)
