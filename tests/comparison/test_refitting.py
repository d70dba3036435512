"""A candidate of a comparison made anew on all rows: what it learned from, and its bands."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import gatewright
from gatewright import api, report
from gatewright.comparison.comparing import compare_into
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.result import Result
from gatewright.comparison.running import Progress
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.models.folder import FitRecord, read_fit
from gatewright.models.predictor import Predictor
from gatewright.requests import Columns, Contest, Split
from gatewright.training import Epoch
from here import Here

pytestmark = pytest.mark.slow

MONTHS = 132
BUDGET: dict[str, Any] = {"cells": ("mgu",), "seeds": 2, "settings": 2, "epochs": 3}


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    torch_threads(1)


def months(count: int = MONTHS) -> pl.DataFrame:
    """Sales that grow, with a season of twelve months."""
    month, noise = np.arange(count), np.random.default_rng(0).normal(0, 2, 240)[:count]
    sales = 100 + month + 20 * np.sin(month * math.pi / 6) + noise
    times = pl.Series((np.datetime64("2000-01") + month).astype("datetime64[D]"))
    return pl.DataFrame({"month": times, "sales": sales})


def gestures(target: str) -> pl.DataFrame:
    random = np.random.default_rng(0)
    rows = []
    for number in range(60):
        level = number % 3
        value: Any = "abc"[level] if target == "label" else level + random.normal(0, 0.1)
        for step, x in enumerate(random.normal(2 * level, 1, random.integers(5, 9))):
            rows.append((f"s{number}", step, x, value))
    return pl.DataFrame(rows, schema=["id", "step", "x", target], orient="row")


def compare(folder: Path, frame: pl.DataFrame, columns: Columns, **changes: Any) -> Result:
    """A run of a file beside its folder."""
    folder.parent.mkdir(exist_ok=True)
    path = folder.with_suffix(".csv")
    frame.write_csv(path)
    split = changes.pop("split", Split())
    compare_into(
        RunFolder(folder),
        read(path),
        columns,
        split,
        Contest(**BUDGET | changes),
        source=str(path),
        crew=Here(folder),
        progress=Progress(),
    )
    return Result(RunFolder(folder))


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Result:
    columns = Columns(targets=("sales",), time="month", horizon=4, context=16)
    return compare(tmp_path_factory.mktemp("forecast") / "run", months(), columns)


def labelled(folder: Path, target: str) -> Result:
    columns = Columns(targets=(target,), sequence="id", step="step")
    return compare(folder / "run", gestures(target), columns)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return labelled(tmp_path_factory.mktemp("classes"), "label")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return labelled(tmp_path_factory.mktemp("numbers"), "force")


def refitted(
    result: Result, folder: Path, *source: Any, **said: Any
) -> tuple[Predictor, FitRecord]:
    predictor = result.refit(*source, out=folder, **said)
    return predictor, read_fit(folder)


@pytest.mark.parametrize("candidate", ["mgu", "linear_window", "ridge_lags", "harmonic", "drift"])
def test_a_forecast_learns_from_the_rows_of_test(
    candidate: str, forecast: Result, tmp_path: Path
) -> None:
    predictor, record = refitted(forecast, tmp_path / "anew", candidate=candidate)
    windows = MONTHS - 16 - 4 + 1
    assert [(part.name, part.examples) for part in record.parts] == [("training", windows)]
    assert record.parts[0].holds == (f"{MONTHS} months", f"{windows} windows")
    frame = months()
    held = pl.int_range(pl.len()) >= int(0.8 * MONTHS)
    raised = frame.with_columns(
        pl.when(held).then(pl.col("sales") + 9.0 * (pl.int_range(pl.len()) % 2)).otherwise("sales")
    )
    other, changed = refitted(forecast, tmp_path / "other", raised, candidate=candidate)
    assert changed.comparison is not None
    assert not changed.comparison.rows
    assert "other rows than those compared" in other.remark
    first, second = (
        model.predict(frame.with_columns(sales=150.0 + pl.col("sales") / 100))["sales"]
        for model in (predictor, other)
    )
    assert (first - second).abs().max() > 1e-3  # type: ignore[operator]


def test_what_is_fitted_sees_all_rows(forecast: Result, tmp_path: Path) -> None:
    predictor, _ = refitted(forecast, tmp_path, candidate="mgu")
    sales = months()["sales"].to_numpy()
    (mean,), (scale,) = predictor.preparation.target_mean, predictor.preparation.target_scale
    assert mean == pytest.approx(sales.mean(), rel=1e-12)
    assert scale == pytest.approx(sales.std(), rel=1e-12)
    assert forecast.folder.preparation().target_mean[0] < mean - 5
    channels = [channel.name for channel in predictor.preparation.channels]
    assert channels[0] == "sales"


def widths(predictor: Predictor) -> np.ndarray[Any, Any]:
    """How far each quantile is from the point, in the column's units; relative, of logarithms."""
    frame = predictor.predict()
    bands = frame.select(pl.col("^sales 0.*$")).to_numpy()
    point = frame["sales"].to_numpy()[:, None]
    logarithms = "logarithms" in predictor.model.recipe.setting.choices
    return np.log(bands / point) if logarithms else bands - point


@pytest.mark.parametrize("candidate", ["linear_window", "ridge_lags", "harmonic", "drift"])
def test_bands_are_as_wide_as_those_judged(
    candidate: str, forecast: Result, tmp_path: Path
) -> None:
    predictor, _ = refitted(forecast, tmp_path, candidate=candidate)
    before = forecast.model(candidate)
    assert before.preparation.target_scale[0] < predictor.preparation.target_scale[0] - 3
    np.testing.assert_allclose(widths(predictor), widths(before), rtol=2e-4)
    assert "bands come from the errors of that one on validation" in predictor.remark


def test_a_network_keeps_the_factors_of_its_bands_and_its_epochs(
    forecast: Result, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []

    def watch(seed: int, epoch: Epoch) -> None:
        told.append((seed, epoch.number))

    predictor, record = refitted(forecast, tmp_path, candidate="mgu", progress=watch)
    judged = forecast.model("mgu").model
    assert judged.calibration is not None
    assert predictor.model.calibration is not None
    assert torch.equal(predictor.model.calibration[..., 2:], judged.calibration[..., 2:])
    # The usual point is told in the standard deviations of all rows.
    usual, other = (model.calibration[..., 0] for model in (judged, predictor.model))
    (center,), (scale,) = judged.preparation.target_mean, judged.preparation.target_scale
    now = predictor.preparation
    expected = (usual * scale + center - now.target_mean[0]) / now.target_scale[0]
    torch.testing.assert_close(other, expected, rtol=1e-4, atol=1e-4)
    epochs = {part.seed: part.best_epoch for part in judged.parts}
    assert record.comparison is not None
    assert record.comparison.epochs == epochs
    assert told == [(seed, n + 1) for seed, count in epochs.items() for n in range(count)]
    assert predictor.model.recipe.setting == judged.recipe.setting
    assert not list(tmp_path.glob("checkpoint*"))


def test_a_newer_file_goes_on_from_its_last_row(forecast: Result, tmp_path: Path) -> None:
    newer = tmp_path / "newer.csv"  # with five more months
    months(MONTHS + 5).write_csv(newer)
    predictor, record = refitted(forecast, tmp_path / "anew", newer, candidate="mgu")
    assert record.source == str(newer)
    assert f"all {MONTHS + 5} months of newer.csv, which are other rows" in predictor.remark
    loaded = api.load(tmp_path / "anew")
    assert loaded.predict().equals(predictor.predict())
    following = months(MONTHS + 9)["month"].tail(4)
    assert predictor.predict()["month"].to_list() == following.to_list()
    same, _ = refitted(forecast, tmp_path / "same", candidate="mgu")
    assert same.predict()["month"].to_list() == months(MONTHS + 4)["month"].tail(4).to_list()
    assert "other rows" not in same.remark


def test_the_record_the_short_form_and_the_report_say_it(forecast: Result, tmp_path: Path) -> None:
    predictor, record = refitted(forecast, tmp_path, candidate="drift")
    row = next(row for row in forecast.rows if row.name == "drift")
    comparison = record.comparison
    assert comparison is not None
    assert comparison.rows
    assert comparison.judged.loss == row.loss
    assert comparison.interval == (row.low, row.high)
    assert (record.test, record.validation, record.kept) == (None, None, None)
    begin = "This model was not judged itself: it is the candidate drift, made anew on all 132"
    assert predictor.remark.startswith(begin)
    assert f"The comparison in {forecast.folder.path} judged its like" in predictor.remark
    assert predictor.remark in repr(predictor)
    assert begin in predictor._repr_html_()
    assert json.loads((tmp_path / "fit.json").read_text())["comparison"]["text"] == predictor.remark
    page = report.write_fit(tmp_path).read_text("utf-8")
    assert begin in page
    assert "Measures of its like on test" in page
    assert "Made anew" in page


def test_classes_learn_from_every_sequence(classes: Result, tmp_path: Path) -> None:
    for candidate in ("mgu", "mini_rocket", "majority"):
        predictor, record = refitted(classes, tmp_path / candidate, candidate=candidate)
        assert record.parts[0].examples == 60
        assert predictor.preparation.class_counts == (20, 20, 20)
        assert "bands" not in predictor.remark
        report.write_fit(tmp_path / candidate)
        new = gestures("label").drop("label")
        assert api.load(tmp_path / candidate).predict(new).height == 60
    chances = predictor.predict(new).select(pl.col("^label=.*$")).to_numpy()
    np.testing.assert_allclose(chances, 1 / 3, rtol=1e-6)
    judged, anew = (one.model.parts[0].learned for one in (classes.model("mini_rocket"), predictor))
    rocket, _ = refitted(classes, tmp_path / "mini_rocket", candidate="mini_rocket")
    anew = rocket.model.parts[0].learned
    assert float(anew.sharpness) == float(judged.sharpness)  # type: ignore[arg-type]
    assert anew.penalty == judged.penalty


def test_numbers_learn_from_every_sequence(numbers: Result, tmp_path: Path) -> None:
    forces = gestures("force").group_by("id").first()["force"].to_numpy()
    new = gestures("force").drop("force")
    predictor, _ = refitted(numbers, tmp_path / "mean", candidate="mean")
    np.testing.assert_allclose(predictor.predict(new)["force"], forces.mean(), rtol=1e-5)
    assert predictor.preparation.target_scale == pytest.approx((forces.std(),))
    ridge, _ = refitted(numbers, tmp_path / "ridge", candidate="ridge_summary")
    judged = numbers.model("ridge_summary").model.parts[0].learned
    assert ridge.model.parts[0].learned.penalty == judged.penalty  # type: ignore[union-attr]
    network, record = refitted(numbers, tmp_path / "mgu", candidate="mgu")
    assert network.predict(new)["force"].is_finite().all()
    assert record.parts[0].holds == ("60 sequences",)


def test_many_series_and_a_split_column(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        (f"shop {shop}", day, 10.0 * shop + random.normal(), ("train", "test")[day > 50])
        for shop in range(3)
        for day in range(64)
    ]
    frame = pl.DataFrame(rows, schema=["shop", "day", "sales", "split"], orient="row")
    said = Columns(
        targets=("sales",), time="day", series="shop", split="split", horizon=3, context=8
    )
    result = compare(tmp_path / "run", frame, said)
    predictor, record = refitted(result, tmp_path / "anew", candidate="mgu")
    assert record.parts[0].holds == ("3 series", f"{3 * (64 - 10)} windows")
    assert record.comparison is not None
    assert record.comparison.rows
    more = pl.DataFrame(
        [("new", day, float(day % 3)) for day in range(64)],
        schema=["shop", "day", "sales"],
        orient="row",
    )
    newer = pl.concat([frame.drop("split"), more])  # without the column that cut the rows
    other, record = refitted(result, tmp_path / "newer", newer, candidate="drift")
    assert set(other.predict()["shop"]) == {"shop 0", "shop 1", "shop 2", "new"}
    assert record.source == "the data frame"
    for number in range(3):
        own = frame.filter(pl.col("shop") == f"shop {number}")["sales"].to_numpy()
        ((center, scale),) = predictor.preparation.series[f"shop {number}"]
        assert (center, scale) == pytest.approx((own.mean(), own.std()), rel=1e-12)


def test_one_that_was_killed_goes_on(forecast: Result, tmp_path: Path) -> None:
    def kill(seed: int, epoch: Epoch) -> None:
        if seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forecast.refit(candidate="mgu", out=tmp_path / "killed", progress=kill)
    with pytest.raises(InputError, match="is not finished: give its command again"):
        api.load(tmp_path / "killed")
    again = forecast.refit(candidate="mgu", out=tmp_path / "killed")
    assert again.predict().equals(forecast.refit(candidate="mgu").predict())
    before = (tmp_path / "killed" / "fit.json").read_bytes()
    forecast.refit(candidate="mgu", out=tmp_path / "killed")
    assert (tmp_path / "killed" / "fit.json").read_bytes() == before, "it is not made again"


def test_from_python_it_needs_no_folder(forecast: Result, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(forecast.plan.source, parse_dates=["month"])
    predictor = gatewright.refit(forecast.folder.path, frame, candidate="drift")
    assert isinstance(predictor.predict(), pandas.DataFrame)
    assert "judged itself" in repr(predictor)
    recommended = gatewright.refit(forecast.folder.path)
    assert recommended.model.recipe.candidate == forecast.verdict.recommended


def test_what_cannot_be_done_is_told(forecast: Result, tmp_path: Path) -> None:
    out = tmp_path / "anew"
    with pytest.raises(InputError, match="no candidate of this comparison is called 'nobody'"):
        forecast.refit(candidate="nobody", out=out)
    with pytest.raises(InputError, match=r"column 'sales' \(the target\) is not in the data frame"):
        forecast.refit(months().rename({"sales": "revenue"}), out=out)
    words = months().with_columns(sales=pl.lit("much"))
    with pytest.raises(InputError, match="holds 'much', and is read as it was in training"):
        forecast.refit(words, out=out)
    with pytest.raises(InputError, match="the training part has 10 steps"):
        forecast.refit(months(10), out=out)
    with pytest.raises(InputError, match="holds no comparison"):
        gatewright.refit(tmp_path)
    assert not out.exists()
    with pytest.raises(InputError, match="something else than a fit"):
        forecast.refit(out=forecast.folder.path)
    forecast.refit(candidate="drift", out=out)
    with pytest.raises(InputError, match=r"holds another fit \(different: recipe, comparison\)"):
        forecast.refit(candidate="harmonic", out=out)


def test_a_run_that_lost_its_file_or_is_damaged_is_told(forecast: Result, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(forecast.folder.path, tmp_path / "run"))
    source = Path(forecast.plan.source)
    source.rename(tmp_path / "elsewhere.csv")
    try:
        with pytest.raises(InputError, match="is not there: give its rows, or newer ones"):
            gatewright.refit(moved, candidate="drift")
        found = gatewright.refit(moved, tmp_path / "elsewhere.csv", candidate="drift")
    finally:
        shutil.copy(tmp_path / "elsewhere.csv", source)
    assert "other rows" not in found.remark
    model = moved / "models" / "drift.safetensors"
    model.write_bytes(model.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"drift.safetensors is damaged"):
        gatewright.refit(moved, candidate="drift", out=tmp_path / "anew")
    assert not (tmp_path / "anew").exists()
    fits = moved / "fits.jsonl"
    fits.write_bytes(b"".join(fits.read_bytes().splitlines(keepends=True)[:3]))
    with pytest.raises(InputError, match="is not finished: give its command again"):
        gatewright.refit(moved)
