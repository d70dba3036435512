"""A task is one file: what a stranger adds runs through everything without a change elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import more_tasks
from gatewright import api, cli, tasks
from here import Here

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def tagging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tasks with one file more, and comparisons in this process, which knows of it."""

    def forget() -> None:
        tasks.names.cache_clear()
        tasks.get.cache_clear()
        sys.modules.pop("gatewright.tasks.tag", None)

    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, *more_tasks.__path__])
    monkeypatch.setattr(api, "Processes", Here)
    forget()
    yield
    forget()


def sentences(count: int, name: str = "s", wrong: float = 0.0) -> pl.DataFrame:
    """Sequences of 3 to 9 steps whose label tells whether their sum so far is above zero, but for a
    share that tell the opposite."""
    frames = []
    for number in range(count):
        values = RANDOM.normal(size=3 + number % 7)
        turned = RANDOM.random(len(values)) < wrong
        up = np.where((values.cumsum() > 0) ^ turned, "up", "down")
        names = [f"{name}{number}"] * len(values)
        frames.append(pl.DataFrame({"id": names, "step": range(len(values)), "x": values, "y": up}))
    return pl.concat(frames)


FLAGS = ("--task", "tag", "--target", "y", "--sequence", "id")


def test_one_file_is_compared_fitted_and_predicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences(60).write_csv(tmp_path / "said.csv")
    new = sentences(5, "new")
    new.drop("y").write_csv(tmp_path / "new.csv")
    # Two candidates without any error would be the same, and the verdict short.
    sentences(60, wrong=0.2).write_csv(tmp_path / "noisy.csv")
    noisy = str(tmp_path / "noisy.csv")
    said, run, fit = str(tmp_path / "said.csv"), str(tmp_path / "run"), str(tmp_path / "fit")
    short = ("--settings", "1", "--seeds", "2", "--epochs", "4", "--cells", "gru,mgu")
    assert cli.main(["compare", noisy, *FLAGS, *short, "--out", run]) == 0
    told = capsys.readouterr().out
    assert "error rate" in told
    assert "test sequences" in told
    assert cli.main(["report", run, "--no-open"]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "tagging: y" in page
    assert "standard deviation in training" not in page
    assert cli.main(["fit", said, *FLAGS, "--cell", "gru", "--epochs", "30", "--out", fit]) == 0
    record = json.loads((tmp_path / "fit" / "fit.json").read_text())
    assert record["test"]["measures"]["overall"]["accuracy"] > 0.8
    for folder in (run, fit):
        answer = tmp_path / "answer.csv"
        assert cli.main(["predict", folder, str(tmp_path / "new.csv"), "-o", str(answer)]) == 0
        answers = pl.read_csv(answer)
        assert answers.columns == ["id", "step", "y"]
        assert answers["id"].to_list() == new["id"].to_list()
        assert answers["step"].to_list() == (new["step"] + 1).to_list()
        assert set(answers["y"]) <= {"up", "down"}
    assert (answers["y"] == new["y"]).mean() > 0.8  # of the fit


def test_it_is_found_by_name_only(tmp_path: Path) -> None:
    """Steps with a label each are not taken for it where nobody asked."""
    assert "tag" in tasks.names()
    sentences(60).write_csv(tmp_path / "said.csv")
    said = str(tmp_path / "said.csv")
    assert cli.main(["compare", said, "--target", "y", "--sequence", "id", "--quiet"]) == 2


def test_a_missing_label_is_none(tmp_path: Path) -> None:
    """What no step says is not learned from, and a sequence without any does no harm."""
    frame = sentences(40).with_columns(
        pl.when((pl.col("step") != 1) & (pl.col("id") != "s3")).then("y").alias("y")
    )
    frame.write_csv(tmp_path / "said.csv")
    fit = str(tmp_path / "fit")
    words = ["fit", str(tmp_path / "said.csv"), *FLAGS, "--cell", "gru", "--epochs", "2"]
    assert cli.main([*words, "--out", fit]) == 0


def test_a_task_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences(10).write_csv(tmp_path / "said.csv")
    assert cli.main(["compare", str(tmp_path / "said.csv"), "--task", "sing"]) == 2
    assert "classify, forecast, regress, tag" in capsys.readouterr().err
