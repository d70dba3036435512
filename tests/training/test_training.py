"""The loop: the same for the same seed, exact when it goes on, and it stops when it should."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import worlds
from gatewright import cells
from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.training import DivergedError, Epoch, Model, Recipe, Stopping, evenly
from gatewright.training.checkpoint import load_tensors, save_tensors
from gatewright.training.loop import _order, schedule

RECIPE = Recipe(
    candidate=cells.names()[0], hidden_size=6, setting=Setting(num_layers=2, dropout=0.3), seed=5
)
STOPPING = Stopping(epochs=5, steps_per_epoch=6, patience=9, batch_size=8)


class Killed(BaseException):
    """As a kill would: nothing catches it."""


@pytest.fixture
def data() -> Prepared:
    generator = torch.Generator().manual_seed(0)
    return worlds.series(torch.randn(120, 1, generator=generator).cumsum(0))


def weights(model: Model) -> dict[str, torch.Tensor]:
    assert isinstance(model.part, torch.nn.Module)
    return model.part.state_dict()


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_killed_and_begun_again_it_ends_bitwise_the_same(
    data: Prepared, tmp_path: Path, epoch: int
) -> None:
    def kill(found: Epoch) -> None:
        if found.number == epoch:
            raise Killed

    whole = Model.fit(RECIPE, data, STOPPING)
    checkpoint = tmp_path / "training.safetensors"
    with pytest.raises(Killed):
        Model.fit(RECIPE, data, STOPPING, checkpoint=checkpoint, watch=kill)
    told: list[int] = []
    again = Model.fit(
        RECIPE, data, STOPPING, checkpoint=checkpoint, watch=lambda found: told.append(found.number)
    )
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(again)[name]), name
    assert told == [1, 2, 3, 4, 5]
    pairs = zip(whole.epochs, again.epochs, strict=True)
    assert all(a.validation_loss == b.validation_loss for a, b in pairs)


def test_the_random_numbers_of_others_change_nothing(data: Prepared) -> None:
    first = Model.fit(RECIPE, data, STOPPING)
    torch.manual_seed(99)
    torch.randn(7)
    second = Model.fit(RECIPE, data, STOPPING)
    assert all(
        torch.equal(a, b)
        for a, b in zip(weights(first).values(), weights(second).values(), strict=True)
    )


def test_it_stops_when_validation_gets_no_better(data: Prepared) -> None:
    recipe = RECIPE.model_copy(update={"setting": Setting(learning_rate=0.05)})
    stopping = STOPPING.model_copy(update={"epochs": 100, "patience": 3})
    model = Model.fit(recipe, data, stopping)
    assert len(model.epochs) < 100
    assert len(model.epochs) == model.best_epoch + 3
    best = min(epoch.validation_loss for epoch in model.epochs)
    assert model.epochs[model.best_epoch - 1].validation_loss == best


def test_a_loss_that_is_no_number_ends_it(data: Prepared) -> None:
    data.target[:] = 1e30
    with pytest.raises(DivergedError, match="at step 1"):
        Model.fit(RECIPE, data, STOPPING)


def test_time_ends_it_where_time_is_the_budget(data: Prepared) -> None:
    stopping = STOPPING.model_copy(update={"seconds": 0.3, "epochs": 10**6, "patience": 10**6})
    model = Model.fit(RECIPE, data, stopping)
    assert model.epochs[-1].seconds >= 0.3
    assert all(epoch.seconds < 0.3 for epoch in model.epochs[:-1])


def test_every_example_comes_equally_often() -> None:
    examples = torch.arange(10, 17)
    epochs = [_order(examples, number, 5, 3) for number in range(1, 8)]
    assert torch.equal(torch.cat(epochs).sort().values, examples.repeat(5).sort().values)
    assert torch.equal(_order(examples, 2, 5, 3), epochs[1])
    assert not torch.equal(_order(examples, 2, 5, 4), epochs[1])


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [schedule(way / 100) for way in range(101)]
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates[0] == rates[-1] == pytest.approx(0.02)
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_gradients_are_clipped_and_told(data: Prepared) -> None:
    tight = Model.fit(RECIPE, data, STOPPING.model_copy(update={"clip": 1e-3}))
    loose = Model.fit(RECIPE, data, STOPPING.model_copy(update={"clip": 1e9}))
    assert all(epoch.clipped == 1 and epoch.gradient_norm > 1e-3 for epoch in tight.epochs)
    assert all(epoch.clipped == 0 for epoch in loose.epochs)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"x\.safetensors cannot be read"):
        load_tensors(path)
    save_tensors(path, {"a": torch.ones(2)}, {"b": 1})
    tensors, record = load_tensors(path)
    assert torch.equal(tensors["a"], torch.ones(2))
    assert record == {"b": 1}


def test_evenly_spaced() -> None:
    examples = torch.arange(1000)
    assert torch.equal(evenly(examples, 1000), examples)
    some = evenly(examples, 5)
    assert some.tolist() == [0, 249, 499, 749, 999]
