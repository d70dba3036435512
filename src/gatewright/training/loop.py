"""One training, the same for every candidate."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.tasks import Task
from gatewright.training import checkpoint as files

WARM_UP = 50  # steps
DECLINE = 0.3  # of all epochs, in which the learning rate goes down
SMALLEST_RATE = 0.02  # of the learning rate, at the end of the decline
MOST_ROWS = 4096  # in a step: a batch of many targets, one a row, holds fewer examples
WEIGHT_DECAY = 1e-2
STEPS_OF_SMALL_SETS = 50  # an epoch has at least these, if so many are allowed


class DivergedError(ArithmeticError):
    """The loss is no longer a number."""


class Stopping(BaseModel):
    """How long a network is trained; the same for every candidate of a comparison.

    The learning rate rises for some steps, stays, and declines in the last epochs. Where validation
    has not got better for ``patience`` epochs, the decline begins early, and is as much shorter.
    """

    model_config = ConfigDict(frozen=True)

    batch_size: int = 32
    epochs: int = 40
    steps_per_epoch: int = 100  # at most; an epoch may be less than all training examples
    patience: int = 6  # epochs without a better validation loss, before the decline
    clip: float = 1.0  # the largest norm of the gradient
    validation_examples: int = 1024  # at most, evenly spaced
    seconds: float | None = None  # end by time instead; not repeatable to the bit


class Epoch(BaseModel):
    """What one epoch gave."""

    number: int  # from 1
    train_loss: float
    validation_loss: float
    gradient_norm: float  # mean over steps, before clipping
    clipped: float  # share of steps whose gradient was clipped
    seconds: float  # since the training began, over all its runs


@dataclasses.dataclass
class TrainedNetwork:
    """A network with the weights of its best epoch."""

    network: nn.Module
    epochs: list[Epoch]
    best: int  # the number of the best epoch


def train(
    network: nn.Module,
    task: Task,
    data: Prepared,
    setting: Setting,
    stopping: Stopping,
    seed: int,
    *,
    checkpoint: Path | None = None,
    plateau: Path | None = None,
    watch: Callable[[Epoch], None] = lambda epoch: None,
) -> TrainedNetwork:
    """Train with AdamW (Loshchilov and Hutter 2019): warm-up, plateau, decline, early stopping.

    The data's order depends on ``seed`` alone, so that candidates see the same. With a
    ``checkpoint``, a training that was killed goes on from its last whole epoch and ends bitwise as
    if it had never stopped. ``watch`` is told of each epoch, also of those before a resume.

    plateau: a file for the state before the decline, which a longer training of the same network
        and seed goes on from: up to there, the epochs of both are the same to the bit (Hu and
        others 2024 call this warm-up, stable, decay).

    Raises DivergedError where the loss stops being a finite number.
    """
    training = _Training(network, task, data, setting, stopping, seed)
    for file in (checkpoint, plateau):
        if file is not None and file.exists() and not training.epochs:
            training.restore(file)
    for epoch in training.epochs:
        watch(epoch)
    started = time.monotonic() - (training.epochs[-1].seconds if training.epochs else 0.0)
    while not _finished(training.epochs, stopping):
        training.epoch(started)
        if checkpoint is not None:
            training.save(checkpoint)
        if plateau is not None and turn(training.epochs, stopping) == len(training.epochs):
            training.save(plateau)
        watch(training.epochs[-1])
    network.load_state_dict(training.best)
    return TrainedNetwork(network, training.epochs, _best(training.epochs))


class _Training:
    """A training between two of its epochs."""

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        data: Prepared,
        setting: Setting,
        stopping: Stopping,
        seed: int,
    ) -> None:
        self.network, self.task, self.data = network, task, data
        self.seen = task.seen(data, setting)
        self.held_out = task.examples.held_out(data)
        self.held_out_seen = task.seen(self.held_out, setting)
        self.setting, self.stopping, self.seed = setting, stopping, seed
        self.examples = task.examples.of_part(data, "train")
        if len(self.examples) == 0:
            raise ValueError("the training part holds no examples")
        most = max(1, MOST_ROWS // task.rows(setting))
        self.batch_size = min(stopping.batch_size, most)
        # Small sets are passed over several times in an epoch: it is steps that teach.
        least = min(stopping.steps_per_epoch, STEPS_OF_SMALL_SETS)
        whole = len(self.examples) // self.batch_size
        self.steps = max(least, min(stopping.steps_per_epoch, whole))
        self.parameters = list(network.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, setting.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
        )
        self.epochs: list[Epoch] = []
        self.best = self._weights()

    def restore(self, checkpoint: Path) -> None:
        """Go on from a checkpoint; from the start where that is damaged."""
        try:
            tensors, record = files.load_tensors(checkpoint)
        except (OSError, ValueError):
            return
        self.best = files.restore_training(tensors, self.network, self.optimizer)
        self.epochs = [Epoch.model_validate(entry) for entry in record]

    def save(self, checkpoint: Path) -> None:
        state = files.training_state(self.network, self.optimizer, self.best)
        files.save_tensors(checkpoint, state, [epoch.model_dump() for epoch in self.epochs])

    def epoch(self, started: float) -> None:
        """One more epoch. ``started``: when the training would have begun without a pause."""
        number = len(self.epochs) + 1
        torch.manual_seed(_mixed(self.seed, number))  # dropout, drawn anew for each epoch
        loss, norm, clipped = self._run(number, started)
        judged = validation_loss(
            self.network,
            self.task,
            self.held_out,
            self.held_out_seen,
            self.setting,
            self.stopping,
        )
        if not math.isfinite(judged):
            raise DivergedError(f"the validation loss is {judged} after epoch {number}")
        self.epochs.append(
            Epoch(
                number=number,
                train_loss=loss,
                validation_loss=judged,
                gradient_norm=norm,
                clipped=clipped,
                seconds=time.monotonic() - started,
            )
        )
        if _best(self.epochs) == number:
            self.best = self._weights()

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}

    def _run(self, number: int, started: float) -> tuple[float, float, float]:
        """Mean loss, mean norm of the gradient, share of steps that were clipped."""
        self.network.train()
        losses, norms, clipped = 0.0, 0.0, 0
        order = _order(self.examples, number, self.steps * self.batch_size, self.seed)
        for batch, some in enumerate(order.split(self.batch_size)):
            step = (number - 1) * self.steps + batch
            loss, norm = self._step(some, self._rate(step, started))
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise DivergedError(f"the loss is {loss}, its gradient {norm} at step {step + 1}")
            self.optimizer.step()
            losses, norms = losses + loss, norms + norm
            clipped += norm > self.stopping.clip
        return losses / self.steps, norms / self.steps, clipped / self.steps

    def _rate(self, step: int, started: float) -> float:
        """The share of the learning rate at a step, which is counted over all epochs from 0."""
        if self.stopping.seconds is not None:
            left = 1 - (time.monotonic() - started) / self.stopping.seconds
            return min((step + 1) / WARM_UP, declined(1 - left / DECLINE))
        begin = turn(self.epochs, self.stopping)
        gone = 0.0 if begin is None else (step / self.steps - begin) / decline(begin, self.stopping)
        return min((step + 1) / WARM_UP, declined(gone))

    def _step(self, examples: Tensor, rate: float) -> tuple[float, float]:
        """The loss of a batch and the norm of its gradient, which is clipped for the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.setting.learning_rate * rate
        batch = self.task.examples.batch(self.seen, examples)
        loss = self.task.loss(self.network(batch), batch)
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if norm >= self.stopping.clip:
            nn.utils.clip_grads_with_norm_(self.parameters, self.stopping.clip, norm)
        return loss.item(), norm.item()


def validation_loss(
    network: nn.Module,
    task: Task,
    data: Prepared,
    seen: Prepared,
    setting: Setting,
    stopping: Stopping,
) -> float:
    """What epochs and settings are chosen by, on validation; ``seen``: the data as the network
    sees them."""
    examples = evenly(task.examples.of_part(data, "validation"), stopping.validation_examples)
    if not len(examples):
        return 0.0
    network.eval()
    losses = []
    with torch.inference_mode():
        for some in examples.split(256):
            prediction = network(task.examples.batch(seen, some))
            prediction = task.restored(prediction, data, some, setting)
            losses.append(task.selection(prediction, task.examples.batch(data, some)))
    return torch.cat(losses).nanmean().item()


def evenly(examples: Tensor, most: int) -> Tensor:
    """At most so many of the examples, evenly spaced."""
    if len(examples) <= most:
        return examples
    return examples[torch.linspace(0, len(examples) - 1, most, dtype=torch.float64).long()]


def turn(epochs: Sequence[Epoch], stopping: Stopping) -> int | None:
    """After how many epochs the decline begins: when it is due, or earlier where validation has
    not got better for a while. None where that is still to come."""
    if stopping.seconds is not None:
        return None
    due, best = stopping.epochs - _longest_decline(stopping), 0
    if due < 1:
        return 0
    for number, epoch in enumerate(epochs, 1):
        if epoch.validation_loss <= epochs[best].validation_loss:
            best = number - 1
        if number >= due or number - 1 - best >= stopping.patience:
            return number
    return None


def still_improving(epochs: Sequence[Epoch], stopping: Stopping) -> bool:
    """Whether training ended while validation got better: the best epoch before the decline is one
    of the last two, and nothing but the number of epochs ended them."""
    begin = turn(epochs, stopping)
    if begin is None or begin < max(2, stopping.epochs - _longest_decline(stopping)):
        return False
    return _best(list(epochs[:begin])) > begin - 2


def decline(begin: int, stopping: Stopping) -> int:
    """Epochs of decline where it begins after so many: the same share, whenever that is."""
    longest = _longest_decline(stopping)
    return max(1, round(longest * begin / max(1, stopping.epochs - longest)))


def _longest_decline(stopping: Stopping) -> int:
    return max(1, round(DECLINE * stopping.epochs))


def declined(gone: float) -> float:
    """The share of the learning rate when so much of the decline is gone, from 0 to 1: a line."""
    return 1.0 - (1.0 - SMALLEST_RATE) * min(1.0, max(0.0, gone))


def _order(examples: Tensor, epoch: int, count: int, seed: int) -> Tensor:
    """The examples of an epoch: passes over all of them, each in an order of its own, end to end.

    An epoch takes up where the one before it stopped, so that each example comes as often.
    """
    start = (epoch - 1) * count
    orders: list[Tensor] = []
    while count > 0:
        turn, offset = divmod(start, len(examples))
        generator = torch.Generator().manual_seed(_mixed(seed, -1 - turn))
        order = torch.randperm(len(examples), generator=generator)[offset : offset + count]
        orders.append(examples[order])
        start, count = start + len(order), count - len(order)
    return torch.cat(orders)


def _mixed(seed: int, number: int) -> int:
    """A seed for one purpose out of one for all."""
    return (seed * 1_000_003 + number * 7_919) % 2**63


def _best(epochs: list[Epoch]) -> int:
    """The number of the epoch with the lowest validation loss; the last of equals, as without
    validation all are."""
    return min(reversed(epochs), key=lambda epoch: epoch.validation_loss).number if epochs else 0


def _finished(epochs: list[Epoch], stopping: Stopping) -> bool:
    if not epochs:
        return False
    if stopping.seconds is not None:
        return epochs[-1].seconds >= stopping.seconds
    begin = turn(epochs, stopping)
    return begin is not None and len(epochs) >= begin + decline(begin, stopping)
