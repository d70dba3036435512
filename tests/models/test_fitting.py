"""One fit in a folder: what it keeps, how it goes on, what it refuses, and loading any folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import gatewright
from gatewright.api import load
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.models.fitting import fit_into
from gatewright.models.folder import FitRecord
from gatewright.requests import Columns, Split
from gatewright.setting import Setting
from gatewright.training import Epoch, Recipe, Stopping

STOPPING = Stopping(epochs=3, steps_per_epoch=40)  # more than the steps of warming up


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    torch_threads(1)


def series() -> pl.DataFrame:
    wave = 10 + 3 * np.sin(np.arange(160) * 2 * np.pi / 8)
    return pl.DataFrame({"step": np.arange(160), "sales": wave})


def sequences() -> pl.DataFrame:
    random = np.random.default_rng(0)
    rows = []
    for number in range(40):
        label = number % 2
        for step, value in enumerate(random.normal(3 * label, 1, random.integers(4, 9))):
            rows.append({"name": f"s{number}", "step": step, "x": value, "kind": "ab"[label]})
    return pl.DataFrame(rows)


def fit(folder: Path, frame: Any = None, **changes: Any) -> FitRecord:
    frame = series() if frame is None else frame
    network = {name: changes.pop(name) for name in list(changes) if name in Recipe.model_fields}
    arguments: dict[str, Any] = {
        "source": "the data frame",
        "columns": Columns(targets=("sales",), horizon=4, context=16),
        "split": Split(),
        "recipe": Recipe(**{"candidate": "gru", "hidden_size": 8, **network}),
        "stopping": STOPPING,
    }
    return fit_into(folder, read(frame), **{**arguments, **changes})


def labelled(folder: Path, **changes: Any) -> FitRecord:
    columns = Columns(targets=("kind",), sequence="name", step="step")
    return fit(folder, sequences(), columns=columns, **changes)


class KilledError(Exception):
    """What a test ends a training with."""


def test_a_fit_is_kept_and_predicts(tmp_path: Path) -> None:
    begun: list[FitRecord] = []
    told: list[Epoch] = []
    record = fit(tmp_path / "kept", begin=begun.append, progress=told.append)
    assert [epoch.number for epoch in told] == [1, 2, 3]
    assert (begun[0].finished, record.finished) == (False, True)
    assert record.decisions() == begun[0].decisions()
    assert record.layout.horizon == 4
    assert record.recipe.candidate == "gru"
    assert record.gatewright == gatewright.__version__
    assert record.parameters > 0
    assert record.validation is not None
    assert record.test is not None
    assert record.test.metric == "mean squared error"
    assert 0 < record.test.loss < 1  # the last value: 2.5
    names = {path.name for path in (tmp_path / "kept").iterdir()} - {".lock"}
    assert names == {"fit.json", "prepared.json", "history.arrow"} | {
        f"{name}.safetensors" for name in ("model", "shown")
    }
    assert FitRecord.model_validate_json((tmp_path / "kept" / "fit.json").read_text()) == record
    predicted = load(tmp_path / "kept").predict()
    assert predicted["step"].to_list() == [160, 161, 162, 163]


def test_labels_are_fitted_too(tmp_path: Path) -> None:
    record = labelled(tmp_path, setting=Setting(learning_rate=0.05))
    assert record.recipe.setting.learning_rate == 0.05
    assert record.validation is not None
    assert not (tmp_path / "history.arrow").exists()
    predicted = load(tmp_path).predict(sequences().drop("kind"))
    assert predicted["kind"].is_in(["a", "b"]).all()
    assert (predicted["kind"] == pl.Series(["a", "b"] * 20)).mean() > 0.8


def test_a_baseline_may_be_fitted(tmp_path: Path) -> None:
    record = fit(tmp_path, candidate="ridge_lags")
    assert (record.epochs, record.best_epoch, record.recipe.hidden_size) == (0, 0, 0)
    assert load(tmp_path, "ridge_lags").predict().height == 4


def test_a_killed_fit_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    def kill(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise KilledError

    with pytest.raises(KilledError):
        fit(tmp_path / "killed", progress=kill)
    moved = shutil.copytree(tmp_path / "killed", tmp_path / "moved")
    with pytest.raises(InputError, match=f"is not finished: .* again, with `out='{moved}'`, "):
        load(moved)
    told: list[Epoch] = []
    again = fit(tmp_path / "killed", progress=told.append)
    whole = fit(tmp_path / "whole")
    assert [epoch.number for epoch in told] == [1, 2, 3]
    assert (again.validation, again.test) == (whole.validation, whole.test)
    found = (load(tmp_path / name).predict() for name in ("killed", "whole"))
    assert next(found).equals(next(found))
    assert not (tmp_path / "killed" / "checkpoint.safetensors").exists()


def test_a_finished_fit_is_not_done_again(tmp_path: Path) -> None:
    record = fit(tmp_path)
    told: list[Epoch] = []
    assert fit(tmp_path, progress=told.append) == record
    assert not told


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seed": 1}, "recipe"),
        ({"stopping": STOPPING.model_copy(update={"epochs": 4})}, "stopping"),
        ({"split": Split((0.6, 0.2, 0.2))}, "the data, shares"),
        ({"frame": series().with_columns(pl.col("sales") ** 2)}, "the data"),
    ],
)
def test_another_fit_is_not_overwritten(changes: dict[str, Any], what: str, tmp_path: Path) -> None:
    fit(tmp_path)
    before = (tmp_path / "fit.json").read_bytes()
    with pytest.raises(InputError, match=rf"holds another fit \(different: {what}\)"):
        fit(tmp_path, **changes)
    assert (tmp_path / "fit.json").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds something else than a fit \(notes.txt\)"):
        fit(tmp_path)
    with pytest.raises(InputError, match="is to be a folder, and is a file"):
        fit(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("grru", "did you mean 'gru'.*the baselines are.*ridge_lags"),
        ("majority", "no cell is called 'majority'"),  # a baseline of labels
    ],
)
def test_candidates_that_are_not_there_are_refused(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        fit(tmp_path, candidate=name)


def test_a_training_that_diverges_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the training of gru failed.*`learning_rate`"):
        fit(tmp_path, setting=Setting(learning_rate=1e30))


def test_torch_is_left_as_it_was(torch_threads: Callable[[int], None], tmp_path: Path) -> None:
    torch_threads(2)
    state = torch.get_rng_state()
    labelled(tmp_path)
    load(tmp_path).predict(sequences())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_a_comparison_is_loaded_by_its_verdict_or_by_name(tmp_path: Path) -> None:
    result = gatewright.compare(
        series(),
        target="sales",
        horizon=4,
        cells=["gru"],
        settings=1,
        seeds=1,
        epochs=1,
        jobs=1,
        out=tmp_path / "run",
    )
    best = load(tmp_path / "run")
    assert best.model.recipe.candidate == result.verdict.recommended
    assert load(tmp_path / "run", "gru").predict().height == 4
    with pytest.raises(InputError, match="no candidate of this comparison is called 'lstm'"):
        load(tmp_path / "run", "lstm")


def test_folders_of_neither_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist: give a folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no model"):
        load(tmp_path)


def test_a_damaged_fit_is_told_of(tmp_path: Path) -> None:
    fit(tmp_path)
    with pytest.raises(InputError, match="holds one model, gru, and no 'lstm'"):
        load(tmp_path, "lstm")
    model = tmp_path / "model.safetensors"
    whole = model.read_bytes()
    model.write_bytes(whole[:1000])
    with pytest.raises(InputError, match=r"model.safetensors is damaged.*: fit it anew"):
        load(tmp_path)
    model.unlink()
    with pytest.raises(InputError, match=r"model.safetensors is missing: fit it anew"):
        load(tmp_path)
    model.write_bytes(whole)
    (tmp_path / "history.arrow").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"history.arrow is damaged.*: fit it anew"):
        load(tmp_path)
    (tmp_path / "fit.json").write_text(json.dumps({"finished": True}))
    with pytest.raises(InputError, match="is not what this version of Gatewright writes"):
        load(tmp_path)
