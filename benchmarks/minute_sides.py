"""The sides of minute.py: each trains a forecaster of its library for a time, and predicts.

    PYTHON benchmarks/minute_sides.py REQUEST.json

minute.py starts it. It imports one library only, that of its side, and may run in a Python that has
no other. Every side sees each target by itself, through the same weights for all of them.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]

SEED = 1
JUDGED = 256  # windows of validation that weights and settings are chosen by
EPOCH = 50  # steps of Gatewright between looks at validation: it ends with a whole one
BLOCK = 128  # windows predicted at once
PIECE, PIECES = 32, 8  # of NeuralForecast: windows of a piece, pieces a batch is drawn from
WARM_UP, DECLINE, SMALLEST_RATE = 50, 0.3, 0.02  # of the peers' learning rate, as of ours

# What is tried of each side; contexts are in steps, and what is not named is the library's default.
# Of NeuralForecast, its default of 2 layers of 128 takes a hundred steps in this time; its GRU, and
# Darts' too, take half as many steps as its LSTM and come out a little worse.
NEURALFORECAST = {
    "encoder_n_layers": 1,
    "encoder_hidden_size": 64,
    "decoder_hidden_size": 64,
    "windows_batch_size": 32,
    "scaler_type": "standard",
}
DARTS = {"hidden_dim": 64, "batch_size": 32, "use_reversible_instance_norm": True}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "gatewright": [{"cell": "gru", "hidden_size": 64, "learning_rate": 3e-3, "context": 336}],
    "neuralforecast": [
        {"model": "LSTM", "context": 96, **NEURALFORECAST},
        {"model": "LSTM", "context": 336, **NEURALFORECAST},
    ],
    "darts": [
        {"model": "LSTM", "context": 96, **DARTS},
        {"model": "LSTM", "context": 336, **DARTS},
    ],
}


def gatewright_side(request: dict[str, Any], setting: dict[str, Any]) -> dict[str, Any]:
    """The usual forecaster in segments, each target by its own past."""
    import torch

    from gatewright import tasks
    from gatewright.data.guess.guessing import guess
    from gatewright.data.prepare.preparing import prepare
    from gatewright.data.table.reading import read
    from gatewright.networks.forecaster import OWN
    from gatewright.requests import Columns, Split
    from gatewright.training.loop import Stopping, train

    table = read(Path(request["csv"]))
    split = Split(rows=tuple(request["rows"]))
    columns = Columns(
        targets=tuple(request["targets"]),
        horizon=request["horizon"],
        context=setting["context"],
    )
    layout, _ = guess(table, tasks.every(), columns, split)
    task_class = tasks.get(layout.task)
    with tempfile.TemporaryDirectory() as folder:
        data = prepare(table, layout, task_class, Path(folder) / "data", split=split)
        task = task_class(data.preparation)
        usual = task.usual(data)
        own = usual.model_copy(
            update={
                "learning_rate": setting["learning_rate"],
                "choices": (OWN, *usual.choices[1:]),
            }
        )
        stopping = Stopping(
            seconds=request["seconds"], steps_per_epoch=EPOCH, validation_examples=JUDGED
        )
        torch.manual_seed(SEED)
        network = task.network(setting["cell"], setting["hidden_size"], own)
        trained = train(network, task, data, own, stopping, SEED)
        network.eval()

        def predicted(part: str, most: int) -> Floats:
            origins, found = task.examples.of_part(data, part), []
            origins = origins[torch.from_numpy(evenly(len(origins), most))]
            with torch.inference_mode():
                for some in origins.split(BLOCK):
                    found.append(network(task.examples.batch(data, some))[..., 0])
            # In the column's units, as these means and spreads are of another hand.
            return (torch.cat(found).double() * data.scale[0] + data.center[0]).float().numpy()

        keep(request, "validation", predicted("validation", JUDGED), in_units=True)
        keep(request, "test", predicted("test", 10**6), in_units=True)
    return {
        "steps": EPOCH * len(trained.epochs),
        "seconds": trained.epochs[-1].seconds,
        "parameters": sum(each.numel() for each in network.parameters()),
    }


class Judge:
    """A peer's network in training: its clock, its learning rate, its best weights so far.

    The peers train to the last step; here they too keep the weights that did best on validation, of
    ten looks at it, whose time does not count, and their learning rate rises and declines as ours.
    """

    def __init__(
        self, request: dict[str, Any], context: int, predict: Callable[[Any, Tensor], Tensor]
    ) -> None:
        self.request, self.context, self.predict = request, context, predict
        self.steps, self.paused, self.looks = 0, 0.0, 0
        self.best, self.weights = float("inf"), None
        self.values: Floats = np.load(request["values"])

    def callback(self, rate: float) -> Any:
        import pytorch_lightning

        judge = self

        class InTime(pytorch_lightning.Callback):
            def on_train_start(self, trainer: Any, module: Any) -> None:
                judge.started = time.process_time()

            def on_train_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
                gone = judge.elapsed / judge.request["seconds"]
                declined = 1 - (1 - SMALLEST_RATE) * max(0.0, 1 - (1 - min(1, gone)) / DECLINE)
                for group in trainer.optimizers[0].param_groups:
                    group["lr"] = rate * min((judge.steps + 1) / WARM_UP, declined)

            def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
                judge.steps += 1
                gone = judge.elapsed / judge.request["seconds"]
                if gone * 10 >= judge.looks + 1:
                    judge.look(module)
                    judge.looks = int(gone * 10)
                trainer.should_stop = gone >= 1

        return InTime()

    @property
    def elapsed(self) -> float:
        return time.process_time() - self.started - self.paused

    def look(self, module: Any) -> None:
        begin = time.process_time()
        some = self.origins("validation", JUDGED)
        loss = float(((self.predicted(module, some) - self.came(some)) ** 2).mean())
        if loss < self.best:
            self.best, self.weights = loss, copy.deepcopy(module.state_dict())
        self.paused += time.process_time() - begin

    def origins(self, part: str, most: int) -> NDArray[np.int64]:
        train, validation, test = self.request["rows"]
        begin, end = {
            "validation": (train, train + validation),
            "test": (train + validation, train + validation + test),
        }[part]
        count = end - self.request["horizon"] + 1 - begin
        return begin + evenly(count, most)

    def came(self, origins: NDArray[np.int64]) -> Floats:
        return self.values[origins[:, None] + np.arange(self.request["horizon"])]

    def predicted(self, module: Any, origins: NDArray[np.int64]) -> Floats:
        """(n, horizon, targets) of origins (n,)."""
        import torch

        was, found = module.training, []
        module.eval()
        with torch.no_grad():
            for some in np.array_split(origins, max(1, len(origins) // BLOCK)):
                past = self.values[some[:, None] + np.arange(-self.context, 0)]  # (n, context, 7)
                rows = torch.from_numpy(past).transpose(1, 2).flatten(0, 1)
                told = self.predict(module, rows[..., None])
                found.append(told.reshape(len(some), past.shape[2], -1).transpose(1, 2))
        module.train(was)
        return torch.cat(found).numpy()

    def end(self, module: Any) -> dict[str, Any]:
        """Predict with the best weights; what there is to tell."""
        seconds = self.elapsed
        self.look(module)
        module.load_state_dict(self.weights)
        for part, most in (("validation", JUDGED), ("test", 10**6)):
            keep(self.request, part, self.predicted(module, self.origins(part, most)))
        parameters = sum(each.numel() for each in module.parameters())
        return {"steps": self.steps, "seconds": seconds, "parameters": parameters}


def trainer(judge: Judge, rate: float) -> dict[str, Any]:
    """Of Lightning's Trainer."""
    return {
        "accelerator": "cpu",
        "devices": 1,
        "barebones": True,
        "callbacks": [judge.callback(rate)],
        "max_time": timedelta(hours=9),
    }


def neuralforecast_side(request: dict[str, Any], setting: dict[str, Any]) -> dict[str, Any]:
    import pandas
    import torch
    from neuralforecast import models
    from neuralforecast.tsdataset import TimeSeriesDataset

    setting = dict(setting)
    name, context = setting.pop("model"), setting.pop("context")
    rate = setting.pop("learning_rate", 1e-3)

    def predict(model: Any, past: Tensor) -> Tensor:
        """past: (n, context, 1)."""
        mask = torch.ones_like(past)
        scaled = model.scaler.transform(x=past[:, :, None], mask=mask[:, :, None])[:, :, 0]
        told: Tensor = model._predict_step_direct_batch(scaled, mask, None, None, None, 0)
        return told[..., 0]

    judge = Judge(request, context, predict)
    model = getattr(models, name)(
        h=request["horizon"],
        input_size=context,
        max_steps=10**7,
        val_check_steps=10**7,
        learning_rate=rate,
        optimizer=torch.optim.AdamW,
        optimizer_kwargs={"fused": True},
        batch_size=PIECES,
        random_seed=SEED,
        limit_val_batches=0,
        **setting,
        **trainer(judge, rate),
    )
    # It looks through all windows of a batch's series at each step: short pieces, that hold each
    # window of training once, let it train many times as fast.
    values = judge.values[: request["rows"][0]]
    whole = context + request["horizon"] - 1 + PIECE
    first = (len(values) - whole) % PIECE
    starts = range(first, len(values) - whole + 1, PIECE)
    pieces = np.stack([target[at : at + whole] for target in values.T for at in starts])
    frame = pandas.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(pieces)), whole),
            "ds": np.tile(np.arange(whole), len(pieces)),
            "y": pieces.ravel(),
        }
    )
    model.fit(TimeSeriesDataset.from_df(frame)[0])
    return judge.end(model)


def darts_side(request: dict[str, Any], setting: dict[str, Any]) -> dict[str, Any]:
    import torch
    from darts import TimeSeries
    from darts.models import BlockRNNModel
    from darts.utils.data.torch_datasets.utils import PLModuleInput

    setting = dict(setting)
    context, rate = setting.pop("context"), setting.pop("learning_rate", 1e-3)

    def predict(module: Any, past: Tensor) -> Tensor:
        """past: (n, context, 1)."""
        told: Tensor = module(PLModuleInput(past_target=past)).prediction
        return told[..., 0, 0]

    judge = Judge(request, context, predict)
    model = BlockRNNModel(
        input_chunk_length=context,
        output_chunk_length=request["horizon"],
        n_epochs=10**6,
        optimizer_cls=torch.optim.AdamW,
        optimizer_kwargs={"lr": rate, "fused": True},
        random_state=SEED,
        pl_trainer_kwargs=trainer(judge, rate),
        **setting,
    )
    values = judge.values[: request["rows"][0]]
    series = [TimeSeries.from_values(np.ascontiguousarray(target)) for target in values.T]
    model.fit(series, dataloader_kwargs={"pin_memory": False})
    return judge.end(model.model)


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of the numbers below a count."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def keep(request: dict[str, Any], part: str, predictions: Floats, in_units: bool = False) -> None:
    """Predictions (windows, horizon, targets), as minute.py reads them."""
    np.savez(Path(request["out"]) / f"{part}.npz", predictions=predictions, in_units=in_units)


SIDES = {
    "gatewright": gatewright_side,
    "neuralforecast": neuralforecast_side,
    "darts": darts_side,
}


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    told = SIDES[request["side"]](request, request["setting"])
    (Path(request["out"]) / "told.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
