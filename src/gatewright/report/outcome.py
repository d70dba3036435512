"""Everything of a finished run that its report shows, read once."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright import tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.outcome import outcome
from gatewright.comparison.records import Fit, Plan, Row, Score
from gatewright.comparison.verdict import Verdict
from gatewright.data.prepared import Preparation
from gatewright.measures import Averaged, Measure, Measured
from gatewright.models.folder import Comparison
from gatewright.report.shown import Shown, shown_of
from gatewright.tasks import Task


@dataclass(frozen=True)
class Outcome:
    """A run's records; ``rows`` best first, ``shown`` by candidate in the same order."""

    plan: Plan
    verdict: Verdict
    rows: list[Row]
    fits: dict[str, Fit]
    scores: dict[str, Score]
    preparation: Preparation
    shown: dict[str, Shown]
    part: str = "test"  # of the split that all was judged on
    alone: bool = False  # one fit, and no comparison
    comparison: Comparison | None = None  # of a fit that was not judged itself: that of its like

    @classmethod
    def read(cls, folder: RunFolder, plan: Plan) -> Outcome:
        """Raises InputError where the run is not finished or a file of it is damaged."""
        verdict, rows = outcome(folder, plan)
        preparation = folder.preparation()
        return cls(
            plan=plan,
            verdict=verdict,
            rows=rows,
            fits=folder.fits(),
            scores=folder.scores(),
            preparation=preparation,
            shown=shown_of(folder, plan, preparation, rows),
        )

    @property
    def task(self) -> type[Task]:
        return tasks.get(self.plan.layout.task)

    @property
    def measure(self) -> Averaged:
        """The one that decided."""
        return self.task.deciding(self.plan.options)

    @property
    def beside(self) -> list[Measure]:
        """Those that short tables show beside it."""
        return self.task.beside(self.plan.options, self.plan.layout)

    @property
    def measured(self) -> dict[str, Measured]:
        """Candidate -> what was measured of it, the best first."""
        return {row.name: self.scores[row.name].measures for row in self.rows if not row.failed}

    @property
    def leaders(self) -> list[str]:
        """The best network and the best baseline: what is looked at first."""
        leaders = (self.verdict.best_recurrent, self.verdict.best_baseline)
        return [name for name in leaders if name is not None]

    @property
    def looked_at(self) -> list[str]:
        """Whose predictions are drawn where there is room for few: the leaders', else the best."""
        return [name for name in self.leaders if name in self.shown] or list(self.shown)[:1]
