"""The result of a comparison, read from its folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from gatewright.comparison import showing
from gatewright.comparison.folder import PLAN, RunFolder
from gatewright.comparison.outcome import outcome
from gatewright.comparison.records import Plan, Row, Score
from gatewright.comparison.refitting import Watch, refit_into, rows_for
from gatewright.comparison.verdict import Verdict
from gatewright.data.table.frames import Native, as_given
from gatewright.errors import InputError, argument
from gatewright.folders import claimed, named
from gatewright.models.folder import FitRecord, read_predictor
from gatewright.models.predictor import Predictor


class Result:
    """A finished run, which shows as its verdict and its leaderboard.

    The folder of a ``temporary`` one is removed with the result.
    """

    def __init__(
        self, folder: RunFolder, *, temporary: bool = False, native: Native | None = None
    ) -> None:
        """native: of the data frame that was compared on.

        Raises InputError where the folder holds no finished run.
        """
        self.folder = folder
        self.native = native
        if temporary:
            weakref.finalize(self, shutil.rmtree, folder.path, ignore_errors=True)
        plan = folder.plan()
        if plan is None:
            raise InputError(
                f"{folder.path} holds no comparison: make one with gatewright compare FILE"
            )
        self.plan: Plan = plan
        self.verdict: Verdict
        self.rows: list[Row]
        self.verdict, self.rows = outcome(folder, plan)

    def __repr__(self) -> str:
        return showing.as_text(self.plan, self.verdict, self.rows)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return showing.as_html(self.plan, self.verdict, self.rows)

    @property
    def leaderboard(self) -> Any:
        """A row a candidate, best first: a pandas frame where one was compared on, else polars."""
        skipped = {"measures", "setting"}
        return self._frame([row.model_dump(exclude=skipped) | row.measures for row in self.rows])

    def _frame(self, rows: list[dict[str, Any]]) -> Any:
        return as_given(pl.DataFrame(rows, infer_schema_length=None), self.native)

    def measures(self, by: str = "") -> Any:
        """Every measure on test, a column each.

        Args:
            by: "" for a row a candidate; "step", "series" or "target" for a row a candidate and
                step of the horizon, series (the first thousand) or target, where there are several.

        Raises:
            InputError: errors of this comparison are not told by that.
        """
        scores = self.folder.scores()
        found = {row.name: scores[row.name].measures for row in self.rows if not row.failed}
        rows: list[dict[str, Any]] = []
        for candidate, measured in found.items():
            if not by:
                rows.append({"candidate": candidate, **measured.overall})
            for name, numbers in measured.told_by(by).items():
                place = int(name) if by == "step" else name
                rows.append({"candidate": candidate, by: place, **numbers})
        if not rows:
            places = {name for measured in found.values() for name in measured.by}
            raise InputError(
                f"{argument('by', by)}: errors of this comparison are told by "
                f"{', '.join(sorted(places)) or 'nothing'}; leave it out for those of all together"
            )
        return self._frame(rows)

    @cached_property
    def best(self) -> Predictor:
        """What the verdict recommends, ready to predict."""
        return self.model(self.verdict.recommended)

    def model(self, name: str) -> Predictor:
        """A candidate by name, as it was judged: the mean of what its seeds predict.

        Raises InputError for one that is not on the leaderboard.
        """
        score = self._score(name)
        return Predictor(self.folder.model(score), self.folder.history(), self.native)

    def _score(self, name: str) -> Score:
        score = self.folder.scores().get(name)
        if score is None or score.failed:
            known = ", ".join(row.name for row in self.rows if not row.failed)
            raise InputError(f"no candidate of this comparison is called {name!r}: it has {known}")
        return score

    def refit(
        self,
        source: Any = None,
        *,
        candidate: str | None = None,
        delimiter: str | None = None,
        out: str | Path | None = None,
        command: str = "",
        begin: Callable[[FitRecord], None] = lambda record: None,
        progress: Watch = lambda seed, epoch: None,
    ) -> Predictor:
        """A candidate made anew on all rows, those of validation and test too, to predict with.

        It has the setting, the seeds and the number of epochs of the one that was judged, or the
        penalty of a baseline; its bands come from that one's errors on validation. Nothing is left
        to judge it by.

        Args:
            source: a file or data frame with the same columns, which may have newer rows; by
                default the file that was compared on.
            candidate: by name; by default what the verdict recommends.
            delimiter: of a CSV file, where the guess is wrong.
            out: a folder to keep it in, as that of a fit; where it was interrupted it goes on.
            command: what repeats it.
            begin, progress: told once of what will be fitted; of the seed and each epoch.

        Raises:
            InputError: the source is not there or does not fit, there is no such candidate, or
                the folder holds something else.
        """
        score = self._score(candidate or self.verdict.recommended)
        table = rows_for(self.folder, self.plan, source, delimiter)
        name = self.plan.source if source is None else source
        with _kept_in(out) as folder:
            record = refit_into(
                folder,
                table,
                self.folder,
                self.plan,
                self.verdict,
                score,
                source=str(name) if isinstance(name, str | Path) else table.name,
                command=command,
                begin=begin,
                progress=progress,
            )
            predictor = read_predictor(folder, record)
        predictor.native = table.native
        return predictor

    def save(self, path: str | Path) -> Path:
        """Copy all that the run wrote, report included, to a new place.

        Raises InputError if something is there already, or nothing can be written.
        """
        target, source = named(path), self.folder
        names = [name for name in source.files(self.plan) if (source.path / name).is_file()]
        with claimed(target, PLAN, "a comparison", writes=names, lock=False):
            if any(target.iterdir()):
                raise InputError(f"{target} is not empty: choose another folder")
            for name in (*names, PLAN):  # the plan last: a copy without it is removed
                (target / name).parent.mkdir(exist_ok=True)
                shutil.copy2(source.path / name, target / name)
        return target


@contextmanager
def _kept_in(out: str | Path | None) -> Iterator[Path]:
    """The folder asked for, or a temporary one."""
    if out is not None:
        yield named(out)
        return
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        yield Path(folder)
