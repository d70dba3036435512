"""A fitted model that takes tables: what is kept of a comparison or a fit to predict with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from gatewright import baselines, cells, tasks
from gatewright.data.layout import Layout
from gatewright.data.prepare.preparing import transform
from gatewright.data.prepared import Preparation
from gatewright.data.table.frames import Native, as_given
from gatewright.data.table.reading import Table, read
from gatewright.errors import InputError
from gatewright.training import Model
from gatewright.wording import tables
from gatewright.wording.numbers import listed


class Predictor:
    """A model, the preparation of its inputs, and for forecasts the end of what it was given.

    ``history`` holds raw rows, as many of each series as a forecast looks back.
    """

    def __init__(
        self,
        model: Model,
        history: pl.DataFrame | None = None,
        native: Native | None = None,
        remark: str = "",
    ) -> None:
        self.model = model
        self.history = history
        self.native = native  # of the data frame that it was fitted on
        self.remark = remark  # what to know of a model that was not judged itself
        self.noticed: tuple[str, ...] = ()  # of the last table: what it lacked, in sentences

    def __repr__(self) -> str:
        return tables.pairs_as_text(self._facts())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return tables.pairs_as_html(self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        """What it is, what it predicts and from what."""
        layout, task, recipe = self.layout, self.model.task, self.model.recipe
        baseline = recipe.candidate in baselines.names()
        title = baselines.get(recipe.candidate).title if baseline else recipe.candidate
        judged = len(self.preparation.series)
        words = [
            task.asks(listed(layout.targets)),
            *task.examples.described(layout, self.preparation, judged),
        ]
        facts = [
            ("Model", f"{title}, {self.model.parameters:,} parameters"),
            ("Predicts", ", ".join(words)),
            ("Inputs", listed(layout.inputs or layout.steps)),
            ("Known ahead", listed(layout.known)),
            ("Remark", self.remark),
        ]
        return [(what, text) for what, text in facts if text]

    @property
    def preparation(self) -> Preparation:
        return self.model.preparation

    @property
    def layout(self) -> Layout:
        return self.preparation.layout

    def predict(self, source: Any = None) -> Any:
        """Predictions for a table: a path, a data frame, or what ``read`` made of one.

        Forecasts: a forecast goes on from the last known target of the rows given, of each series
        that they hold, wherever that lies; rows without a target, at the end, are the future and
        carry the inputs that are known ahead. Earlier rows of the training count as seen before;
        later ones are not looked at. Without a column of times, the rows given go on from those of
        the training. Without a table the forecast begins where the training table ended. Gives
        ``horizon`` rows a series: its name, the time (without a column of times the "step" ahead,
        from 1), each target's point (its name) and quantiles (``NAME 0.05`` to ``NAME 0.95``).

        Labels: gives a row a sequence, the predicted label (the target's name) and, for classes,
        the probability of each (``NAME=CLASS``).

        A pandas frame is answered with a pandas frame, times as an index if they were one; pyarrow
        likewise; anything else, a path too, with a frame of polars. Without a table the answer is
        of the kind that the model was fitted on, as long as it was not loaded from a folder.
        Values that the table lacks, or that training did not have, are told in ``noticed``.

        Raises InputError where the table does not fit.
        """
        table = source
        if source is not None and not isinstance(source, Table):
            table = read(source, readings=self.preparation.readings)
        return as_given(self.answer(table), self.native if table is None else table.native)

    def answer(self, table: Table | None) -> pl.DataFrame:
        """What ``predict`` gives, as a frame of polars."""
        if table is None and self.history is None:
            raise InputError("there is nothing to predict: give a table")
        task = self.model.task
        examples, target = task.examples, task.target
        table = examples.extended(table, self.history, self.layout)
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
            data = transform(table, self.preparation, task, Path(folder) / "data")
            self.noticed = data.preparation.notes
            asked = examples.to_predict(data)
            rows = examples.rows(self.model.predict(data, asked), data, asked)
            columns = target.columns(rows, *examples.scale(data, asked), self.preparation)
            return pl.DataFrame(examples.index(data, table, asked) | columns)


def history_for(table: Table, layout: Layout, candidates: Iterable[str]) -> pl.DataFrame | None:
    """The rows that predictions of some candidates go on from, if there are any."""
    kinds = [baselines.get(name) for name in candidates if name not in cells.names()]
    whole = any(kind.looks_back_on_all for kind in kinds)
    return tasks.get(layout.task).examples.history(table, layout, whole=whole)
