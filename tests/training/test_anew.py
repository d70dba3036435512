"""A model made as a judged one was, of data that are all training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

import worlds
from gatewright import baselines, cells, tasks
from gatewright.baselines import Fitted
from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.training import Epoch, Model, Recipe, Stopping

STOPPING = Stopping(epochs=4, steps_per_epoch=8, batch_size=8)
BASELINES = [
    (name, task)
    for task in tasks.names()
    for name in baselines.of_task(tasks.get(task))
    if issubclass(baselines.get(name), Fitted)
]


def all_training(data: Prepared) -> Prepared:
    """The same rows, nothing of them held back."""
    bounds = data.bounds[:, [0, 3, 3, 3]]
    return dataclasses.replace(data, bounds=bounds, part=torch.zeros_like(data.part))


def judged(data: Prepared, *seeds: int) -> Model:
    setting = Setting(learning_rate=0.02)
    recipe = Recipe(candidate=cells.names()[0], hidden_size=5, setting=setting)
    models = [Model.fit(recipe.model_copy(update={"seed": seed}), data, STOPPING) for seed in seeds]
    return Model.joined(models, data)


def checkpoints(folder: Path, count: int) -> list[Path]:
    return [folder / f"{number}.safetensors" for number in range(count)]


@pytest.mark.parametrize("task", tasks.names())
def test_each_part_is_trained_as_long_as_it_was_good(task: str, tmp_path: Path) -> None:
    data = worlds.of_task(task)
    model, whole = judged(data, 3, 0), all_training(data)
    model.parts[0].best_epoch, model.parts[1].best_epoch = 2, 3
    told: list[tuple[int, int]] = []

    def watch(seed: int, epoch: Epoch) -> None:
        told.append((seed, epoch.number))

    anew = Model.anew(model, whole, STOPPING, checkpoints(tmp_path, 2), watch)
    assert told == [(3, 1), (3, 2), (0, 1), (0, 2), (0, 3)]
    assert [(part.seed, part.best_epoch) for part in anew.parts] == [(3, 2), (0, 3)]
    examples = torch.arange(20, 30)
    for part, epochs in zip(anew.parts, (2, 3), strict=True):
        recipe = model.recipe.model_copy(update={"seed": part.seed})
        alone = Model.fit(recipe, whole, STOPPING.model_copy(update={"epochs": epochs}))
        (same,) = alone.parts
        for one, other in zip(
            part.learned.state_dict().values(),  # type: ignore[union-attr]
            same.learned.state_dict().values(),  # type: ignore[union-attr]
            strict=True,
        ):
            assert torch.equal(one, other)
    assert anew.predict(whole, examples).isfinite().all()


def test_where_time_was_equal_it_is_epochs_now(tmp_path: Path) -> None:
    data = worlds.waves()
    model = judged(data, 0)
    by_time = STOPPING.model_copy(update={"seconds": 1e-9, "epochs": 1_000_000})
    anew = Model.anew(model, all_training(data), by_time, checkpoints(tmp_path, 1))
    assert len(anew.epochs) == model.best_epoch


def test_one_that_was_killed_ends_the_same(tmp_path: Path) -> None:
    data = worlds.waves()
    model, whole = judged(data, 0, 1), all_training(data)
    for part in model.parts:
        part.best_epoch = 3

    def kill(seed: int, epoch: Epoch) -> None:
        if (seed, epoch.number) == (1, 2):
            raise KeyboardInterrupt

    files = checkpoints(tmp_path, 2)
    with pytest.raises(KeyboardInterrupt):
        Model.anew(model, whole, STOPPING, files, kill)
    again = Model.anew(model, whole, STOPPING, files)
    (tmp_path / "other").mkdir()
    never = Model.anew(model, whole, STOPPING, checkpoints(tmp_path / "other", 2))
    examples = torch.arange(20, 30)
    assert torch.equal(again.predict(whole, examples), never.predict(whole, examples))


@pytest.mark.parametrize(("name", "task"), BASELINES)
def test_a_baseline_keeps_its_choice_and_learns_from_every_row(
    name: str, task: str, tmp_path: Path
) -> None:
    data = worlds.of_task(task)
    whole = all_training(data)
    model = Model.fit(Recipe(candidate=name), data, STOPPING)
    path = tmp_path / "judged.safetensors"
    model.save(path)
    anew = Model.anew(Model.load(path, data.preparation), whole, STOPPING, checkpoints(tmp_path, 1))
    learned, before = anew.parts[0].learned, model.parts[0].learned
    assert isinstance(learned, Fitted)
    assert isinstance(before, Fitted)
    before.refit(whole)  # with all that it chose still in it
    for key, value in before.state().items():
        assert torch.equal(learned.state()[key], value), key
    held = data.bounds[:, 1:3] if tasks.get(task).examples.sees_targets else None
    changed = whole.target.clone()
    if held is not None:
        changed[int(held[0, 1]) :] += 1.0
    else:
        changed[data.part == 2] = (changed[data.part == 2] + 1) % 3
    other = dataclasses.replace(whole, target=changed)
    if held is not None:
        values = whole.values.clone()
        values[int(held[0, 1]) :, : changed.shape[1]] += 1.0
        other = dataclasses.replace(other, values=values)
    elsewhere = Model.anew(model, other, STOPPING, checkpoints(tmp_path, 1)).parts[0].learned
    assert isinstance(elsewhere, Fitted)
    states = zip(learned.state().values(), elsewhere.state().values(), strict=True)
    learns = bool(learned.state())
    assert all(torch.equal(*pair) for pair in states) is not learns


def test_bands_are_those_of_the_errors_of_the_judged_model(tmp_path: Path) -> None:
    data = worlds.waves()
    for model in (judged(data, 0), Model.fit(Recipe(candidate="drift"), data, STOPPING)):
        anew = Model.anew(model, all_training(data), STOPPING, checkpoints(tmp_path, 1))
        assert model.calibration is not None
        assert anew.calibration is not None
        torch.testing.assert_close(anew.calibration, model.calibration)
        assert anew.validation is None
