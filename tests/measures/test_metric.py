"""A measure asked for decides, from the command to the report; measures stand in every record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess, prepare
from gatewright import cli, report
from gatewright.comparison.comparing import compare_into
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.result import Result
from gatewright.comparison.running import Progress
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns, Contest, Split
from gatewright.training.checkpoint import load_tensors
from here import Here

TINY: dict[str, Any] = {"cells": ("mgu",), "seeds": 2, "settings": 1, "epochs": 1}


def shops(count: int = 2, steps: int = 120, constant: int = 0) -> pl.DataFrame:
    """Series of very different sizes; the last ones never change."""
    random = np.random.default_rng(4)
    frames = []
    for number in range(count + constant):
        noise = random.normal(size=steps) * (number < count)
        sales = 10.0**number * (5 + noise)
        shop = f"shop {number}"
        frames.append(pl.DataFrame({"day": range(steps), "shop": shop, "sales": sales}))
    return pl.concat(frames)


def compare(path: Path, frame: pl.DataFrame, metric: str = "", **said: Any) -> Result:
    columns = Columns(targets=("sales",), horizon=3, context=6, season=1, series="shop", **said)
    compare_into(
        RunFolder(path),
        read(frame),
        columns,
        Split(),
        Contest(metric=metric, **TINY),
        source="shops",
        crew=Here(path),
        progress=Progress(),
    )
    return Result(RunFolder(path))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return compare(tmp_path_factory.mktemp("measures") / "run", shops())


@pytest.fixture(scope="module")
def by_mae(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return compare(tmp_path_factory.mktemp("measures") / "run", shops(), "mae")


def test_the_metric_asked_for_decides(usual: Result, by_mae: Result) -> None:
    assert usual.verdict.metric == "mean squared error"
    assert by_mae.verdict.metric == "mean absolute error"
    assert by_mae.plan.options.metric == "mae"
    for first, row in ((usual, "mse"), (by_mae, "mae")):
        for each in first.rows:
            # Every window is whole, so that a mean over units is one over all.
            assert each.loss == pytest.approx(each.measures[row], rel=1e-6)
    # What is fitted and predicted is the same; of what is trained, with one epoch there is
    # nothing to choose by the measure.
    assert {row.name: row.measures["mae"] for row in usual.rows} == pytest.approx(
        {row.name: row.loss for row in by_mae.rows}, rel=1e-6
    )


def test_two_metrics_are_two_comparisons(by_mae: Result) -> None:
    with pytest.raises(InputError, match="holds another comparison"):
        compare(by_mae.folder.path, shops(), "mase")


def test_the_leaderboard_has_a_column_a_measure(usual: Result) -> None:
    board = usual.leaderboard
    assert {"mse", "mae", "rmse", "mase", "smape", "wql", "coverage"} <= set(board.columns)
    assert board["rmse"].to_list() == [row.measures["rmse"] for row in usual.rows]


def test_measures_are_told_by_step_and_series(usual: Result) -> None:
    overall, steps, series = (usual.measures(by) for by in ("", "step", "series"))
    names = [row.name for row in usual.rows]
    assert overall["candidate"].to_list() == names
    assert steps.columns[:2] == ["candidate", "step"]
    assert steps["step"].to_list() == [1, 2, 3] * len(names)
    assert series["series"].unique().sort().to_list() == ["shop 0", "shop 1"]
    # Both have as many windows: the whole is the mean of the two, and of the three steps.
    for frame in (steps, series):
        means = frame.group_by("candidate", maintain_order=True).agg(pl.col("mae").mean())
        assert means["mae"].to_list() == pytest.approx(overall["mae"].to_list())
    small, large = (series.filter(pl.col("series") == f"shop {number}") for number in (0, 1))
    assert (large["mae"] > 5 * small["mae"]).all()
    with pytest.raises(InputError, match="series, step"):
        usual.measures("target")


def test_scores_hold_what_the_predictions_give(usual: Result) -> None:
    """The losses kept for the tests and the measures beside them are of one and the same."""
    for score in usual.folder.scores().values():
        tensors, _ = load_tensors(usual.folder.score_path(score.name), score.file)
        assert tensors["losses"].mean().item() == pytest.approx(score.measures.overall["mse"])


def test_the_report_tells_them_and_names_the_unit(usual: Result, by_mae: Result) -> None:
    pages = [report.write(each.folder).read_text("utf-8") for each in (usual, by_mae)]
    for page in pages:
        for words in ("By step", "By series", "mean absolute scaled error", "MASE", "sMAPE"):
            assert words in page
    assert "Judged once, on test: mean squared error in units of the targets" in pages[0]
    assert "Judged once, on test: mean absolute error in the column&#39;s own units" in pages[1]


def test_series_without_scaled_errors_are_named(tmp_path: Path) -> None:
    result = compare(tmp_path / "run", shops(2, constant=1))
    (note,) = [note for note in result.folder.preparation().notes if "scaled error" in note]
    assert note.startswith("1 series (shop 2): no change")
    by_series = result.measures("series").filter(pl.col("series") == "shop 2")
    assert by_series["mase"].null_count() == len(by_series)
    assert by_series["mae"].null_count() == 0
    assert all(row.measures["mase"] is not None for row in result.rows)


def test_a_season_longer_than_training_is_said(tmp_path: Path) -> None:
    frame = shops(1, steps=60).drop("shop")
    columns = Columns(targets=("sales",), horizon=2, context=4, season=50)
    table = read(frame)
    layout, _ = guess(table, columns)
    data = prepare(table, layout, tmp_path / "data")
    assert data.naive.isnan().all()
    notes = [note for note in data.preparation.notes if "scaled error" in note]
    assert notes == [
        "the series: training is no longer than a season of 50 steps, so that the mean absolute "
        "scaled error leaves it out"
    ]


def test_why_there_is_no_scaled_error_is_said_of_each_series(tmp_path: Path) -> None:
    """One that never changes, one whose training ends within its first season, and a usual one."""
    frame = shops(3, steps=200, constant=1)
    frame = frame.filter((pl.col("shop") != "shop 1") | (pl.col("day") < 70))
    columns = Columns(targets=("sales",), time="day", horizon=2, context=4, season=50)
    table = read(frame)
    layout, _ = guess(table, columns)
    data = prepare(table, layout, tmp_path / "data", split=Split(cut="series"))
    assert [note for note in data.preparation.notes if "scaled error" in note] == [
        "1 series (shop 1): training is no longer than a season of 50 steps, so that the mean "
        "absolute scaled error leaves it out",
        "1 series (shop 3): no change from a season to the next in training, so that the mean "
        "absolute scaled error leaves it out",
    ]


def test_the_command_refuses_what_cannot_decide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shops.csv"
    shops().write_csv(path)
    said = [str(path), "--target", "sales", "--horizon", "3", "--out", str(tmp_path / "run")]
    for command, metric in (("compare", "coverage"), ("compare", "auc"), ("fit", "nonsense")):
        more = ["--cell", "gru"] if command == "fit" else []
        assert cli.main([command, *said, *more, "--metric", metric]) == 2
        error = capsys.readouterr().err
        assert f"--metric {metric}" in error
        assert "give one of mse, scaled_mae, mae, rmse, mase, smape, wql" in error
        assert not (tmp_path / "run").exists()


def test_a_fit_is_judged_by_the_metric_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shops.csv"
    shops(1).write_csv(path)
    out = tmp_path / "fit"
    said = ["fit", str(path), "--target", "sales", "--horizon", "3", "--cell", "ridge_lags"]
    assert cli.main([*said, "--metric", "rmse", "--out", str(out)]) == 0
    assert "mean squared error in own units" in capsys.readouterr().out
    record = json.loads((out / "fit.json").read_text())
    assert record["test"]["metric"] == "mean squared error in own units"
    measures = record["test"]["measures"]
    assert measures["overall"]["rmse"] ** 2 == pytest.approx(record["test"]["loss"], rel=1e-6)
    assert measures["by"]["step"]["names"] == ["1", "2", "3"]
