"""The loop: the same for the same seed, exact when it goes on, and it stops when it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import worlds
from gatewright import cells
from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.training import DivergedError, Epoch, Model, Recipe, Stopping, evenly
from gatewright.training.checkpoint import load_tensors, save_tensors
from gatewright.training.loop import (
    SMALLEST_RATE,
    WARM_UP,
    _order,
    _Training,
    decline,
    declined,
    turn,
)

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
    (part,) = model.parts
    assert isinstance(part.learned, torch.nn.Module)
    return part.learned.state_dict()


def same(first: Model, second: Model) -> bool:
    """To the bit: what was learned, and what each epoch gave."""
    pairs = zip(weights(first).values(), weights(second).values(), strict=True)
    told = [
        [epoch.model_dump(exclude={"seconds"}) for epoch in one.epochs] for one in (first, second)
    ]
    return all(torch.equal(*pair) for pair in pairs) and told[0] == told[1]


def rates(data: Prepared, stopping: Stopping) -> list[float]:
    """The share of the learning rate at each step of a whole training."""
    found: list[float] = []

    class Told(_Training):
        def _rate(self, step: int, started: float) -> float:
            found.append(super()._rate(step, started))
            return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatewright.training.loop._Training", Told)
        Model.fit(RECIPE, data, stopping)
    return found


def epochs_of(*losses: float) -> list[Epoch]:
    rest = {"train_loss": 1.0, "gradient_norm": 1.0, "clipped": 0.0, "seconds": 1.0}
    return [
        Epoch(number=number, validation_loss=loss, **rest) for number, loss in enumerate(losses, 1)
    ]


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


def test_longer_trainings_go_on_from_the_plateau_of_shorter_ones(
    data: Prepared, tmp_path: Path
) -> None:
    """Of 2, 4 and 10 epochs: what ends is to the bit a training of 10 from its beginning."""
    plateau = tmp_path / "plateau.safetensors"
    run: list[int] = []
    for count, kept in ((2, 1), (4, 3), (10, 7)):
        stopping = STOPPING.model_copy(update={"epochs": count})
        before = len(load_tensors(plateau)[1]) if plateau.exists() else 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_Training, "epoch", counting(_Training.epoch, run))
            found = Model.fit(RECIPE, data, stopping, plateau=plateau)
        assert same(found, Model.fit(RECIPE, data, stopping))
        assert len(found.epochs) == count
        assert run == list(range(before + 1, count + 1))
        assert len(load_tensors(plateau)[1]) == kept
        run.clear()


def counting(epoch: Callable[..., None], run: list[int]) -> Callable[..., None]:
    """The epoch of a training that is told of in ``run``."""

    def told(training: _Training, started: float) -> None:
        run.append(len(training.epochs) + 1)
        epoch(training, started)

    return told


@pytest.mark.parametrize("epoch", [6, 7, 8, 9])
def test_killed_about_the_decline_it_ends_bitwise_the_same(
    data: Prepared, tmp_path: Path, epoch: int
) -> None:
    def kill(found: Epoch) -> None:
        if found.number == epoch:
            raise Killed

    stopping = STOPPING.model_copy(update={"epochs": 10})
    files = {"checkpoint": tmp_path / "training.safetensors", "plateau": tmp_path / "plateau"}
    Model.fit(RECIPE, data, stopping.model_copy(update={"epochs": 4}), plateau=files["plateau"])
    with pytest.raises(Killed):
        Model.fit(RECIPE, data, stopping, watch=kill, **files)
    again = Model.fit(RECIPE, data, stopping, **files)
    assert same(again, Model.fit(RECIPE, data, stopping))
    assert len(load_tensors(files["plateau"])[1]) == 7


def test_a_damaged_plateau_is_begun_again(data: Prepared, tmp_path: Path) -> None:
    plateau = tmp_path / "plateau"
    plateau.write_bytes(b"nothing of the kind")
    assert same(
        Model.fit(RECIPE, data, STOPPING, plateau=plateau), Model.fit(RECIPE, data, STOPPING)
    )


def test_it_declines_early_when_validation_gets_no_better(data: Prepared) -> None:
    recipe = RECIPE.model_copy(update={"setting": Setting(learning_rate=0.05)})
    stopping = STOPPING.model_copy(update={"epochs": 100, "patience": 3})
    model = Model.fit(recipe, data, stopping)
    begin = turn(model.epochs, stopping)
    assert begin is not None
    assert begin < 70
    losses = [epoch.validation_loss for epoch in model.epochs]
    assert min(losses[: begin - 3]) < min(losses[begin - 3 : begin])
    assert len(losses) == begin + decline(begin, stopping)
    assert losses[model.best_epoch - 1] == min(losses)


def test_the_decline_begins_when_due_or_when_patience_ends() -> None:
    stopping = Stopping(epochs=20, patience=3)
    better = [float(-number) for number in range(20)]
    assert turn(epochs_of(*better[:13]), stopping) is None
    assert turn(epochs_of(*better[:14]), stopping) == 14
    assert turn(epochs_of(*better), stopping) == 14  # whatever came after
    assert turn(epochs_of(3.0, 2.0, 2.5, 2.5), stopping) is None
    assert turn(epochs_of(3.0, 2.0, 2.5, 2.5, 2.5), stopping) == 5
    assert turn(epochs_of(3.0, 2.0, 2.5, 2.5, 2.5, 1.0, 0.0), stopping) == 5
    assert turn(epochs_of(3.0, 2.0, 2.5, 2.5, 1.5, 2.0), stopping) is None
    assert turn(epochs_of(*[0.0] * 13), stopping) is None  # without validation none is worse
    assert turn(epochs_of(*better), stopping.model_copy(update={"seconds": 9.0})) is None


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 10, 40, 100])
def test_the_decline_has_the_same_share_whenever_it_begins(epochs: int) -> None:
    stopping = Stopping(epochs=epochs)
    longest = max(1, round(0.3 * epochs))
    for begin in range(epochs - longest + 1):
        length = decline(begin, stopping)
        assert length >= 1
        whole = begin * longest / max(1, epochs - longest)
        assert abs(length - whole) <= 0.5 or (length == 1 and whole < 1)
    assert epochs - longest + decline(epochs - longest, stopping) == epochs


@pytest.mark.parametrize("epochs", [1, 2, 3, 10])
def test_it_lasts_as_many_epochs_as_asked(data: Prepared, epochs: int) -> None:
    stopping = STOPPING.model_copy(update={"epochs": epochs, "patience": 99})
    model = Model.fit(RECIPE, data, stopping)
    assert [epoch.number for epoch in model.epochs] == list(range(1, epochs + 1))
    assert 1 <= model.best_epoch <= epochs
    examples = model.task.examples.of_part(data, "test")
    assert model.predict(data, examples).isfinite().all()


def test_without_validation_the_last_epoch_is_kept() -> None:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(120, 1, generator=generator).cumsum(0)
    data = worlds.series(numbers, bounds=[[0, 100, 100, 120]])
    last: list[dict[str, torch.Tensor]] = []

    class Told(_Training):
        def epoch(self, started: float) -> None:
            super().epoch(started)
            last.append(self._weights())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatewright.training.loop._Training", Told)
        model = Model.fit(RECIPE, data, STOPPING.model_copy(update={"patience": 2}))
    assert len(model.epochs) == model.best_epoch == len(last) == 5
    assert model.validation is None
    assert all(torch.equal(value, last[-1][name]) for name, value in weights(model).items())
    assert not all(torch.equal(value, last[-2][name]) for name, value in weights(model).items())


def test_a_loss_that_is_no_number_ends_it(data: Prepared) -> None:
    data.target[:] = 3e38  # the sum of some is no number
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


def test_the_learning_rate_rises_stays_and_falls(data: Prepared) -> None:
    stopping = STOPPING.model_copy(update={"epochs": 20, "steps_per_epoch": 10, "patience": 99})
    found = rates(data, stopping)
    steps = 10 * 20
    assert len(found) == steps
    assert found[:WARM_UP] == pytest.approx([(step + 1) / WARM_UP for step in range(WARM_UP)])
    assert found[WARM_UP - 1 : 14 * 10 + 1] == [1.0] * (14 * 10 + 2 - WARM_UP)
    line = [1 - (1 - SMALLEST_RATE) * step / 60 for step in range(60)]
    assert found[14 * 10 :] == pytest.approx(line)
    assert found[-1] == pytest.approx(SMALLEST_RATE, abs=1 / 60)


def test_the_rate_of_an_early_decline_falls_as_far(data: Prepared) -> None:
    """In whatever epoch it begins: a line from where the plateau was to the smallest rate."""
    data.target[data.bounds[0, 1] :] *= torch.linspace(1, -40, 48)[:, None]  # nothing to learn
    stopping = STOPPING.model_copy(update={"epochs": 60, "steps_per_epoch": 10, "patience": 7})
    found = rates(data, stopping)
    falling = [rate for rate in found[WARM_UP:] if rate < 1]
    length = len(falling) + 1  # its first step still has the whole rate
    begin = (len(found) - length) // 10
    assert begin < 42
    assert length == 10 * decline(begin, stopping)
    assert falling == pytest.approx(
        [1 - (1 - SMALLEST_RATE) * step / length for step in range(1, length)]
    )


def test_the_rate_of_one_epoch_never_rises_again_in_its_decline(data: Prepared) -> None:
    found = rates(data, STOPPING.model_copy(update={"epochs": 1, "steps_per_epoch": 40}))
    assert len(found) == 40
    peak = found.index(max(found))
    assert found == [*sorted(found[:peak]), *sorted(found[peak:], reverse=True)]


def test_declined_is_a_line_to_the_smallest_rate() -> None:
    assert [declined(gone) for gone in (-1.0, 0.0)] == [1.0, 1.0]
    assert declined(0.5) == pytest.approx((1 + SMALLEST_RATE) / 2)
    assert [declined(gone) for gone in (1.0, 3.0)] == pytest.approx([SMALLEST_RATE] * 2)


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
