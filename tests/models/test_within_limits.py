"""Floors and ceilings hold from training to prediction, for every candidate."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import gatewright as gw
from asked import guess, prepare
from gatewright import baselines, cells, tasks
from gatewright.baselines import Fitted
from gatewright.data.continuing import history_of
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import read
from gatewright.estimators import Forecaster, SequenceRegressor
from gatewright.models.judging import answer_part, judge
from gatewright.models.predictor import Predictor
from gatewright.requests import Columns
from gatewright.training import Model, Recipe, Stopping
from worlds import of_task

ROWS, HORIZON, CONTEXT = 240, 6, 12
NO_LIMITS = (None, None)
SHORT = Stopping(epochs=1, steps_per_epoch=20, batch_size=16)
NETWORK = cells.names()[0]
FORECASTS = [NETWORK, *baselines.of_task(tasks.get("forecast"))]


def particles(rows: int = ROWS) -> pl.DataFrame:
    """Like the particles in the air of a city: peaks, and long times near 0, which it touches."""
    random = np.random.default_rng(0)
    steps = np.arange(rows)
    level = 30 * np.sin(steps / 7) + 25 * random.normal(size=rows)
    return pl.DataFrame(
        {"hour": steps, "pm": np.round(level.clip(0)) * 1.0, "t": 0.1 * (steps % 7)}
    )


def prepared(frame: pl.DataFrame, folder: Path, limits: Any = None, **asked: Any) -> Prepared:
    said: dict[str, Any] = {"targets": ("pm",), "time": "hour", "horizon": HORIZON}
    said |= {"context": CONTEXT, "season": 1, "limits": limits, **asked}
    table = read(frame)
    layout, _ = guess(table, Columns(**said))
    return prepare(table, layout, folder)


def fitted(name: str, data: Prepared) -> Model:
    hidden_size = 4 if name in cells.names() else 0
    recipe = Recipe(candidate=name, hidden_size=hidden_size)
    usual = tasks.get(data.layout.task)(data.preparation, recipe.options).usual(data)
    return Model.fit(recipe.settled(usual), data, SHORT)


def in_table(data: Prepared, prediction: Any) -> Any:
    """Of one series and one target."""
    return prediction.double().numpy() * data.scale.item() + data.center.item()


@pytest.mark.parametrize("name", FORECASTS)
def test_no_forecast_of_any_candidate_is_below_zero(name: str, tmp_path: Path) -> None:
    frame = particles()
    held, free = prepared(frame, tmp_path / "held"), prepared(frame, tmp_path / "free", NO_LIMITS)
    assert held.preparation.limits == ((0.0, None),)
    assert free.preparation.limits == ()
    models = [fitted(name, data) for data in (held, free)]
    judged = [answer_part(model, held, "test") for model in models]
    within, beyond = (in_table(held, answers.prediction) for answers in judged if answers)
    if name != "series_mean":  # its bands are those of the numbers themselves
        assert beyond.min() < -1
    assert within.min() >= -1e-9
    assert within == pytest.approx(np.maximum(beyond, 0), abs=1e-4)
    target, point = in_table(held, judged[0].target), within[..., 0]  # type: ignore[union-attr]
    loss = (((point - target) / held.scale.item()) ** 2).mean()
    assert judge(models[0], held, "test").loss == pytest.approx(loss, rel=1e-5)  # type: ignore[union-attr]
    assert judge(models[0], held, "test").loss <= judge(models[1], held, "test").loss  # type: ignore[union-attr]


@pytest.mark.parametrize("name", FORECASTS)
def test_what_is_predicted_is_what_was_judged(name: str, tmp_path: Path) -> None:
    frame = particles()
    data = prepared(frame, tmp_path / "data")
    model = fitted(name, data)
    answers = answer_part(model, data, "test")
    assert answers is not None
    predictor = Predictor(model, history_of(read(frame), data.layout, whole=whole(model)))
    for number in range(0, len(answers.examples), 7):
        told = predictor.answer(read(frame[: int(answers.examples[number])]))
        found = told.drop("hour").to_numpy()
        expected = in_table(data, answers.prediction[number, :, 0])
        assert found == pytest.approx(expected, abs=1e-3)
        assert found.min() >= 0
        assert (found == 0).sum() == (expected < 1e-4).sum()  # not almost 0


def whole(model: Model) -> bool:
    learned = model.parts[0].learned
    return isinstance(learned, Fitted) and learned.looks_back_on_all


def test_a_guess_knows_training_alone(tmp_path: Path) -> None:
    frame = particles()
    later = frame.with_columns(pm=pl.when(pl.col("hour") < 168).then("pm").otherwise(-5.0))
    data = prepared(later, tmp_path / "later")
    assert data.preparation.limits == ((0.0, None),)
    (note,) = (note for note in data.preparation.notes if "beyond" in note)
    assert note.startswith("beyond what training keeps to (0 or more): 72 values of pm in")
    earlier = frame.with_columns(pm=pl.when(pl.col("hour") != 167).then("pm").otherwise(-5.0))
    assert prepared(earlier, tmp_path / "earlier").preparation.limits == ()


def test_a_series_that_went_below_since_is_forecast_there(tmp_path: Path) -> None:
    frame = particles()
    since = frame.tail(30).with_columns(pm=pl.lit(-40.0), hour=pl.col("hour") + 30)
    for limits, least in ((None, -40.0), ((0, None), 0.0)):
        data = prepared(frame, tmp_path / f"{least}", limits)
        predictor = Predictor(fitted("last_value", data), history_of(read(frame), data.layout))
        assert predictor.predict(since)["pm"].to_list() == pytest.approx(
            [least] * HORIZON, abs=1e-4
        )


def test_of_many_series_and_targets_each_has_its_limits(tmp_path: Path) -> None:
    one = particles().with_columns(where=pl.lit("a"), change=pl.col("pm").diff().fill_null(0.0))
    frame = pl.concat([one, one.with_columns(pl.col("pm") * 100, where=pl.lit("b"))])
    said: dict[str, Any] = {"targets": ("pm", "change"), "series": "where"}
    data = prepared(frame, tmp_path / "guessed", **said)
    assert data.preparation.limits == ((0.0, None), NO_LIMITS)
    told = {"change": (-10, 10.5)}
    data = prepared(frame, tmp_path / "told", told, **said)
    assert data.preparation.limits == ((0.0, None), (-10.0, 10.5))
    assert data.layout.limits == {"change": (-10.0, 10.5)}
    predictor = Predictor(fitted(NETWORK, data), history_of(read(frame), data.layout))
    frame = predictor.predict()
    assert frame.select(pl.min_horizontal(pl.selectors.starts_with("pm")).min()).item() >= 0
    changes = frame.select(pl.selectors.starts_with("change")).to_numpy()
    assert (changes.min(), changes.max()) == (-10.0, 10.5)


@pytest.mark.parametrize("task", [name for name in tasks.names() if tasks.get(name).target.numeric])
def test_every_task_of_numbers_keeps_to_limits(task: str) -> None:
    data = of_task(task)
    said = dict.fromkeys(data.layout.targets, (-1.1, -0.9))
    moments = {"target_mean": (-1.0,) * len(said), "target_scale": (2.0,) * len(said)}
    layout = data.layout.model_copy(update={"limits": said})
    changes = {"layout": layout, "limits": tuple(said.values()), **moments}
    preparation = data.preparation.model_copy(update=changes)
    data = dataclasses.replace(data, preparation=preparation)
    question = tasks.get(task)(preparation)
    setting = question.usual(data)
    examples = question.examples.of_part(data, "train")
    with torch.no_grad():
        batch = question.examples.batch(data, examples)
        prediction = question.network(NETWORK, 4, setting)(batch)
    found = question.restored(prediction, data, examples, setting)
    expected = prediction.clamp(-0.05, 0.05)  # scaled: (-1.1 + 1) / 2
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    assert (found != prediction).any()


# From the doors -----------------------------------------------------------------------------------


def compared(frame: pl.DataFrame, **more: Any) -> Any:
    return gw.compare(
        frame, target="pm", time="hour", horizon=HORIZON, context=CONTEXT, cells=NETWORK,
        settings=1, seeds=1, epochs=1, jobs=1, **more,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_tells_its_guess_and_keeps_it(tmp_path: Path) -> None:
    result = compared(particles(), out=tmp_path / "run")
    plan = result.plan
    (said,) = (found for found in plan.guesses if found.argument == "limits")
    assert (said.what, said.value) == ("limits", "pm: 0 or more")
    assert "pm: 0 or more" in (tmp_path / "run" / "report.html").read_text()
    for name in ("drift", NETWORK):
        frame = gw.load(tmp_path / "run", name).predict()
        assert frame.drop("hour").to_numpy().min() == 0
    free = compared(particles(), out=tmp_path / "free", limits=NO_LIMITS)
    assert not [found for found in free.plan.guesses if found.argument == "limits"]
    assert free.plan.layout.limits == {"pm": NO_LIMITS}
    assert gw.load(tmp_path / "free", "drift").predict().drop("hour").to_numpy().min() < 0


def forecaster(**more: Any) -> Forecaster:
    return Forecaster(NETWORK, HORIZON, CONTEXT, hidden_size=4, epochs=1, **more)


def test_forecaster_keeps_to_limits_saved_and_loaded(tmp_path: Path) -> None:
    numbers = particles()["pm"].to_numpy()
    held, free = (forecaster(limits=limits).fit(numbers) for limits in (None, NO_LIMITS))
    assert [found.value for found in held.guesses_ if found.what == "limits"] == [
        "target: 0 or more"
    ]
    bands = [each.predictor_.predict().drop("step").to_numpy() for each in (held, free)]
    assert bands[1].min() < 0
    assert bands[0] == pytest.approx(np.maximum(bands[1], 0), abs=1e-4)
    told = forecaster(limits={"target": (5, 20)}).fit(numbers)
    told.save(tmp_path / "told")
    again = Forecaster.load(tmp_path / "told")
    found = again.predict()
    assert found.min() >= 5
    assert found.max() <= 20
    assert (again.fit(numbers).predict() == found).all()


def regressor(**more: Any) -> SequenceRegressor:
    return SequenceRegressor(NETWORK, hidden_size=4, epochs=3, **more)


def test_a_regressor_keeps_to_limits_saved_and_loaded(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 5))
    y = np.maximum(x.sum(axis=1), 0)  # half of them 0
    held, free = (regressor(limits=limits).fit(x, y) for limits in (None, NO_LIMITS))
    beyond = free.predict(x)
    assert beyond.min() < 0
    assert held.model_.preparation.limits == ((0.0, None),)
    assert (held.predict(x) == np.maximum(beyond, 0)).all()
    told = regressor(limits=(0, 1.5)).fit(x, np.stack([y, -y], 1))
    assert told.predict(x).min() == 0
    assert told.predict(x).max() <= 1.5
    told.save(tmp_path / "told")
    assert (SequenceRegressor.load(tmp_path / "told").predict(x) == told.predict(x)).all()


def test_numbers_of_sequences_in_a_table_keep_to_limits(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(90, 6))
    frame = pl.DataFrame({f"x{at}": x[:, at] for at in range(6)})
    frame = frame.with_columns(y=pl.Series(np.maximum(x.sum(axis=1), 0)))
    table = read(frame)
    layout, _ = guess(table, Columns(targets=("y",), task="regress"))
    data = prepare(table, layout, tmp_path / "data")
    assert data.preparation.limits == ((0.0, None),)
    model = fitted("ridge_flat", data)
    told = Predictor(model).predict(frame)["y"].to_numpy()
    assert told.min() == 0
    free = table, layout.model_copy(update={"limits": {"y": NO_LIMITS}})
    without = fitted("ridge_flat", prepare(*free, tmp_path / "free"))
    beyond = Predictor(without).predict(frame)["y"].to_numpy()
    assert beyond.min() < 0
    assert told == pytest.approx(np.maximum(beyond, 0), abs=1e-5)
