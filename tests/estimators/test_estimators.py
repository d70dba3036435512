"""The estimators: what they learn and take, what they keep, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gatewright.api import load
from gatewright.errors import InputError
from gatewright.estimators import Forecaster, SequenceClassifier, SequenceRegressor
from gatewright.estimators.arrays import hold_out
from places import data_set

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {
    "hidden_size": 16,
    "learning_rate": 0.02,
    "epochs": 6,
    "steps_per_epoch": 25,
}


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    torch_threads(1)


def waves(samples: int, channels: int = 2) -> tuple[list[Any], Any]:
    """Noisy waves of different lengths, slow ones (0) and quick ones (1)."""
    random = np.random.default_rng(0)
    label = random.integers(0, 2, samples)
    found = []
    for each in label:
        time = np.arange(random.integers(8, 15))[:, None] + random.uniform(0, 6, channels)
        wave = np.sin(time * (0.4 if each == 0 else 1.6))
        found.append(wave + random.normal(0, 0.1, wave.shape))
    return found, label


def series(steps: int = 160, start: str = "2020-01-01") -> pl.DataFrame:
    """A wave of eight days, a row a day."""
    days = pl.date_range(
        pl.lit(start).str.to_date(), pl.lit(start).str.to_date() + pl.duration(days=steps - 1)
    )
    frame = pl.select(day=days)
    wave = 10 + 3 * np.sin(np.arange(steps) * 2 * np.pi / 8)
    return frame.with_columns(sales=pl.Series(wave))


def panel() -> pl.DataFrame:
    parts = [
        series(80).with_columns(pl.col("sales") * size, shop=pl.lit(size)) for size in (1, 100)
    ]
    return pl.concat(parts)


# Sequences


def test_a_classifier_learns_from_lists_of_different_lengths() -> None:
    x, label = waves(150)
    names = np.array(["slow", "quick"])[label]
    found = SequenceClassifier(**QUICK).fit(x[:100], names[:100])
    assert found.classes_.tolist() == ["quick", "slow"]
    assert found.score(x[100:], names[100:]) > 0.95
    chances = found.predict_proba(x[100:])
    assert chances.shape == (50, 2)
    np.testing.assert_allclose(chances.sum(1), 1)


@pytest.mark.slow
def test_a_regressor_learns_one_or_several_numbers() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 6, 2))
    y = np.stack([100 + x[:, :, 0].sum(1), 1e-3 * x[:, -1, 1]], 1)
    found = SequenceRegressor(**{**QUICK, "epochs": 15}).fit(x[:150], y[:150])
    assert found.predict(x[150:]).shape == (50, 2)
    assert found.score(x[150:], y[150:]) > 0.8
    one = SequenceRegressor(**QUICK).fit(x, y[:, 0])
    assert one.predict(x).shape == (200,)


@pytest.mark.slow
def test_forms_of_the_same_sequences_are_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(40, 7))
    y = x[:, 0] > 0
    flat = SequenceClassifier(**QUICK).fit(x, y)
    assert (flat.n_features_in_, flat.steps_) == (7, 7)
    expected = flat.predict_proba(x)
    for other in (x[:, :, None], list(x), list(x[:, :, None])):
        found = SequenceClassifier(**QUICK).fit(other, y)
        assert (found.n_features_in_, found.steps_) == (1, None)
        np.testing.assert_array_equal(found.predict_proba(other), expected)
        np.testing.assert_array_equal(flat.predict_proba(other), expected)
        np.testing.assert_array_equal(found.predict_proba(x), expected)


def test_lists_of_lists_of_different_lengths_are_sequences() -> None:
    x = [[1.0, 2.0], [2.0, 1.0, 0.0], [3.0], [0.0, 4.0]]
    assert SequenceClassifier(**QUICK).fit(x, [0, 1, 0, 1]).predict(x).shape == (4,)


def test_missing_values_take_the_last_one_and_say_so() -> None:
    x, label = waves(60)
    x[3][2, 0] = np.nan
    found = SequenceClassifier(**QUICK).fit(x, label)
    roles = [channel.role for channel in found.model_.preparation.channels]
    assert roles == ["input", "input", "missing"]
    filled = [each.copy() for each in x]
    filled[3][2, 0] = filled[3][1, 0]
    assert np.isfinite(found.predict_proba(x)).all()
    assert (found.predict_proba(x)[3] != found.predict_proba(filled)[3]).any()


def test_a_prediction_does_not_depend_on_the_others() -> None:
    x, label = waves(60)
    found = SequenceRegressor(**QUICK).fit(x, label)
    alone = np.concatenate([found.predict([each]) for each in x])
    np.testing.assert_allclose(found.predict(x), alone, rtol=0, atol=1e-12)


def test_classes_may_weigh_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    y = np.arange(100) < 5
    plain = SequenceClassifier(**QUICK).fit(x, y)
    weighed = SequenceClassifier(class_weights=True, **QUICK).fit(x, y)
    assert weighed.predict_proba(x)[:, 1].mean() > 2 * plain.predict_proba(x)[:, 1].mean()


def test_validation_has_the_same_share_of_each_class_or_is_left_out() -> None:
    label = np.repeat([0, 1, 2], [100, 50, 1])
    held = hold_out(label, 151, 0.2, np.random.RandomState(0))
    assert np.bincount(label[held], minlength=3).tolist() == [20, 10, 0]
    assert not hold_out(None, 90, 0.1, np.random.RandomState(0)).any()
    x, y = waves(30)
    few = SequenceClassifier(patience=1, **QUICK).fit(x, y)
    assert len(few.model_.epochs) == QUICK["epochs"]


@pytest.mark.slow
def test_a_fit_is_repeatable_and_leaves_torch_as_it_was(torch_threads: Any) -> None:
    x, label = waves(40)
    torch_threads(2)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = SequenceClassifier(dropout=0.5, random_state=1, **QUICK).fit(x, label)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), state)
    again = clone(first).fit(x, label)
    np.testing.assert_array_equal(first.predict_proba(x), again.predict_proba(x))
    other = clone(first).set_params(random_state=2).fit(x, label)
    assert (first.predict_proba(x) != other.predict_proba(x)).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "labels", [[3, 5], ["no", "yes"], [False, True], [0.0, 2.0], pd.array(["a", "b"], dtype=object)]
)
def test_a_saved_classifier_predicts_the_same(labels: Any, tmp_path: Path) -> None:
    x, label = waves(30)
    y = np.asarray(labels)[label]
    found = SequenceClassifier(**QUICK).fit(x, y)
    found.save(tmp_path / "kept")
    back = SequenceClassifier.load(tmp_path / "kept")
    assert back.get_params() == found.get_params()
    assert back.predict(x).dtype == found.predict(x).dtype
    np.testing.assert_array_equal(back.predict(x), found.predict(x))
    np.testing.assert_array_equal(back.predict_proba(x), found.predict_proba(x))
    with pytest.raises(InputError, match="holds a SequenceClassifier: load it with"):
        SequenceRegressor.load(tmp_path / "kept")


def test_a_saved_regressor_knows_its_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
    found = SequenceRegressor(random_state=np.random.RandomState(0), **QUICK)
    found.fit(frame, frame["a"]).save(tmp_path)
    back = SequenceRegressor.load(tmp_path)
    assert back.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(back.predict(frame), found.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        back.predict(frame[["c", "b", "a"]])


@pytest.mark.slow
def test_tools_of_scikit_learn_take_the_estimators() -> None:
    x, label = waves(60)
    search = GridSearchCV(SequenceClassifier(**QUICK), {"hidden_size": [4, 16]}, cv=2)
    assert search.fit(x, label).best_score_ > 0.6
    flat = np.random.default_rng(0).normal(size=(60, 5))
    pipe = make_pipeline(StandardScaler(), SequenceRegressor(**QUICK))
    assert cross_val_score(pipe, flat, flat[:, 0], cv=3).shape == (3,)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"cell": "grru"}, "did you mean 'gru'"),
        ({"hidden_size": 0}, "`hidden_size` is to be a whole number from 1 to 65,536, not 0"),
        ({"dropout": 1}, "`dropout` is to be a number from 0 to below 1, not 1"),
        ({"learning_rate": "fast"}, "`learning_rate` is to be a finite number above 0, not 'fast'"),
        ({"pooling": "mean"}, "pooling is 'last' or 'attention', not 'mean'"),
        ({"validation_fraction": 1.0}, "`validation_fraction` is to be"),
        ({"learning_rate": 1e12, "epochs": 3}, "give a smaller learning_rate"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, Any], reason: str) -> None:
    x, label = waves(20)
    with pytest.raises(InputError, match=reason):
        SequenceRegressor(**arguments).fit(x, label * 1e3)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        ([np.zeros((3, 2)), np.zeros((3, 1))], "sequence 1 of X has 1 channels, and sequence 0"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], r"sequence 1 of X has the shape \(0, 2\)"),
        ([np.zeros(3), np.array(["a"])], "sequence 1 of X is not an array of numbers"),
        ([np.zeros(3), np.array([np.inf])], "sequence 1 of X contains infinity"),
        (np.array([[1e300, 1.0], [-1e300, 0.0]]), "too large to square"),
    ],
)
def test_sequences_that_do_not_fit_are_named(x: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SequenceRegressor(**QUICK).fit(x, [0.0, 1.0])


def test_sequences_of_other_channels_are_refused() -> None:
    x, label = waves(20)
    found = SequenceClassifier(**QUICK).fit(x, label)
    with pytest.raises(InputError, match="3 channels, but SequenceClassifier was fitted on 2"):
        found.predict(np.zeros((4, 5, 3)))


@pytest.mark.slow
def test_japanese_vowels_are_told_apart() -> None:
    vowels = data_set("japanese-vowels.csv")
    parts: dict[str, tuple[list[Any], list[int]]] = {"train": ([], []), "test": ([], [])}
    for one in pl.read_csv(vowels).partition_by("sequence", maintain_order=True):
        x, y = parts[one["split"][0]]
        x.append(one.select(pl.selectors.starts_with("lpc")).to_numpy())
        y.append(one["speaker"][0])
    found = SequenceClassifier(hidden_size=32, learning_rate=0.01, epochs=10, steps_per_epoch=30)
    assert found.fit(*parts["train"]).score(*parts["test"]) > 0.94


# Forecasts


@pytest.mark.slow
def test_a_forecaster_goes_on_from_what_it_saw(tmp_path: Path) -> None:
    frame = series()
    known = frame[:144]
    found = Forecaster(horizon=8, **QUICK).fit(known)
    told = found.predict()
    assert told["day"].to_list() == frame["day"][144:152].to_list()
    assert np.abs((told["sales"] - frame["sales"][144:152]).to_numpy()).max() < 0.5
    assert found.layout_.horizon == 8
    assert {guess.what for guess in found.guesses_} >= {"target", "time column", "context"}

    known.write_csv(tmp_path / "sales.csv")
    for source in (known.to_pandas(), known.to_pandas().set_index("day"), tmp_path / "sales.csv"):
        again = clone(found).fit(source).predict()
        np.testing.assert_allclose(again["sales"], told["sales"], rtol=1e-6)


def test_later_rows_are_seen_before_a_forecast() -> None:
    frame = series()
    found = Forecaster(horizon=8, **QUICK).fit(frame[:120])
    told = found.predict(frame[120:144])
    assert told["day"][0] == frame["day"][144]
    np.testing.assert_allclose(told["sales"], frame["sales"][144:152], atol=0.5)
    score = found.score(frame[120:152])
    expected = -((told["sales"] - frame["sales"][144:152]) ** 2).mean()
    assert score == pytest.approx(expected)
    assert found.score(frame[:152]) == pytest.approx(expected)


@pytest.mark.slow
def test_rows_that_end_before_the_training_does_are_forecast_from_their_end() -> None:
    frame = series()
    found = Forecaster(horizon=8, **QUICK).fit(frame[:144])
    for end in (100, 121, 136, 143):
        told = found.predict(frame[:end].to_pandas())
        assert told["day"].dt.date.to_list() == frame["day"][end : end + 8].to_list()
        came = frame["sales"][end : end + 8].to_numpy()
        np.testing.assert_allclose(told["sales"], came, atol=0.5)
        expected = -((told["sales"] - came) ** 2).mean()
        assert found.score(frame[: end + 8]) == pytest.approx(expected)
    inside = found.predict(frame[:136])
    expected = -((inside["sales"] - frame["sales"][136:144]) ** 2).mean()
    assert found.score(frame[136:144]) == pytest.approx(expected)
    with pytest.raises(InputError, match="begin right after"):
        found.score(frame[147:155])


@pytest.mark.slow
def test_a_forecaster_of_arrays_gives_arrays() -> None:
    wave = series()["sales"].to_numpy()
    two = np.stack([wave, 2 - wave], 1)
    found = Forecaster(horizon=8, **QUICK).fit(two[:144])
    told = found.predict()
    assert told.shape == (8, 2)
    np.testing.assert_allclose(told, two[144:152], atol=0.5)
    assert found.score(two[144:152]) == pytest.approx(-np.mean((told - two[144:152]) ** 2))
    assert Forecaster(horizon=3, **QUICK).fit(wave).predict().shape == (3, 1)
    with pytest.raises(InputError, match=r"expected an array \(steps, 2\), found the shape \(9,\)"):
        found.predict(wave[:9])
    with pytest.raises(InputError, match="was fitted on an array"):
        found.predict(series())


def test_a_panel_is_forecast_series_by_series(tmp_path: Path) -> None:
    found = Forecaster(horizon=8, target="sales", series="shop", **QUICK).fit(panel())
    told = found.predict()
    assert told["shop"].to_list() == ["1"] * 8 + ["100"] * 8
    ratio = told["sales"][8:] / told["sales"][:8]
    np.testing.assert_allclose(ratio, 100, rtol=0.01)
    assert found.score(panel()) < 0
    found.save(tmp_path / "kept")
    back = Forecaster.load(tmp_path / "kept")
    assert back.get_params() == found.get_params()
    assert back.predict().equals(told)
    assert load(tmp_path / "kept").predict().equals(told)
    assert json.loads((tmp_path / "kept" / "fit.json").read_text())["finished"]


def test_inputs_known_ahead_are_asked_for() -> None:
    frame = series().with_columns(offer=(pl.int_range(pl.len()) % 5 == 0).cast(pl.Int64))
    frame = frame.with_columns(pl.col("sales") + 4 * pl.col("offer"))
    found = Forecaster(horizon=8, target="sales", known="offer", **QUICK).fit(frame[:144])
    with pytest.raises(InputError, match="offer"):
        found.predict()
    ahead = frame[144:152].with_columns(sales=pl.lit(None, pl.Float64))
    assert found.predict(ahead).height == 8
    assert found.score(frame[144:152]) < 0


def test_time_series_search_takes_a_forecaster() -> None:
    wave = series()["sales"].to_numpy()
    found = Forecaster(horizon=4, **{**QUICK, "epochs": 2})
    scores = cross_val_score(found, wave, cv=TimeSeriesSplit(2, test_size=8))
    assert scores.shape == (2,)
    assert (scores <= 0).all()


@pytest.mark.slow
def test_a_long_horizon_needs_no_more_rows_than_it_must() -> None:
    found = Forecaster(**{**QUICK, "epochs": 1}).fit(series(90))
    assert (found.layout_.horizon, found.predict().height) == (24, 24)
    assert found.record_.shares[0] == pytest.approx(1 - 24 / 90)
    assert Forecaster(horizon=None, **QUICK).fit(series()).layout_.horizon == 7
    with pytest.raises(InputError, match="give a smaller horizon or context, or more rows"):
        Forecaster(**QUICK).fit(series(40))
    with pytest.raises(InputError, match=r"context plus horizon \(200 \+ 8\)"):
        Forecaster(horizon=8, context=200).fit(series())


def test_a_forecaster_leaves_torch_as_it_was() -> None:
    state = torch.get_rng_state()
    found = Forecaster(horizon=8, **QUICK).fit(series())
    found.predict()
    assert torch.equal(torch.get_rng_state(), state)


def test_sources_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a path or a data frame"):
        Forecaster().fit(3)
    with pytest.raises(InputError, match="something else than numbers"):
        Forecaster().fit(["a", "b"])
    with pytest.raises(InputError, match="`horizon` is to be a whole number"):
        Forecaster(horizon=0).fit(series())
    with pytest.raises(InputError, match="does not exist"):
        Forecaster.load(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("mine")
    found = Forecaster(horizon=8, **QUICK).fit(series())
    with pytest.raises(InputError, match=r"holds something else than a fit \(notes.txt\)"):
        found.save(tmp_path)
