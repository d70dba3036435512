"""A process that fits and judges, one job at a time: JSON lines in, JSON lines out.

Run as ``python -m gatewright.comparison.worker FOLDER``. It ends when its input does, so that it
never outlives the process that started it, whatever became of that.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit, Job, Plan, Score
from gatewright.data.prepared import Prepared
from gatewright.sealed import DamagedError
from gatewright.training import DivergedError, Epoch, Model, evenly
from gatewright.training.checkpoint import save_tensors

TEST_EXAMPLES = 20_000  # at most, evenly spaced
SHOWN = {"origins": 6, "sequences": 500}  # predictions kept for the report, by the task's kind
HISTORY = 2  # horizons before an origin that the report shows, or 24 steps
BLOCK = 512


def fit(job: Job, plan: Plan, folder: RunFolder, data: Prepared, say: Any) -> Fit:
    """Fit one candidate with one setting and seed, and save it."""
    started = time.monotonic()

    def watch(epoch: Epoch) -> None:
        say({"epoch": epoch.model_dump()})

    found = Fit(
        name=job.name, candidate=job.recipe.candidate, setting=job.setting, seed=job.recipe.seed
    )
    checkpoint = folder.checkpoint_path(job.name)
    try:
        model = Model.fit(job.recipe, data, plan.stopping, checkpoint=checkpoint, watch=watch)
    except DivergedError as error:
        checkpoint.unlink(missing_ok=True)
        return found.model_copy(update={"failed": f"diverged: {error}"})
    loss, metric = judge_validation(model, data, plan)
    written = model.save(folder.model_path(job.name))
    checkpoint.unlink(missing_ok=True)
    seconds = model.epochs[-1].seconds if model.epochs else time.monotonic() - started
    return found.model_copy(
        update={
            "file": written,
            "validation_loss": loss,
            "validation_metric": metric,
            "parameters": model.parameters,
            "seconds": seconds,
            "best_epoch": model.best_epoch,
            "epochs": model.epochs,
        }
    )


def judge_validation(model: Model, data: Prepared, plan: Plan) -> tuple[float, float]:
    """The training loss and the metric on validation."""
    task = model.task
    examples = evenly(task.examples(data, "validation"), plan.stopping.validation_examples)
    prediction, batch = model.predict(data, examples), task.batch(data, examples)
    metric = task.losses(prediction, batch).nanmean().item()
    loss = task.loss(prediction, batch).item()
    if model.epochs:
        loss = model.epochs[model.best_epoch - 1].validation_loss
    return loss, metric


def score(job: Job, folder: RunFolder, data: Prepared) -> Score:
    """Judge a saved model on test: a loss for each unit, and what the report shows."""
    model = folder.model(folder.fits()[job.name])
    task = model.task
    every = task.examples(data, "test")
    examples = evenly(every, TEST_EXAMPLES)
    predictions, targets, losses = [], [], []
    seconds = 0.0
    for some in examples.split(BLOCK):
        started = time.perf_counter()
        prediction = model.predict(data, some)
        seconds += time.perf_counter() - started
        batch = task.batch(data, some)
        predictions.append(prediction)
        targets.append(batch.target)
        losses.append(task.losses(prediction, batch))
    prediction, target = torch.cat(predictions), torch.cat(targets)
    loss, units = by_unit(torch.cat(losses), torch.as_tensor(task.units(data, examples)))
    if not bool(loss.isfinite().all()):
        return _failed_score(job, "its predictions on test are not all finite")
    shown = evenly(torch.arange(len(examples)), SHOWN[task.kind])
    tensors = {
        "losses": loss,
        "units": units,
        "shown": examples[shown],
        "shown_prediction": prediction[shown],
        "shown_target": target[shown],
    }
    items, series = examples[shown], 0
    if task.kind == "origins":
        before, items = _before(data, examples[shown])
        tensors |= before
        series = len(_items(data, examples).unique())
    names = [data.items[item] for item in items.tolist()]
    written = save_tensors(folder.score_path(job.name), tensors, {"items": names})
    return Score(
        name=job.name,
        candidate=job.recipe.candidate,
        seed=job.recipe.seed,
        file=written,
        loss=loss.mean().item(),
        units=len(loss),
        series=series,
        stride=len(every) / max(1, len(examples)),
        microseconds=1e6 * seconds / max(1, len(examples)),
        measures=task.measures(prediction, target),
    )


def _items(data: Prepared, origins: Tensor) -> Tensor:
    """The number of the series that each origin is in."""
    return torch.bucketize(origins, data.bounds[:, 0].contiguous(), right=True) - 1


def _before(data: Prepared, origins: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """What a picture of some forecasts needs beside them, and the numbers of their series.

    The targets before each origin (n, history, targets), NaN where there is none; the times of
    those steps and of the horizon (n, history + horizon); what turns both into the column's units.
    """
    layout, item = data.layout, _items(data, origins)
    history = min(layout.context, max(HISTORY * layout.horizon, 24))
    rows = origins[:, None] + torch.arange(-history, layout.horizon)
    start = data.bounds[item, 0][:, None]
    seen = data.target[rows[:, :history].clamp(min=0)]
    seen = seen.where((rows[:, :history] >= start)[..., None], torch.nan)
    found = {
        "shown_before": seen,
        "shown_time": data.time[rows.maximum(start)],
        "shown_center": data.center[item],
        "shown_scale": data.scale[item],
    }
    return found, item


def _failed_score(job: Job, reason: str) -> Score:
    return Score(name=job.name, candidate=job.recipe.candidate, seed=job.recipe.seed, failed=reason)


def by_unit(losses: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss of each unit (units,) in float64, and the units in ascending order."""
    known = ~losses.isnan()
    found, index = units[known].unique(sorted=True, return_inverse=True)
    total = torch.zeros(len(found), dtype=torch.float64)
    total.index_add_(0, index, losses[known].double())
    return total / torch.bincount(index, minlength=len(found)), found


def _serve(folder: RunFolder, requests: SimpleQueue[str], out: Any) -> None:
    plan = folder.plan()
    assert plan is not None, "a plan is written before workers start"
    data = folder.prepared()

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    while True:
        job = Job.model_validate_json(requests.get())
        try:
            if job.score:
                say({"score": score(job, folder, data).model_dump()})
            else:
                say({"fit": fit(job, plan, folder, data, say).model_dump()})
        except OSError as error:
            say({"stop": f"{error.filename or folder.path}: {error.strerror}"})
        except DamagedError as error:
            say({"stop": str(error)})
        except Exception as error:  # noqa: BLE001, the candidate's fault; the others go on
            say({"failed": f"{type(error).__name__}: {error}"})


def main() -> None:
    torch.set_num_threads(1)
    # Whatever a library prints is not to be taken for an answer.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    requests: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)  # whoever asked is gone

    threading.Thread(target=listen, daemon=True).start()
    _serve(RunFolder(Path(sys.argv[1])), requests, out)


if __name__ == "__main__":
    main()
