"""A fitted model that takes tables: what is kept of a comparison or a fit to predict with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from gatewright import baselines, cells, tasks
from gatewright.data.continuing import history_of, join_history
from gatewright.data.layout import Layout
from gatewright.data.prepare.preparing import transform
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.table.reading import Table, read
from gatewright.errors import InputError
from gatewright.tasks.forecast import QUANTILES
from gatewright.training import Model


class Predictor:
    """A model, the preparation of its inputs, and for forecasts the end of what it was given.

    ``history`` holds raw rows, as many of each series as a forecast looks back.
    """

    def __init__(self, model: Model, history: pl.DataFrame | None = None) -> None:
        self.model = model
        self.history = history

    @property
    def preparation(self) -> Preparation:
        return self.model.preparation

    @property
    def layout(self) -> Layout:
        return self.preparation.layout

    def predict(self, source: Any = None) -> pl.DataFrame:
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

        Raises InputError where the table does not fit.
        """
        forecasts = self.model.task.kind == "origins"
        if source is None and (not forecasts or self.history is None):
            raise InputError("there is nothing to predict: give a table")
        table = source
        if source is not None and not isinstance(source, Table):
            table = read(source, readings=self.preparation.readings)
        if forecasts:
            table = join_history(table, self.history, self.layout)
        assert table is not None
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
            data = transform(table, self.preparation, Path(folder) / "data")
            return self._forecast(data, table) if forecasts else self._label(data)

    def _forecast(self, data: Prepared, table: Table) -> pl.DataFrame:
        layout, frames = self.layout, []
        origins = torch.tensor(
            [_origin(data, number, layout.horizon) for number in range(len(data.items))]
        )
        prediction = self.model.predict(data, origins)
        for number, (name, origin) in enumerate(zip(data.items, origins.tolist(), strict=True)):
            columns: dict[str, Any] = {}
            if layout.series:
                columns[layout.series] = [name] * layout.horizon
            columns |= _time_column(table, data, origin)
            for target, title in enumerate(layout.targets):
                scale, center = data.scale[number, target], data.center[number, target]
                told = (prediction[number, :, target].double() * scale + center).numpy()
                columns[title] = told[:, 0]
                for place, level in enumerate(QUANTILES, 1):
                    columns[f"{title} {level:g}"] = told[:, place]
            frames.append(pl.DataFrame(columns))
        return pl.concat(frames)

    def _label(self, data: Prepared) -> pl.DataFrame:
        layout, preparation = self.layout, self.preparation
        prediction = self.model.predict(data, torch.arange(len(data.items)))
        columns: dict[str, Any] = {layout.sequence or "row": list(data.items)}
        if preparation.classes:
            (target,) = layout.targets
            chances: Tensor = prediction.double().softmax(1)
            columns[target] = [
                preparation.classes[place] for place in prediction.argmax(1).tolist()
            ]
            columns |= {
                f"{target}={name}": chances[:, place].numpy()
                for place, name in enumerate(preparation.classes)
            }
        else:
            for place, target in enumerate(layout.targets):
                told = prediction[:, place].double() * preparation.target_scale[place]
                columns[target] = (told + preparation.target_mean[place]).numpy()
        return pl.DataFrame(columns)


def history_for(table: Table, layout: Layout, candidates: Iterable[str]) -> pl.DataFrame | None:
    """The rows that forecasts of some candidates go on from; None for other tasks."""
    if tasks.get(layout.task).kind != "origins":
        return None
    kinds = [baselines.get(name) for name in candidates if name not in cells.names()]
    return history_of(table, layout, whole=any(kind.looks_back_on_all for kind in kinds))


def _origin(data: Prepared, item: int, horizon: int) -> int:
    """The row after the last one with a target, so that a whole horizon is there."""
    start, end = int(data.bounds[item, 0]), int(data.bounds[item, 3])
    seen = (~data.target[start:end].isnan().all(1)).nonzero()
    if len(seen) == 0:
        raise InputError(
            f"{data.items[item]} has no value of {', '.join(data.layout.targets)}: give the rows "
            "that lead up to the forecast"
        )
    origin = start + int(seen[-1]) + 1
    assert origin + horizon <= end, "join_history adds the rows of the future"
    return origin


def _time_column(table: Table, data: Prepared, origin: int) -> dict[str, Any]:
    layout = data.layout
    if layout.time is None:
        return {"step": range(1, layout.horizon + 1)}
    time = data.time[origin : origin + layout.horizon].numpy()
    kind = table.schema[layout.time]
    if kind.is_integer():
        return {layout.time: time}
    moments = pl.Series(layout.time, time).cast(pl.Datetime("us", "UTC"))
    zone = getattr(kind, "time_zone", None)
    if kind == pl.Date:
        return {layout.time: moments.dt.date()}
    return {
        layout.time: moments.dt.convert_time_zone(zone)
        if zone
        else moments.dt.replace_time_zone(None)
    }
