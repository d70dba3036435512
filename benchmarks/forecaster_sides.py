"""The sides of forecasters.py: each trains the same forecaster, in a process of its own.

    PYTHON benchmarks/forecaster_sides.py SIDE THREADS

forecasters.py starts it and asks it. It imports one library only, that of its side, and may run in
a Python that has no other.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from torch import Tensor, nn

CELLS = ("GRU", "LSTM")
CONTEXT, HORIZON, HIDDEN_SIZE, BATCH = 96, 24, 64, 32
RATE = 0.003
CLIP = 1.0
SEED = 1

# The data: series with a period, standardised, with some noise.
SERIES, LENGTH, PERIOD, NOISE = 256, 240, 24, 0.4

LAST_STEPS = 50  # of a watched training, whose mean loss counts


@cache
def data() -> numpy.ndarray:
    """(SERIES, LENGTH), float32, each series of mean 0 and deviation 1."""
    import numpy as np

    random = np.random.default_rng(SEED)
    phase = random.uniform(0, PERIOD, (SERIES, 1))
    angle = 2 * np.pi * (np.arange(LENGTH) + phase) / PERIOD
    values = np.sin(angle) + 0.5 * np.cos(2 * angle) + NOISE * random.normal(size=angle.shape)
    values -= values.mean(1, keepdims=True)
    values /= values.std(1, keepdims=True)
    return values.astype(np.float32)


def naive_loss() -> float:
    """Mean squared error of the better of two forecasts: the last value, the last period."""
    values = data()
    ends = range(CONTEXT, LENGTH - HORIZON + 1)
    last = [((values[:, e : e + HORIZON] - values[:, e - 1 : e]) ** 2).mean() for e in ends]
    seasonal = ((values[:, PERIOD:] - values[:, :-PERIOD]) ** 2).mean()
    return float(min(sum(last) / len(last), seasonal))


# The sides: each trains a new network of that cell for so many steps. What comes back is the losses
# that it keeps where a hook does not see them.


def gatewright_side(cell: str, steps: int) -> list[float]:
    """Gatewright: its training and its loss of a point, with the network of the peers.

    That is its network for whole sequences: a forecaster of its own reads in segments, which the
    peers cannot.
    """
    import torch

    from gatewright.networks.whole import SequenceNetwork
    from gatewright.setting import Setting
    from gatewright.tasks.forecast import Forecast
    from gatewright.training.loop import Stopping, train

    losses = []

    class Alike(Forecast):
        def loss(self, prediction: Tensor, batch: Any) -> Tensor:
            losses.append(torch.nn.functional.mse_loss(prediction.detach()[..., 0], batch.target))
            return super().loss(prediction, batch)

    prepared = _gatewright_data()
    setting = Setting(learning_rate=RATE)
    stopping = Stopping(
        batch_size=BATCH, epochs=1, steps_per_epoch=steps, clip=CLIP, validation_examples=BATCH
    )
    torch.manual_seed(SEED)
    network = torch.nn.Sequential(
        SequenceNetwork(prepared.preparation, 0, cell.lower(), HIDDEN_SIZE, setting, HORIZON),
        torch.nn.Unflatten(1, (HORIZON, 1, 1)),
    )
    train(network, Alike(prepared.preparation), prepared, setting, stopping, SEED)
    return [float(value) for value in losses]


@cache
def _gatewright_data() -> Any:
    import torch

    from gatewright.data.layout import Layout
    from gatewright.data.prepared import Channel, Preparation, Prepared

    layout = Layout(task="forecast", targets=("y",), horizon=HORIZON, context=CONTEXT)
    channel = Channel(name="y", column="y", role="target", known=False)
    values = torch.from_numpy(data()).reshape(-1, 1)
    start = torch.arange(SERIES) * LENGTH
    end = start + LENGTH
    # All is training, but for the end of the first series, which is validation.
    bounds = torch.stack([start, end, end, end], 1)
    bounds[0, 1] -= HORIZON + BATCH
    nothing = torch.empty(0, dtype=torch.int64)
    return Prepared(
        preparation=Preparation(layout=layout, channels=(channel,)),
        items=tuple(str(number) for number in range(SERIES)),
        values=values,
        codes=torch.empty(len(values), 0, dtype=torch.int64),
        time=torch.arange(len(values)),
        bounds=bounds,
        part=nothing,
        group=nothing,
        target=values,
        center=torch.zeros(SERIES, 1, dtype=torch.float64),
        scale=torch.ones(SERIES, 1, dtype=torch.float64),
    )


# Of Lightning's Trainer. Barebones turns off logging, checkpoints, the bar and the summary.
TRAINER: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "barebones": True}


def neuralforecast_side(cell: str, steps: int) -> list[float]:
    """NeuralForecast: `decoder_layers=1` is one linear layer, "identity" scales no windows."""
    import torch
    from neuralforecast import models
    from neuralforecast.losses.pytorch import MSE

    model = getattr(models, cell)(
        h=HORIZON,
        input_size=CONTEXT,
        encoder_n_layers=1,
        encoder_hidden_size=HIDDEN_SIZE,
        decoder_layers=1,
        loss=MSE(),
        max_steps=steps,
        learning_rate=RATE,
        optimizer=torch.optim.AdamW,
        optimizer_kwargs={"fused": True},
        batch_size=1,  # series; the next is windows, of those series together
        windows_batch_size=BATCH,
        scaler_type="identity",
        val_check_steps=steps,
        random_seed=SEED,
        limit_val_batches=0,
        **TRAINER,
    )
    model.fit(_neuralforecast_data())
    return [loss for _, loss in model.train_trajectories]


@cache
def _neuralforecast_data() -> Any:
    import numpy as np
    import pandas
    from neuralforecast.tsdataset import TimeSeriesDataset

    frame = pandas.DataFrame(
        {
            "unique_id": np.repeat(np.arange(SERIES), LENGTH),
            "ds": np.tile(np.arange(LENGTH), SERIES),
            "y": data().ravel(),
        }
    )
    return TimeSeriesDataset.from_df(frame)[0]


def darts_side(cell: str, steps: int) -> list[float]:
    """Darts, with series of float32, as it trains in float64 otherwise."""
    import torch
    from darts.models import BlockRNNModel

    model = BlockRNNModel(
        input_chunk_length=CONTEXT,
        output_chunk_length=HORIZON,
        model=cell,
        hidden_dim=HIDDEN_SIZE,
        n_rnn_layers=1,
        batch_size=BATCH,
        n_epochs=steps,  # max_steps ends it
        loss_fn=torch.nn.MSELoss(),
        optimizer_cls=torch.optim.AdamW,
        optimizer_kwargs={"lr": RATE, "fused": True},
        random_state=SEED,
        pl_trainer_kwargs={"max_steps": steps, **TRAINER},
    )
    # Dropping the last batch keeps every batch as large as the others'.
    model.fit(_darts_data(), dataloader_kwargs={"pin_memory": False, "drop_last": True})
    return []


@cache
def _darts_data() -> Any:
    from darts import TimeSeries

    return [TimeSeries.from_values(values) for values in data()]


GATEWRIGHT = "gatewright"
SIDES: dict[str, Callable[[str, int], list[float]]] = {
    GATEWRIGHT: gatewright_side,
    "neuralforecast": neuralforecast_side,
    "darts": darts_side,
}
PACKAGES = {
    GATEWRIGHT: ["gatewright", "torch"],
    "neuralforecast": ["neuralforecast", "pytorch-lightning", "torch"],
    "darts": ["darts", "pytorch-lightning", "torch"],
}


@dataclass
class Watched:
    """What a training did, as seen from its modules."""

    steps: int = 0
    parameters: int = 0  # of the recurrent layer
    batches: list[tuple[int, int]] = field(default_factory=list)  # (sequences, their steps)
    forecasts: list[int] = field(default_factory=list)  # numbers that linear layers gave
    losses: list[float] = field(default_factory=list)

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """A hook for the calls of every module."""
        import torch

        if not module.training:
            return
        if hasattr(module, "weight_ih_l0"):
            sizes = tuple(inputs[0].shape[:2])
            self.steps += 1
            self.parameters = sum(weight.numel() for weight in module.parameters())
            self.batches.append(sizes if module.batch_first else sizes[::-1])
        elif isinstance(module, torch.nn.Linear):
            self.forecasts.append(output.numel())
        elif isinstance(output, torch.Tensor) and output.ndim == 0:
            self.losses.append(_number(output))

    def facts(self) -> dict[str, Any]:
        """What has to be the same for all sides, and the loss at the end."""
        last = self.losses[-LAST_STEPS:]
        return {
            "steps": self.steps,
            "parameters": self.parameters,
            "batches": sorted(set(self.batches)),
            "forecasts": max(self.forecasts),
            "losses": len(self.losses),
            "loss": sum(last) / len(last),
        }


def _number(value: Tensor) -> float:
    return float(value.detach())


def expected(cell: str, steps: int) -> dict[str, Any]:
    """The facts of a training as it should be, without the loss; as JSON has them."""
    gates = {"GRU": 3, "LSTM": 4}[cell]
    return {
        "steps": steps,
        "parameters": gates * HIDDEN_SIZE * (1 + HIDDEN_SIZE + 2),
        "batches": [[BATCH, CONTEXT]],
        "forecasts": BATCH * HORIZON,
        "losses": steps,
    }


# A side's own process.


def serve(side: str, threads: int) -> None:
    """Answer requests, a line of JSON each, until there are no more."""
    # What libraries print goes where errors go.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(threads)
    train = SIDES[side]
    print(json.dumps(_versions(side)), file=replies)
    for line in sys.stdin:
        request = json.loads(line)
        if request["watch"]:
            watched = Watched()
            hook = torch.nn.modules.module.register_module_forward_hook(watched)
            watched.losses += train(request["cell"], request["steps"])
            hook.remove()
            print(json.dumps(watched.facts()), file=replies)
        else:
            gc.collect()
            begin = time.perf_counter()
            train(request["cell"], request["steps"])
            print(json.dumps({"seconds": time.perf_counter() - begin}), file=replies)
        if torch.get_num_threads() != threads:
            raise RuntimeError(f"{side} changed the number of threads")


def _versions(side: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES[side]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "of unknown version"
    return found


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
