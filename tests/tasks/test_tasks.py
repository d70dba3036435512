"""Every task of the folder: it learns, and is what it was when read back."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

import worlds
from gatewright import cells, tasks
from gatewright.setting import Options, Setting
from gatewright.tasks.forecast import QUANTILES, pinball
from gatewright.training import Model, Recipe, Stopping

SHORT = Stopping(epochs=2, steps_per_epoch=4, patience=9, batch_size=8)


EVERY = pytest.mark.parametrize("name", tasks.names())


@EVERY
def test_a_network_overfits_a_tiny_set(name: str) -> None:
    data = worlds.of_task(name)
    recipe = Recipe(candidate=cells.names()[0], hidden_size=16, setting=Setting(learning_rate=0.01))
    model = Model.fit(recipe, data, Stopping(epochs=12, steps_per_epoch=40, patience=99))
    examples = model.task.examples.of_part(data, "train")
    batch = model.task.examples.batch(data, examples)
    losses = model.task.losses(model.predict(data, examples), batch)
    spread = batch.target.square().nanmean().item()
    assert losses.nanmean().item() < 0.1 * spread
    assert model.epochs[-1].train_loss < model.epochs[0].train_loss


def offered(name: str) -> list[tuple[str, ...]]:
    """Every way of choosing one word of each tuple that a task offers."""
    data = worlds.of_task(name)
    return list(itertools.product(*tasks.get(name)(data.preparation).choices(data)))


@pytest.mark.parametrize(
    ("name", "choices"), [(name, words) for name in tasks.names() for words in offered(name)]
)
@pytest.mark.parametrize("segment", [0, -1])
def test_read_back_it_predicts_the_same(
    name: str, choices: tuple[str, ...], segment: int, tmp_path: Path
) -> None:
    data = worlds.of_task(name)
    steps = tasks.get(name)(data.preparation).segments(data)[segment]
    setting = Setting(choices=choices, segment=steps, num_layers=2, dropout=0.2)
    recipe = Recipe(candidate=cells.names()[-1], hidden_size=5, setting=setting, seed=3)
    model = Model.fit(recipe, data, SHORT)
    model.save(tmp_path / "model.safetensors")
    again = Model.load(tmp_path / "model.safetensors", data.preparation)
    examples = model.task.examples.of_part(data, "test")
    assert torch.equal(model.predict(data, examples), again.predict(data, examples))
    assert again.epochs == model.epochs


@EVERY
def test_one_by_one_is_as_in_a_batch(name: str) -> None:
    data = worlds.of_task(name)
    model = Model(Recipe(candidate=cells.names()[0], hidden_size=5), data.preparation)
    examples = model.task.examples.of_part(data, "test")
    together = model.predict(data, examples)
    alone = torch.cat([model.predict(data, one) for one in examples.split(1)])
    torch.testing.assert_close(together, alone)


@EVERY
def test_truncated_gradients_change_no_prediction(name: str) -> None:
    data = worlds.of_task(name)
    recipe = Recipe(candidate=cells.names()[0], hidden_size=5)
    whole = Model(recipe, data.preparation)
    cut = Model(recipe.model_copy(update={"options": Options(truncate=3)}), data.preparation)
    examples = whole.task.examples.of_part(data, "train")
    torch.testing.assert_close(whole.predict(data, examples), cut.predict(data, examples))

    def gradient(model: Model) -> Tensor:
        network = model.parts[0].learned
        assert isinstance(network, torch.nn.Module)
        network.train()
        batch = model.task.examples.batch(data, examples[:8])
        model.task.loss(network(batch), batch).backward()
        return torch.cat([value.grad.flatten() for value in network.parameters()])  # type: ignore[union-attr]

    full, short = gradient(whole), gradient(cut)
    assert short.isfinite().all()
    assert not torch.allclose(full, short)


def test_quantiles_never_cross_and_end_at_the_point_in_the_middle() -> None:
    data = worlds.waves()
    model = Model(Recipe(candidate=cells.names()[0], hidden_size=5), data.preparation)
    prediction = model.predict(data, model.task.examples.of_part(data, "test"))
    assert (prediction[..., 1:].diff(dim=-1) > 0).all()
    middle = 1 + QUANTILES.index(0.5)
    torch.testing.assert_close(prediction[..., 0], prediction[..., middle])


def test_pinball_is_least_at_the_quantile() -> None:
    target = torch.randn(20_001, generator=torch.Generator().manual_seed(0))
    best = target.quantile(torch.tensor(QUANTILES))
    at_best = pinball(best.expand(len(target), -1), target).mean(0)
    for moved in (best - 0.1, best + 0.1):
        assert (pinball(moved.expand(len(target), -1), target).mean(0) > at_best).all()


def test_conformal_quantiles_cover_as_often_as_they_say() -> None:
    task = Model(Recipe(candidate=cells.names()[0], hidden_size=2), worlds.waves().preparation).task
    generator = torch.Generator().manual_seed(1)
    spread = torch.rand(400, 3, 2, generator=generator) + 0.5
    target = 1 + 2 * spread * torch.randn(400, 3, 2, generator=generator)
    bands = torch.special.ndtri(torch.tensor(QUANTILES)) * 0.3 * spread[..., None]  # too narrow
    prediction = 1 + torch.cat([torch.zeros(400, 3, 2, 1), bands], -1)
    learned = prediction[:200], target[:200], torch.arange(200)
    found = task.calibrate(learned, learned)
    moved = task.finish(prediction[200:], found)
    below = (target[200:, ..., None] <= moved[..., 1:]).float().mean((0, 1, 2))
    torch.testing.assert_close(below, torch.tensor(QUANTILES), atol=0.06, rtol=0)


def test_a_missing_target_carries_no_loss() -> None:
    data = worlds.waves()
    task = tasks.get("forecast")(data.preparation)
    batch = task.examples.batch(data, task.examples.of_part(data, "train")[:4])
    prediction = torch.zeros(4, 3, 2, 1 + len(QUANTILES), requires_grad=True)
    batch.target[1:, :, 0] = torch.nan
    task.loss(prediction, batch).backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert (prediction.grad[1:, :, 0] == 0).all()
    assert (prediction.grad[0] != 0).any()


def test_class_weights_make_classes_count_the_same() -> None:
    values = [torch.full((3, 1), float(number == 0)) for number in range(24)]
    target = torch.tensor([[float(number % 4 == 0)] for number in range(24)])
    data = worlds.sequences("classify", values, target, classes=2)
    task = tasks.get("classify")(data.preparation, Options(class_weights=True))
    counts = torch.tensor(data.preparation.class_counts)
    examples = task.examples.of_part(data, "train")
    batch = task.examples.batch(data, examples)
    always_first = torch.tensor([[1.0, 0.0]]).expand(len(examples), 2)
    assert counts[0] != counts[1]
    assert task.losses(always_first, batch).mean().item() == pytest.approx(0.5)
