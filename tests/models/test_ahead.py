"""Where a forecast begins: after the last known target of the rows given, whoever made them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gatewright as gw
from asked import guess, prepare
from gatewright import baselines, cells, tasks
from gatewright.baselines import Fitted
from gatewright.data.continuing import history_of
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.models.predictor import Predictor
from gatewright.report import views
from gatewright.requests import Columns
from gatewright.training import Model, Recipe, Stopping
from gatewright.training.checkpoint import load_tensors

pytestmark = pytest.mark.slow

START = date(2024, 1, 1)
ROWS, HORIZON, SEASON = 140, 4, 7
SHORT = Stopping(epochs=1, steps_per_epoch=2, batch_size=8)
NETWORK, NAIVE, SEASONAL = cells.names()[0], "last_value", "seasonal_naive"
EVERY = pytest.mark.parametrize("name", [NETWORK, *baselines.of_task(tasks.get("forecast"))])


def days(count: int = ROWS, start: date = START, times: Any = None) -> pl.DataFrame:
    """A row a day; no two values are the same, so that each says which row it is of."""
    if times is None:
        times = [start + timedelta(days=step) for step in range(count)]
    steps = np.arange(count)
    sales = 10 + 3 * np.sin(steps * 2 * np.pi / SEASON) + steps * 0.01
    return pl.DataFrame({"day": times, "sales": sales, "price": (steps % 5).astype(float)})


def shops(**ends: int) -> pl.DataFrame:
    """Series that begin together and end after so many days, each at a level of its own."""
    return pl.concat(
        days(end).with_columns(pl.col("sales") * 10**place, shop=pl.lit(name))
        for place, (name, end) in enumerate(ends.items())
    )


def fitted(frame: pl.DataFrame, folder: Path, name: str = NAIVE, **given: Any) -> Predictor:
    table = read(frame)
    asked = {"targets": ["sales"], "horizon": HORIZON, "context": 10, "season": SEASON, **given}
    layout, _ = guess(table, Columns(**asked))
    data = prepare(table, layout, folder / name)
    hidden_size = 4 if name in cells.names() else 0
    model = Model.fit(Recipe(candidate=name, hidden_size=hidden_size), data, SHORT)
    learned = model.parts[0].learned
    whole = isinstance(learned, Fitted) and learned.looks_back_on_all
    return Predictor(model, history_of(table, data.layout, whole=whole))


def emptied(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names or ("sales",))


def begins(told: pl.DataFrame, time: str = "day") -> Any:
    return told[time][0]


# One series, wherever the rows given end ---------------------------------------------------------


@EVERY
def test_a_forecast_goes_on_from_the_rows_given(name: str, tmp_path: Path) -> None:
    frame = days()
    model = fitted(frame[:120], tmp_path, name)
    for first, end in ((0, 60), (0, 96), (90, 118), (116, 119), (100, 130), (121, 139)):
        told = model.predict(frame[first:end])
        assert told["day"].to_list() == [
            START + timedelta(days=end + step) for step in range(HORIZON)
        ], (first, end)


def test_what_is_forecast_is_what_an_independent_hand_finds(tmp_path: Path) -> None:
    frame = days()
    naive = fitted(frame[:120], tmp_path, NAIVE)
    seasonal = fitted(frame[:120], tmp_path, SEASONAL)
    sales = frame["sales"].to_numpy()
    for first, end in ((0, 60), (0, 96), (90, 118), (116, 119), (100, 130), (121, 139), (120, 121)):
        given = frame[first:end]
        told = naive.predict(given)["sales"].to_numpy()
        np.testing.assert_allclose(told, sales[end - 1], rtol=1e-6)
        if first == 121:
            continue  # a week before, one day was never told
        told = seasonal.predict(given)["sales"].to_numpy()
        np.testing.assert_allclose(told, sales[end - SEASON :][:HORIZON], rtol=1e-6)


@EVERY
def test_rows_after_the_last_target_change_nothing(name: str, tmp_path: Path) -> None:
    """Neither those of the file, nor those of the training."""
    frame = days()
    model = fitted(frame[:120], tmp_path, name)
    expected = model.predict(frame[:96])
    for after in (
        emptied(frame[96:120]),
        emptied(frame[96:120]).with_columns(pl.col("price") + 1000),
        emptied(frame[97:99]),
    ):
        assert model.predict(pl.concat([frame[:96], after])).equals(expected)
    assert model.history is not None
    later = pl.col("day") >= frame["day"][96]
    changed = [
        pl.when(later).then(pl.col(each) + 500).otherwise(pl.col(each)).alias(each)
        for each in ("sales", "price")
    ]
    model.history = model.history.with_columns(changed)
    assert model.predict(frame[:96]).equals(expected)


@EVERY
def test_few_rows_see_those_of_the_training_before_them(name: str, tmp_path: Path) -> None:
    frame = days()
    model = fitted(frame[:120], tmp_path, name)
    for end in (119, 120, 125):
        few, many = model.predict(frame[end - 6 : end]), model.predict(frame[:end])
        np.testing.assert_allclose(few["sales"], many["sales"], rtol=1e-6)
    assert model.predict(frame[:120]).equals(model.predict())


def test_a_gap_before_the_rows_given(tmp_path: Path) -> None:
    frame = days(700)
    model = fitted(frame[:120], tmp_path, SEASONAL)
    told = model.predict(frame[124:134])
    assert begins(told) == START + timedelta(days=134)
    # Years later, what was seen in training is no part of any window.
    told = model.predict(frame[680:683])
    assert begins(told) == START + timedelta(days=683)
    np.testing.assert_allclose(told["sales"], frame["sales"][682], rtol=1e-6)


@pytest.mark.parametrize("absent", [False, True])
def test_rows_of_the_future_begin_after_the_training(absent: bool, tmp_path: Path) -> None:
    frame = days()
    model = fitted(frame[:120], tmp_path, known=["price"])
    rows = frame.drop("sales") if absent else emptied(frame)
    assert begins(model.predict(rows[120:126])) == START + timedelta(days=120)
    assert len(model.predict(rows[120:126])) == HORIZON
    for first, shown in ((122, "2024-05-02"), (100, "2024-04-10")):
        with pytest.raises(InputError, match=f"begin at {shown}, .* end at 2024-04-29"):
            model.predict(rows[first : first + 10])


def test_what_is_known_ahead_comes_from_the_rows_given_alone(tmp_path: Path) -> None:
    frame = days()
    model = fitted(frame[:120], tmp_path, NETWORK, known=["price"])
    with pytest.raises(InputError, match=r"price is known ahead, but .* gives it for 0 of"):
        model.predict(frame[:96])
    rows = pl.concat([frame[:96], emptied(frame[96:100])])
    told = model.predict(rows)
    assert begins(told) == frame["day"][96]
    dearer = pl.concat([frame[:96], emptied(frame[96:100]).with_columns(pl.col("price") + 5)])
    assert not np.allclose(told["sales"], model.predict(dearer)["sales"])


def test_the_last_of_several_targets_counts(tmp_path: Path) -> None:
    frame = days().with_columns(visits=pl.col("sales") * 2)
    model = fitted(frame[:120], tmp_path, targets=["sales", "visits"])
    rows = pl.concat(
        [frame[:94], emptied(frame[94:96], "visits"), emptied(frame[96:99], "sales", "visits")]
    )
    told = model.predict(rows)
    assert begins(told) == frame["day"][96]
    np.testing.assert_allclose(told["sales"], frame["sales"][95], rtol=1e-6)
    np.testing.assert_allclose(told["visits"], frame["visits"][93], rtol=1e-6)  # the last known
    alone = model.predict(frame[90:96].drop("visits"))
    np.testing.assert_allclose(alone["sales"], frame["sales"][95], rtol=1e-6)


# Many series -------------------------------------------------------------------------------------


@EVERY
def test_the_series_of_the_file_are_forecast_and_no_others(name: str, tmp_path: Path) -> None:
    """Each with its own scale and model, in whatever order the training had them."""
    frame = shops(b=130, c=130, a=130)
    model = fitted(frame.filter(pl.col("day") < frame["day"][120]), tmp_path, name, series="shop")
    every = model.predict(frame)
    assert set(every["shop"]) == {"a", "b", "c"}
    only = frame.filter(pl.col("shop") == "c")
    alone = model.predict(only)
    assert set(alone["shop"]) == {"c"}
    np.testing.assert_allclose(
        alone["sales"], every.filter(pl.col("shop") == "c")["sales"], rtol=1e-5
    )
    levels = every.group_by("shop").agg(pl.col("sales").mean()).sort("shop")["sales"].to_numpy()
    np.testing.assert_allclose(np.log10(levels), [3, 1, 2], atol=0.3)


def test_series_end_where_each_of_them_ends(tmp_path: Path) -> None:
    frame = shops(a=120, b=120)
    model = fitted(frame, tmp_path, series="shop")
    longer = shops(a=126, b=126, new=60)
    ends = {"a": 80, "b": 126, "new": 50}
    rows = pl.concat(longer.filter(pl.col("shop") == name).head(end) for name, end in ends.items())
    told = model.predict(rows)
    for name, end in ends.items():
        mine = told.filter(pl.col("shop") == name)
        assert begins(mine) == START + timedelta(days=end)
        last = rows.filter(pl.col("shop") == name)["sales"][-1]
        np.testing.assert_allclose(mine["sales"], last, rtol=1e-6)
    with pytest.raises(InputError, match="other has no value of sales"):
        model.predict(emptied(frame.head(5)).with_columns(shop=pl.lit("other")))
    with pytest.raises(InputError, match="those of 'b' in the data frame begin at 2024-05-03"):
        model.predict(emptied(shops(a=128, b=128)[-5:]))


def test_series_named_by_numbers_are_the_same_as_decimals(tmp_path: Path) -> None:
    """As pandas writes whole numbers where one is missing elsewhere."""
    names = {"a": 1, "b": 2}
    frame = shops(a=120, b=120).with_columns(pl.col("shop").replace_strict(names))
    model = fitted(frame, tmp_path, series="shop")
    expected = model.predict(frame)
    assert model.predict(frame.with_columns(pl.col("shop").cast(pl.Float64))).equals(expected)
    with pytest.raises(InputError, match=r"'shop' of the data frame holds numbers, and held"):
        model.predict(frame.with_columns(pl.col("shop") + 0.5))


# Times of other kinds, and none ------------------------------------------------------------------


def test_whole_numbers_as_times(tmp_path: Path) -> None:
    frame = days(times=np.arange(ROWS) * 5 + 1000)
    model = fitted(frame[:120], tmp_path, time="day")
    assert model.predict(frame[:96])["day"].to_list() == frame["day"][96:100].to_list()
    assert model.predict(emptied(frame[120:]))["day"][0] == frame["day"][120]
    with pytest.raises(InputError, match=r"begin at 1605, .* end at 1595"):
        model.predict(emptied(frame[121:]))


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("step", ["1d", "1mo", "1h"])
def test_times_of_a_zone_go_on_by_the_clock_on_the_wall(
    step: str, zone: str | None, tmp_path: Path
) -> None:
    times = pl.datetime_range(
        datetime(2024, 1, 1), datetime(2040, 1, 1), step, eager=True, time_zone=zone
    )
    frame = days(times=times[:ROWS])
    model = fitted(frame[:120], tmp_path)
    # Summer time began and ended in between.
    for end in (80, 88, 89, 90, 120, 140):
        told = model.predict(frame[:end])["day"]
        assert told.to_list() == times[end : end + HORIZON].to_list()
    if zone:
        with pytest.raises(InputError, match="holds times without a zone, and held times in"):
            model.predict(frame[:96].with_columns(pl.col("day").dt.replace_time_zone(None)))


def test_the_ends_of_months_go_on_at_the_ends_of_months(tmp_path: Path) -> None:
    ends = pl.date_range(date(2010, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end()
    frame = days(times=ends[:ROWS])
    model = fitted(frame[:120], tmp_path)
    for end in range(90, 100):
        told = model.predict(frame[:end])["day"]
        assert told.to_list() == ends[end : end + HORIZON].to_list()


def test_times_as_text_and_of_another_kind(tmp_path: Path) -> None:
    frame = days()
    model = fitted(frame[:120], tmp_path)
    expected = model.predict(frame[:96])
    for kind in (pl.String, pl.Datetime("ns"), pl.Datetime("ms")):
        assert model.predict(frame[:96].with_columns(pl.col("day").cast(kind))).equals(expected)
    hours = pl.col("day").cast(pl.Datetime("us")) + pl.duration(hours=10)
    with pytest.raises(InputError, match=r"'day' of the data frame holds times .* held dates"):
        model.predict(frame[:96].with_columns(hours))
    with pytest.raises(InputError, match=r"row 96 of the data frame: day stands twice"):
        model.predict(pl.concat([frame[:95], frame[94:96]]))


@EVERY
def test_without_times_rows_go_on_from_the_training(name: str, tmp_path: Path) -> None:
    frame = days().drop("day")
    model = fitted(frame[:120], tmp_path, name)
    told = model.predict(frame[120:130])
    assert told["step"].to_list() == [1, 2, 3, 4]
    if name == NAIVE:
        np.testing.assert_allclose(told["sales"], frame["sales"][129], rtol=1e-6)
    # As many rows as any forecast looks back at leave nothing of the training to be seen.
    backtest = model.predict(frame[:96])
    assert model.history is not None
    model.history = model.history.with_columns(pl.col("sales") + 500)
    assert model.predict(frame[:96]).equals(backtest)


def test_a_picture_shows_what_was_seen_before_the_forecast(tmp_path: Path) -> None:
    frame = days()
    model = fitted(frame[:120], tmp_path)
    plot = views.plotting(model.model.task).plot
    for table in (read(frame[:116]), read(frame[110:116])):
        figure = plot(model, model.predict(table), table)
        seen, ahead = figure.axes[0].lines
        np.testing.assert_allclose(seen.get_ydata(), frame["sales"][100:116], rtol=1e-6)
        assert max(seen.get_xdata()) < min(ahead.get_xdata())
    bare = fitted(frame[:120].drop("day"), tmp_path)
    table = read(frame[:96].drop("day"))
    seen, ahead = plot(bare, bare.predict(table), table).axes[0].lines
    assert list(seen.get_xdata()) == list(range(-15, 1))
    assert list(ahead.get_xdata()) == [1, 2, 3, 4]


# What was judged is what is shipped ---------------------------------------------------------------

STATISTICS = ["auto_arima", "ets", "theta"] if find_spec("statsforecast") else []


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    """A comparison of two series, whose files and models are kept."""
    random = np.random.default_rng(0)
    frame = shops(late=160, early=160)
    frame = frame.with_columns(pl.col("sales") * pl.Series(random.uniform(0.8, 1.2, len(frame))))
    folder = tmp_path_factory.mktemp("compared") / "run"
    lengths = {"horizon": HORIZON, "context": 10, "season": SEASON}
    quick = {"cells": NETWORK, "settings": 1, "seeds": 1, "epochs": 1, "jobs": 1}
    gw.compare(
        frame, target="sales", series="shop", out=folder, baselines=STATISTICS, **lengths, **quick
    )
    return folder, frame


@pytest.mark.slow
@pytest.mark.parametrize("name", [NETWORK, *baselines.of_task(tasks.get("forecast")), *STATISTICS])
def test_a_file_cut_at_a_test_origin_gives_the_forecast_that_was_judged(
    name: str, compared: tuple[Path, pl.DataFrame]
) -> None:
    folder, frame = compared
    judged, record = load_tensors(folder / "scores" / f"{name}.safetensors")
    model = gw.load(folder, name)
    history = judged["shown_before"].shape[1]
    assert len(record["items"]) == 6
    for number, shop in enumerate(record["items"]):
        origin = judged["shown_time"][number, history].item()
        scale, center = judged["shown_scale"][number], judged["shown_center"][number]
        expected = judged["shown_prediction"][number, :, 0].double() * scale + center
        mine = frame.filter(pl.col("shop") == shop, pl.col("day").dt.timestamp("us") < origin)
        told = model.predict(mine)
        times = judged["shown_time"][number, history:].tolist()
        assert told["day"].dt.timestamp("us").to_list() == times
        found = told[:, told.columns.index("sales") :].to_numpy()
        np.testing.assert_allclose(found, expected.numpy(), rtol=2e-5)
