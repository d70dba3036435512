"""One model of several that differ in their seeds: the mean of what they predict."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

import worlds
from gatewright import cells, tasks
from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.tasks.forecast import LOGARITHMS
from gatewright.training import Model, Recipe, Stopping

SHORT = Stopping(epochs=2, steps_per_epoch=8, batch_size=8)


def fitted(data: Prepared, *seeds: int, choices: tuple[str, ...] = ()) -> list[Model]:
    setting = Setting(learning_rate=0.02, choices=choices)
    recipe = Recipe(candidate=cells.names()[0], hidden_size=5, setting=setting)
    return [Model.fit(recipe.model_copy(update={"seed": seed}), data, SHORT) for seed in seeds]


def test_it_predicts_the_mean() -> None:
    data = worlds.waves()
    models = fitted(data, 3, 0, 7)
    joined = Model.joined(models, data)
    examples = joined.task.examples.of_part(data, "test")
    assert [part.seed for part in joined.parts] == [3, 0, 7]
    bands, joined.calibration = joined.calibration, None
    for one in models:
        one.calibration = None
    mean = torch.stack([one.predict(data, examples) for one in models]).mean(0)
    torch.testing.assert_close(joined.predict(data, examples), mean)
    assert (models[0].predict(data, examples) - mean).abs().max() > 1e-3
    joined.calibration = bands
    assert bands is not None
    torch.testing.assert_close(joined.predict(data, examples), joined.task.finish(mean, bands))


def test_its_bands_are_those_of_its_own_errors() -> None:
    """Also how good it is on validation: of the mean, not the mean of how good each is."""
    data = worlds.waves()
    models = fitted(data, 0, 1)
    joined, task = Model.joined(models, data), models[0].task
    held_out = task.examples.held_out(data)
    examples = task.examples.of_part(held_out, "validation")
    batch = task.examples.batch(held_out, examples)
    for one in models:
        one.calibration = None
    trained = task.examples.of_part(data, "train")
    mean, seen = (
        torch.stack([one.predict(some, numbers) for one in models]).mean(0)
        for some, numbers in ((held_out, examples), (data, trained))
    )
    learned = seen, task.examples.batch(data, trained).target, trained
    bands = task.calibrate((mean, batch.target, examples), learned)
    assert bands is not None
    assert joined.calibration is not None
    torch.testing.assert_close(joined.calibration, bands)
    assert joined.validation is not None
    losses = task.losses(task.finish(mean, bands), batch)
    assert joined.validation.metric == pytest.approx(losses.nanmean().item())
    each = [one.validation.metric for one in models if one.validation is not None]
    assert joined.validation.metric < max(each)


def test_of_classes_it_is_the_mean_of_the_probabilities() -> None:
    data = worlds.labelled("classify")
    models = fitted(data, 0, 1, 2)
    joined = Model.joined(models, data)
    examples = joined.task.examples.of_part(data, "test")
    each = torch.stack([one.predict(data, examples).softmax(-1) for one in models])
    found = joined.predict(data, examples)
    torch.testing.assert_close(found.softmax(-1), each.mean(0))
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(len(examples)))
    assert (each[0] - each.mean(0)).abs().max() > 1e-3
    logits = torch.stack([one.predict(data, examples) for one in models]).mean(0).softmax(-1)
    assert (found.softmax(-1) - logits).abs().max() > 1e-6


def test_the_mean_of_probabilities_keeps_chances_that_are_tiny() -> None:
    task = tasks.get("classify")(worlds.labelled("classify").preparation)
    sure = torch.tensor([[300.0, 0.0, -300.0]])
    found = task.together([sure, sure - 1000.0])
    assert found.isfinite().all()
    torch.testing.assert_close(found, sure.log_softmax(-1))


@pytest.mark.parametrize("name", tasks.names())
def test_read_back_it_is_the_same(name: str, tmp_path: Path) -> None:
    data = worlds.of_task(name)
    for number, choices in enumerate(
        itertools.product(*tasks.get(name)(data.preparation).choices(data))
    ):
        joined = Model.joined(fitted(data, 10, 1, 100, choices=choices), data)
        path = tmp_path / f"{number}.safetensors"
        written = joined.save(path)
        again = Model.load(path, data.preparation, written)
        examples = joined.task.examples.of_part(data, "test")
        assert torch.equal(joined.predict(data, examples), again.predict(data, examples))
        for part, other in zip(joined.parts, again.parts, strict=True):
            assert (part.seed, part.epochs, part.best_epoch) == (
                other.seed,
                other.epochs,
                other.best_epoch,
            )


def test_one_alone_is_what_it_was() -> None:
    data = worlds.waves()
    (one,) = fitted(data, 5)
    joined = Model.joined([one], data)
    examples = one.task.examples.of_part(data, "test")
    assert torch.equal(joined.predict(data, examples), one.predict(data, examples))
    assert joined.validation == one.validation


def test_of_logarithms_it_is_the_mean_of_logarithms() -> None:
    steps = torch.arange(200.0)
    raw = torch.exp(steps / 80) * (10 + 4 * (steps * 0.7).sin())
    data = worlds.series((raw[:, None] + 1 - raw.mean()) / 20)
    data.center[:] = raw.mean() - 1
    data.scale[:] = 20
    choices = ("own past", "last value", LOGARITHMS)
    models = fitted(data, 0, 1, choices=choices)
    joined = Model.joined(models, data)
    for one in (joined, *models):
        one.calibration = None
    examples = joined.task.examples.of_part(data, "test")

    def logs(model: Model) -> torch.Tensor:
        found = model.predict(data, examples)[..., 0].double() * data.scale + data.center
        return found.log()

    mean = torch.stack([logs(one) for one in models]).mean(0)
    torch.testing.assert_close(logs(joined), mean, rtol=0, atol=1e-5)
