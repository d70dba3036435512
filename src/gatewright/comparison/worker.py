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
from gatewright.models.judging import TEST_EXAMPLES, TIMED, answer, judge_validation, to_show
from gatewright.sealed import DamagedError
from gatewright.training import DivergedError, Epoch, evenly
from gatewright.training.checkpoint import save_tensors

Say = Callable[[dict[str, Any]], None]


def fit(job: Job, plan: Plan, folder: RunFolder, data: Prepared, say: Say) -> Fit:
    """Fit one candidate with one setting and seed, and save it."""
    started = time.monotonic()

    def watch(epoch: Epoch) -> None:
        say({"epoch": epoch.model_dump()})

    fitted = Fit(
        name=job.name, candidate=job.recipe.candidate, setting=job.setting, seed=job.recipe.seed
    )
    checkpoint = folder.checkpoint_path(job.name)
    try:
        model = fit_model(job.recipe, data, plan.stopping, checkpoint, watch)
    except DivergedError as error:
        return fitted.model_copy(update={"failed": f"diverged: {error}"})
    loss, metric = judge_validation(model, data, plan.stopping)
    written = model.save(folder.model_path(job.name))
    checkpoint.unlink(missing_ok=True)
    seconds = model.epochs[-1].seconds if model.epochs else time.monotonic() - started
    return fitted.model_copy(
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


def score(job: Job, folder: RunFolder, data: Prepared) -> Score:
    """Judge a saved model on test: a loss for each unit, and what the report shows."""
    model = folder.model(folder.fits()[job.name])
    every = model.task.examples.of_part(data, "test")
    answers = answer(model, data, evenly(every, TEST_EXAMPLES), TIMED)
    loss, units = answers.by_unit()
    scored = Score(name=job.name, candidate=job.recipe.candidate, seed=job.recipe.seed)
    if not bool(loss.isfinite().all()):
        reason = "its predictions on test are not all finite"
        return scored.model_copy(update={"failed": reason})
    showing = to_show(model.task, data, answers)
    tensors = {"losses": loss, "units": units, **showing.tensors}
    groups = model.task.examples.groups(data, units)
    if groups is not None:
        tensors["groups"] = groups
    written = save_tensors(folder.score_path(job.name), tensors, {"items": showing.items})
    judged = max(1, len(answers.examples))
    return scored.model_copy(
        update={
            "file": written,
            "loss": loss.mean().item(),
            "units": len(loss),
            "series": showing.series,
            "examples": len(answers.examples),
            "microseconds": 1e6 * answers.seconds / judged,
            "measures": model.task.measures(answers.prediction, answers.target),
        }
    )


def carry_out(job: Job, plan: Plan, folder: RunFolder, data: Prepared, say: Say) -> None:
    """One job, and what is said of it, as ``running.Crew`` has it."""
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
