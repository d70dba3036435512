"""What every view says of itself, so that page and pictures need not know which it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from gatewright.data.table.reading import Table
from gatewright.models.predictor import Predictor
from gatewright.report import panels
from gatewright.report.outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class View(ABC):
    """One way to show what a run predicted on test: a section of the page, and a picture."""

    name: ClassVar[str]  # the name of the file, of the template beside it and of the picture
    section: ClassVar[str]  # the id of its section, another than those of a task's other views
    link: ClassVar[str]  # what leads there from the top of the page
    size: ClassVar[tuple[float, float]]  # of the picture: width and height in inches

    @property
    def template(self) -> str:
        """The file of its section, below the folder of the report; it is given ``content``."""
        return f"views/{self.name}.html.jinja"

    @abstractmethod
    def content(self, outcome: Outcome) -> dict[str, Any] | None:
        """What there is to show of a run, or None if there is nothing."""

    def drawn(self, content: dict[str, Any]) -> dict[str, Any] | None:
        """What of it the page's script draws, under the view's name, as plain data."""
        return content

    @abstractmethod
    def paint(self, outcome: Outcome, content: dict[str, Any], figure: Figure) -> None:
        """Draw the picture."""


class PlottingView(View):
    """A view that draws a table of new predictions too."""

    def plot(self, predictor: Predictor, frame: pl.DataFrame, table: Table | None) -> Figure:
        """A picture of what ``predictor`` predicted for a table, in ``frame``."""
        from matplotlib import rc_context

        with rc_context(panels.STYLE):
            return self.plotted(predictor, frame, table)

    @abstractmethod
    def plotted(self, predictor: Predictor, frame: pl.DataFrame, table: Table | None) -> Figure:
        """What ``plot`` gives, made of ``panels``."""
