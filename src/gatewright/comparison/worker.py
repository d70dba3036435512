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
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit, Job, Plan, Score
from gatewright.data.prepared import Prepared
from gatewright.models.fitting import fit_model
from gatewright.models.judging import TEST_EXAMPLES, TIMED, answer, measured, to_show
from gatewright.sealed import DamagedError
from gatewright.training import DivergedError, Epoch, Model, evenly
from gatewright.training.checkpoint import save_tensors

Say = Callable[[dict[str, Any]], None]


def fit(job: Job, plan: Plan, folder: RunFolder, data: Prepared, say: Say) -> Fit:
    """Fit one candidate with one setting and seed, and save it."""
    started = time.monotonic()

    def watch(epoch: Epoch) -> None:
        say({"epoch": epoch.model_dump()})

    fitted = Fit(
        name=job.name,
        candidate=job.recipe.candidate,
        setting=job.setting,
        seed=job.recipe.seed,
        asked=job.epochs,
    )
    checkpoint = folder.checkpoint_path(job.name)
    plateau = folder.plateau_path(job.plateau) if job.plateau else None
    stopping = plan.stopping.model_copy(update={"epochs": job.epochs})
    try:
        model = fit_model(job.recipe, data, stopping, checkpoint, plateau, watch)
    except DivergedError as error:
        return fitted.model_copy(update={"failed": f"diverged: {error}"})
    written = model.save(folder.model_path(job.name))
    checkpoint.unlink(missing_ok=True)
    seconds = model.epochs[-1].seconds if model.epochs else time.monotonic() - started
    return fitted.model_copy(
        update={
            "file": written,
            "validation_loss": model.validation.loss if model.validation else 0.0,
            "validation_metric": model.validation.metric if model.validation else None,
            "parameters": model.parameters,
            "seconds": seconds,
            "best_epoch": model.best_epoch,
            "epochs": model.epochs,
        }
    )


def score(job: Job, folder: RunFolder, data: Prepared) -> Score:
    """Join the seeds of a candidate and judge that on test: a loss for each unit, those of each
    seed, and what the report shows."""
    fits = folder.fits()
    models = [folder.fitted(fits[name]) for name in job.fits]
    model = Model.joined(models, data) if len(models) > 1 else models[0]
    every = model.task.examples.of_part(data, "test")
    examples = evenly(every, TEST_EXAMPLES)
    answers = answer(model, data, examples, TIMED)
    loss, units = answers.by_unit()
    scored = Score(name=job.name, fits=job.fits)
    if not bool(loss.isfinite().all()):
        reason = "its predictions on test are not all finite"
        return scored.model_copy(update={"failed": reason})
    alone = {name: folder.fitted(fits[name]) for name in job.alone}
    each = {
        name: answers.by_unit()[0] if one is model else answer(one, data, examples).by_unit()[0]
        for name, one in (dict(zip(job.fits, models, strict=True)) | alone).items()
    }
    showing = to_show(model.task, data, answers)
    tensors = {
        "losses": loss,
        "units": units,
        "seeds": torch.stack([each[name] for name in job.fits]),
        **showing.tensors,
    }
    groups = model.task.examples.groups(data, units)
    if groups is not None:
        tensors["groups"] = groups
    judged = max(1, len(answers.examples))
    return scored.model_copy(
        update={
            "file": save_tensors(folder.score_path(job.name), tensors, {"items": showing.items}),
            "model": model.save(folder.model_path(job.name)),
            "loss": loss.mean().item(),
            "seeds": {name: losses.mean().item() for name, losses in each.items()},
            "units": len(loss),
            "by_series": model.task.examples.by_series(data, examples),
            "series": showing.series,
            "examples": len(answers.examples),
            "microseconds": 1e6 * answers.seconds / judged,
            "measures": measured(model.task, data, answers),
        }
    )


def carry_out(job: Job, plan: Plan, folder: RunFolder, data: Prepared, say: Say) -> None:
    """One job, and what is said of it, as ``running.Crew`` has it."""
    try:
        if job.fits:
            say({"score": score(job, folder, data).model_dump()})
        else:
            say({"fit": fit(job, plan, folder, data, say).model_dump()})
    except OSError as error:
        say({"stop": f"{error.filename or folder.path}: {error.strerror}"})
    except DamagedError as error:
        say({"stop": str(error)})
    except Exception as error:  # noqa: BLE001, the candidate's fault; the others go on
        say({"failed": f"{type(error).__name__}: {error}"})


def _serve(folder: RunFolder, requests: SimpleQueue[str], out: Any) -> None:
    plan = folder.plan()
    assert plan is not None, "a plan is written before workers start"
    data = folder.prepared()

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    while True:
        carry_out(Job.model_validate_json(requests.get()), plan, folder, data, say)


def main() -> None:
    torch.set_num_threads(1)
    # Whatever a library prints must not be taken for an answer.
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
