"""One training, the same for every candidate."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from gatewright.data.prepared import Prepared
from gatewright.setting import Setting
from gatewright.tasks import Task
from gatewright.training import checkpoint as files

WARM_UP = 0.05  # of the way
SMALLEST_RATE = 0.02  # of the learning rate, at the end of the decay
WEIGHT_DECAY = 1e-2
STEPS_OF_SMALL_SETS = 50  # an epoch has at least these, if so many are allowed


class Diverged(ArithmeticError):
    """The loss is no longer a number."""


class Stopping(BaseModel):
    """How long a network is trained; the same for every candidate of a comparison."""

    model_config = ConfigDict(frozen=True)

    batch_size: int = 32
    epochs: int = 40
    steps_per_epoch: int = 100  # at most; an epoch may be less than all training examples
    patience: int = 6  # epochs without a better validation loss
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
class Trained:
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
    watch: Callable[[Epoch], None] = lambda epoch: None,
) -> Trained:
    """Train with AdamW (Loshchilov and Hutter 2019), warm-up, cosine decay and early stopping.

    The data's order depends on ``seed`` alone, so that candidates see the same. With a
    ``checkpoint``, a training that was killed goes on from its last whole epoch and ends bitwise as
    if it had never stopped. ``watch`` is told of each epoch, also of those before a resume.

    Raises Diverged where the loss stops being a finite number.
    """
    examples = task.examples(data, "train")
    if len(examples) == 0:
        raise ValueError("the training part holds no examples")
    # Small sets are passed over several times in an epoch: steps are what teaches.
    least = min(stopping.steps_per_epoch, STEPS_OF_SMALL_SETS)
    whole = len(examples) // stopping.batch_size
    steps = max(least, min(stopping.steps_per_epoch, whole))
    optimizer = torch.optim.AdamW(
        network.parameters(), setting.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
    )
    epochs: list[Epoch] = []
    best = {name: value.clone() for name, value in network.state_dict().items()}
    if checkpoint is not None and checkpoint.exists():
        tensors, record = files.load_tensors(checkpoint)
        best = files.restore_training(tensors, network, optimizer)
        epochs = [Epoch.model_validate(entry) for entry in record]
        for epoch in epochs:
            watch(epoch)
    started = time.monotonic() - (epochs[-1].seconds if epochs else 0.0)
    while not _finished(epochs, stopping):
        number = len(epochs) + 1
        torch.manual_seed(_mixed(seed, number))  # dropout, drawn anew for each epoch
        order = _order(examples, number, steps * stopping.batch_size, seed)
        loss, norm, clipped = _run_epoch(
            network, task, data, order, optimizer, setting, stopping, (number - 1) * steps, steps, started
        )
        judged = validation_loss(network, task, data, stopping)
        if not math.isfinite(judged):
            raise Diverged(f"the validation loss is {judged} after epoch {number}")
        epochs.append(
            Epoch(
                number=number,
                train_loss=loss,
                validation_loss=judged,
                gradient_norm=norm,
                clipped=clipped,
                seconds=time.monotonic() - started,
            )
        )
        if _best(epochs) == number:
            best = {name: value.clone() for name, value in network.state_dict().items()}
        if checkpoint is not None:
            state = files.training_state(network, optimizer, best)
            files.save_tensors(checkpoint, state, [epoch.model_dump() for epoch in epochs])
        watch(epochs[-1])
    network.load_state_dict(best)
    return Trained(network, epochs, _best(epochs))


def validation_loss(network: nn.Module, task: Task, data: Prepared, stopping: Stopping) -> float:
    """The training loss on validation, by which epochs and settings are chosen."""
    examples = evenly(task.examples(data, "validation"), stopping.validation_examples)
    network.eval()
    total = 0.0
    with torch.inference_mode():
        for some in examples.split(256):
            batch = task.batch(data, some)
            total += task.loss(network(batch), batch).item() * len(some)
    return total / max(1, len(examples))


def evenly(examples: Tensor, most: int) -> Tensor:
    """At most so many of the examples, evenly spaced."""
    if len(examples) <= most:
        return examples
    return examples[torch.linspace(0, len(examples) - 1, most, dtype=torch.float64).long()]


def _run_epoch(
    network: nn.Module,
    task: Task,
    data: Prepared,
    order: Tensor,
    optimizer: torch.optim.Optimizer,
    setting: Setting,
    stopping: Stopping,
    done: int,
    steps: int,
    started: float,
) -> tuple[float, float, float]:
    """Mean loss, mean norm of the gradient, share of steps that were clipped."""
    network.train()
    losses, norms, clipped = 0.0, 0.0, 0
    batches = order.split(stopping.batch_size)
    for number, some in enumerate(batches):
        if stopping.seconds is None:
            way = (done + number) / (steps * stopping.epochs)
        else:
            way = (time.monotonic() - started) / stopping.seconds
        rate = schedule(way)
        for group in optimizer.param_groups:
            group["lr"] = setting.learning_rate * rate
        batch = task.batch(data, some)
        loss = task.loss(network(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), stopping.clip).item()
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise Diverged(f"the loss is {value}, its gradient {norm} at step {done + number + 1}")
        optimizer.step()
        losses, norms, clipped = losses + value, norms + norm, clipped + (norm > stopping.clip)
    return losses / len(batches), norms / len(batches), clipped / len(batches)


def schedule(way: float) -> float:
    """The share of the learning rate, part of the way from 0 to 1: warm-up, then half a cosine."""
    if way < WARM_UP:
        return max(SMALLEST_RATE, way / WARM_UP)
    down = min(1.0, (way - WARM_UP) / (1 - WARM_UP))
    return SMALLEST_RATE + (1 - SMALLEST_RATE) * 0.5 * (1 + math.cos(math.pi * down))


def _order(examples: Tensor, epoch: int, count: int, seed: int) -> Tensor:
    """The examples of an epoch: passes over all of them, each in an order of its own, end to end.

    An epoch takes up where the one before it stopped, so that each example comes as often.
    """
    start = (epoch - 1) * count
    found: list[Tensor] = []
    while count > 0:
        turn, offset = divmod(start, len(examples))
        generator = torch.Generator().manual_seed(_mixed(seed, -1 - turn))
        order = torch.randperm(len(examples), generator=generator)[offset : offset + count]
        found.append(examples[order])
        start, count = start + len(order), count - len(order)
    return torch.cat(found)


def _mixed(seed: int, number: int) -> int:
    """A seed for one purpose out of one for all."""
    return (seed * 1_000_003 + number * 7_919) % 2**63


def _best(epochs: list[Epoch]) -> int:
    """The number of the epoch with the lowest validation loss, the first of equals."""
    return min(epochs, key=lambda epoch: epoch.validation_loss).number if epochs else 0


def _finished(epochs: list[Epoch], stopping: Stopping) -> bool:
    if not epochs:
        return False
    if stopping.seconds is not None:
        return epochs[-1].seconds >= stopping.seconds
    return len(epochs) >= stopping.epochs or len(epochs) - _best(epochs) >= stopping.patience
