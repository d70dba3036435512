"""What is given to predict with: rows that go on, rows of the future, nothing at all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asked import guess, prepare
from gatewright import cells
from gatewright.data.continuing import history_of
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.models.predictor import Predictor
from gatewright.requests import Columns
from gatewright.training import Model, Recipe, Stopping

SHORT = Stopping(epochs=1, steps_per_epoch=4, batch_size=8)
RECIPE = Recipe(candidate=cells.names()[0], hidden_size=4)


def days(count: int, name: str = "a") -> pl.DataFrame:
    steps = np.arange(count)
    start = date(2020, 1, 1)
    return pl.DataFrame(
        {
            "shop": [name] * count,
            "day": [start + timedelta(days=int(step)) for step in steps],
            "sales": np.sin(steps * 0.9) * 3 + 10 + steps * 0.01,
            "price": (steps % 3).astype(float),
        }
    )


def fitted(frame: pl.DataFrame, folder: Path, **given: object) -> Predictor:
    table = read(frame)
    lengths = {} if "sequence" in given else {"horizon": 4, "context": 8}
    layout, _ = guess(table, Columns(**lengths, **given))  # type: ignore[arg-type]
    data = prepare(table, layout, folder / "data")
    history = history_of(table, layout) if layout.task == "forecast" else None
    return Predictor(Model.fit(RECIPE, data, SHORT), history)


def test_without_a_table_it_goes_on_from_the_end(tmp_path: Path) -> None:
    frame = days(120).drop("shop")
    told = fitted(frame, tmp_path, targets=["sales"]).predict()
    first = date(2020, 1, 1) + timedelta(days=120)
    assert told["day"].to_list() == [first + timedelta(days=step) for step in range(4)]
    assert told.columns[:3] == ["day", "sales", "sales 0.05"]
    assert told["sales 0.05"].le(told["sales 0.95"]).all()
    assert 0 < told["sales"][0] < 20  # in the target's own units


def test_rows_given_again_change_nothing(tmp_path: Path) -> None:
    frame = days(120).drop("shop")
    model = fitted(frame, tmp_path, targets=["sales"])
    assert model.predict().equals(model.predict(frame))
    assert model.predict().equals(model.predict(frame.tail(3)))


def test_newer_rows_move_the_origin(tmp_path: Path) -> None:
    frame = days(130).drop("shop")
    model = fitted(frame.head(120), tmp_path, targets=["sales"])
    told = model.predict(frame.tail(10))
    assert told["day"][0] == date(2020, 1, 1) + timedelta(days=130)
    assert told.equals(model.predict(frame))


def test_inputs_known_ahead_are_used_and_asked_for(tmp_path: Path) -> None:
    frame = days(124)
    seen, future = frame.head(120), frame.tail(4).drop("sales")
    model = fitted(seen.drop("shop"), tmp_path, targets=["sales"], known=["price"])
    told = model.predict(future.drop("shop"))
    other = model.predict(future.drop("shop").with_columns(pl.col("price") + 1))
    assert len(told) == 4
    assert not np.allclose(told["sales"], other["sales"])
    with pytest.raises(InputError, match=r"price.* for 2 of the 4 steps"):
        model.predict(future.head(2).drop("shop"))
    with pytest.raises(InputError, match=r"price.* for 0 of the 4 steps"):
        model.predict()


def test_each_of_many_series_goes_on_from_its_own_end(tmp_path: Path) -> None:
    frame = pl.concat([days(120), days(110, "b").with_columns(pl.col("sales") * 100)])
    model = fitted(frame, tmp_path, targets=["sales"], series="shop")
    told = model.predict()
    ends = {"a": 120, "b": 110}
    for name, end in ends.items():
        mine = told.filter(pl.col("shop") == name)
        assert mine["day"][0] == date(2020, 1, 1) + timedelta(days=end)
    assert told.filter(pl.col("shop") == "b")["sales"].mean() > 500  # type: ignore[operator]


def test_workdays_go_on_over_the_weekend(tmp_path: Path) -> None:
    frame = days(200).drop("shop").filter(pl.col("day").dt.weekday() <= 5)
    told = fitted(frame, tmp_path, targets=["sales"]).predict()
    assert told["day"].dt.weekday().max() <= 5  # type: ignore[operator]
    assert told["day"][0] > frame["day"][-1]


def test_months_and_hours_go_on_by_the_calendar(tmp_path: Path) -> None:
    months = pl.date_range(date(2000, 1, 1), date(2012, 11, 1), "1mo", eager=True)
    frame = pl.DataFrame({"month": months, "y": np.sin(np.arange(len(months)))})
    told = fitted(frame, tmp_path / "months", targets=["y"]).predict()
    assert told["month"].to_list() == [date(2012, 12, 1), *(date(2013, n, 1) for n in (1, 2, 3))]
    hours = [datetime(2020, 1, 1) + timedelta(hours=n) for n in range(200)]
    frame = pl.DataFrame({"hour": hours, "y": np.sin(np.arange(200))})
    told = fitted(frame, tmp_path / "hours", targets=["y"]).predict()
    assert told["hour"][0] == hours[-1] + timedelta(hours=1)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    model = fitted(days(120).drop("shop"), tmp_path, targets=["sales"])
    with pytest.raises(InputError, match="no column 'price'"):
        model.predict(days(10).drop("shop", "price"))


def test_labels_and_their_chances(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "sequence": np.repeat(np.arange(40), 5),
            "step": np.tile(np.arange(5), 40),
            "x": np.repeat(np.arange(40) % 2, 5) + np.tile(np.arange(5), 40) * 0.1,
            "label": np.repeat(np.where(np.arange(40) % 2, "high", "low"), 5),
        }
    )
    model = fitted(frame, tmp_path, targets=["label"], sequence="sequence", step="step")
    told = model.predict(frame.drop("label").head(15))
    assert told.columns == ["sequence", "label", "label=high", "label=low"]
    assert len(told) == 3
    assert np.allclose(told["label=high"] + told["label=low"], 1)


def test_what_a_table_lacks_is_noticed(tmp_path: Path) -> None:
    steps = pl.DataFrame({"id": [n // 10 for n in range(400)], "x": [n % 7 for n in range(400)]})
    frame = steps.with_columns(
        x=pl.col("x").cast(pl.Float64),
        colour=pl.Series(["red", "blue"] * 200),
        label=pl.when(pl.col("id") % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b")),
    )
    model = fitted(frame, tmp_path, targets=["label"], sequence="id")
    model.predict(frame.drop("label"))
    assert model.noticed == ()
    first = pl.col("id") == 0
    new = frame.drop("label").with_columns(
        x=pl.when(first).then(None).otherwise("x"),
        colour=pl.when(first).then(pl.lit("purple")).otherwise("colour"),
    )
    model.predict(new)
    assert [note.split(":")[0] for note in model.noticed] == [
        "missing",
        "not in the training part, and taken for missing",
    ]
    assert "10 of 400 values of x" in model.noticed[0]
    assert "10 of 400 values of colour" in model.noticed[1]


def test_what_is_to_come_is_not_told_as_missing(tmp_path: Path) -> None:
    frame = days(120).drop("shop")
    model = fitted(frame, tmp_path, targets=["sales"])
    model.predict()
    assert model.noticed == ()
    gap = frame.tail(20).with_columns(
        sales=pl.when(pl.col("day").dt.day() == frame["day"][-10].day).then(None).otherwise("sales")
    )
    model.predict(gap)
    (note,) = model.noticed
    assert "1 of " in note
    assert "sales" in note
