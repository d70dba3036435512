"""How the pictures of a report look: sizes, colours, and how each candidate's lines differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.report import figures
from gatewright.report.outcome import Outcome

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


def line_styles(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Candidate -> how its lines look: the same in every picture."""
    styles = {}
    for one in figures.contenders(outcome.plan, outcome.rows):
        colours = BASELINES if one["baseline"] else NETWORKS
        turn, slot = divmod(one["slot"], len(colours))
        dash: Any = (
            DASHES[one["slot"] % len(DASHES)] if one["baseline"] else ("-", *DASHES)[turn % 5]
        )
        styles[one["name"]] = {
            "color": colours[slot],
            "linestyle": dash,
            "linewidth": 1.3 if one["baseline"] else 1.5,
            "label": one["title"],
        }
    return styles


def legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = min(4, len(handles))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=3)
