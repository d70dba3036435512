"""The recipe of the literature on a public set, where the file is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from asked import guess, prepare
from gatewright.data.table.reading import read
from gatewright.models.judging import judge
from gatewright.requests import Columns, Split
from gatewright.setting import Setting
from gatewright.training import Model, Recipe, Stopping
from places import data_set

pytestmark = pytest.mark.slow


def test_repeating_the_last_value_of_etth1_gives_the_published_error(tmp_path: Path) -> None:
    """Horizon 96, context 336, 12, 4 and 4 months of 30 days: 1.294 and 0.713."""
    table = read(data_set("ETTh1.csv"))
    targets = [name for name in table.schema if name != "date"]
    layout, _ = guess(table, Columns(targets=targets, horizon=96, context=336))
    data = prepare(table, layout, tmp_path / "data", split=Split(rows=(8640, 2880, 2880)))
    model = Model.fit(Recipe(candidate="last_value"), data, Stopping())
    examples = model.task.examples.of_part(data, "test")
    batch = model.task.examples.batch(data, examples)
    prediction = model.predict(data, examples)
    assert len(examples) == 2785
    assert model.task.losses(prediction, batch).mean().item() == pytest.approx(1.294, abs=5e-4)
    judged = judge(model, data, "test")
    assert judged is not None
    assert judged.measures.overall["scaled_mae"] == pytest.approx(0.713, abs=5e-4)


def test_vowels_are_told_apart(tmp_path: Path) -> None:
    """Nine speakers, sequences of 7 to 29 steps; one quick fit gets nine of ten right."""
    table = read(data_set("japanese-vowels.csv"))
    layout, _ = guess(table, Columns(targets=["speaker"], sequence="sequence", step="step"))
    data = prepare(table, layout, tmp_path / "data")
    recipe = Recipe(candidate="gru", hidden_size=32, setting=Setting(choices=("last",)))
    model = Model.fit(recipe, data, Stopping(epochs=8, steps_per_epoch=50))
    examples = model.task.examples.of_part(data, "test")
    losses = model.task.losses(
        model.predict(data, examples), model.task.examples.batch(data, examples)
    )
    assert len(examples) == 370
    assert losses.mean().item() < 0.1
