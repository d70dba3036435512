"""Which classes are taken for which, as a matrix of each candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gatewright.data.table.reading import Table
from gatewright.models.predictor import Predictor
from gatewright.report import looks, panels
from gatewright.report.outcome import Outcome
from gatewright.report.views.view import PlottingView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 30  # of a matrix; the rest are counted together
MOST_NUMBERED = 20  # classes of a picture in which numbers are still read
OTHERS = "all others"
SEQUENCES = 40  # new ones that are drawn one by one; of more, how many have each class


@dataclass(frozen=True)
class Square:
    """One cell of a matrix."""

    count: int
    share: float  # of its row
    right: bool

    @property
    def share_text(self) -> str:
        return f"{100 * self.share:.0f}%" if self.count else ""


@dataclass(frozen=True)
class Matrix:
    """Rows: the true class; columns: the predicted one."""

    title: str
    classes: list[str]
    rows: list[list[Square]]


class Confusion(PlottingView):
    """Needs the detail "confusion", counts of predictions: a list of each true class.

    New predictions are drawn with the chances of each class.
    """

    name = "confusion"
    section = "predictions"
    link = "Predictions"
    size = (looks.WIDTH, 0.88 * looks.WIDTH)

    def content(self, outcome: Outcome) -> dict[str, Any] | None:
        """Candidate -> its Matrix."""
        matrices = {}
        for row in outcome.rows:
            some = outcome.measured.get(row.name)
            counts = some.details.get("confusion") if some else None
            if counts:
                matrices[row.name] = matrix(row.title, outcome.preparation.classes, counts)
        return matrices or None

    def drawn(self, content: dict[str, Any]) -> None:
        """Nothing: the matrices stand in the page as tables."""

    def paint(self, outcome: Outcome, content: dict[str, Any], figure: Figure) -> None:
        """The matrix of the recommended candidate."""
        matrix = content.get(outcome.verdict.recommended) or next(iter(content.values()))
        axes = figure.subplots()
        shares = np.array([[square.share for square in row] for row in matrix.rows])
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        labels = [label if len(label) <= 24 else f"{label[:23]}…" for label in matrix.classes]
        ticks = range(len(labels))
        axes.set_xticks(
            ticks, labels, rotation=90 if max(map(len, labels)) > 5 else 0, color=looks.INK
        )
        axes.set_yticks(ticks, labels, color=looks.INK)
        axes.set(xlabel="predicted", ylabel="true", title=matrix.title)
        axes.grid(visible=False)
        if len(labels) <= MOST_NUMBERED:
            _write_counts(axes, matrix)

    def plotted(self, predictor: Predictor, frame: pl.DataFrame, table: Table | None) -> Figure:
        """The chances of each sequence, or how many have each class where there are many."""
        target, classes = predictor.layout.targets[0], predictor.preparation.classes
        if len(frame) > SEQUENCES:
            figure, (panel,) = panels.stacked(1, 8.0, 1.0 + 0.28 * len(classes))
            _counts(panel, frame, target, classes)
        else:
            figure, (panel,) = panels.stacked(1, 8.0, 1.4 + 0.25 * len(frame))
            _chances(panel, frame, target, classes)
        panel.invert_yaxis()
        return figure


def matrix(title: str, classes: Sequence[str], counts: list[list[int]]) -> Matrix:
    """The matrix of some counts, its rarest classes as one where there are many."""
    labels = list(classes)
    if len(labels) > MOST_CLASSES:
        order = sorted(range(len(labels)), key=lambda number: -sum(counts[number]))
        kept = sorted(order[: MOST_CLASSES - 1])
        counts, labels = _gathered(counts, kept), [*(labels[number] for number in kept), OTHERS]
    squares = []
    for number, row in enumerate(counts):
        total = max(1, sum(row))
        squares.append(
            [
                Square(count, count / total, number == other and labels[number] != OTHERS)
                for other, count in enumerate(row)
            ]
        )
    return Matrix(title, labels, squares)


def _gathered(counts: list[list[int]], kept: list[int]) -> list[list[int]]:
    """The counts with all classes that are not kept as one."""
    rest = [number for number in range(len(counts)) if number not in set(kept)]
    groups = [*([number] for number in kept), rest]
    return [
        [sum(counts[row][column] for row in rows for column in columns) for columns in groups]
        for rows in groups
    ]


def _write_counts(axes: Axes, matrix: Matrix) -> None:
    for row, squares in enumerate(matrix.rows):
        for column, square in enumerate(squares):
            if square.count:
                colour = "white" if square.share > 0.55 else looks.INK
                text = f"{square.count:,}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)


def _counts(panel: Axes, frame: pl.DataFrame, target: str, classes: tuple[str, ...]) -> None:
    counts = [int((frame[target].cast(pl.String) == name).sum()) for name in classes]
    bars = panel.barh(list(classes), counts, color=panels.COLOURS[0], height=0.7)
    panel.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=3)
    panel.set_title(f"{target}: sequences of each class, {len(frame):,} in all")


def _chances(panel: Axes, frame: pl.DataFrame, target: str, classes: tuple[str, ...]) -> None:
    colours = [panels.COLOURS[number % len(panels.COLOURS)] for number in range(len(classes))]
    shades = [1.0 - 0.3 * (number // len(panels.COLOURS) % 3) for number in range(len(classes))]
    labels = [str(name) for name in frame[frame.columns[0]]]
    left = [0.0] * len(frame)
    for name, colour, shade in zip(classes, colours, shades, strict=True):
        chances = frame[f"{target}={name}"].to_list()
        panel.barh(labels, chances, left=left, height=0.7, color=colour, alpha=shade, label=name)
        left = [before + more for before, more in zip(left, chances, strict=True)]
    panel.set_title(f"{target}: probability of each class")
    panel.set_xlim(0, 1)
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
