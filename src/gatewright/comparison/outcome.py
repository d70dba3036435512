"""From what was judged on test to the verdict and the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from gatewright import tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Plan, Row, Score
from gatewright.comparison.running import chosen, finalists
from gatewright.comparison.verdict import Verdict, decide
from gatewright.errors import InputError
from gatewright.training.checkpoint import load_tensors


def conclude(folder: RunFolder, plan: Plan) -> tuple[Verdict, list[Row]]:
    """The statistics of a run whose fits are all judged, written to its folder too.

    Raises InputError where every candidate failed.
    """
    scores = _scores(folder, plan)
    if not any(_whole(found) for found in scores.values()):
        reasons = {fit.failed for fit in folder.fits().values() if fit.failed}
        raise InputError(
            f"no candidate could be fitted and judged ({'; '.join(sorted(reasons)[:3])}): "
            f"{folder.path / 'worker.log'} may say more"
        )
    losses = _losses(folder, scores)
    task = tasks.get(plan.layout.task)
    verdict = decide(
        losses,
        kind=task.kind,  # type: ignore[arg-type]
        horizon=_overlap(plan, scores) if task.kind == "origins" else 1,
        baselines=[found.name for found in plan.candidates if found.baseline],
        metric=task.metric,
        titles={found.name: found.title for found in plan.candidates},
    )
    rows = _rows(plan, folder.fits(), scores, verdict)
    folder.write_outcome(verdict, rows)
    return verdict, rows


def _scores(folder: RunFolder, plan: Plan) -> dict[str, list[Score]]:
    """Candidate -> its scores, in the order of seeds."""
    held = folder.scores()
    found: dict[str, list[Score]] = {}
    for job in finalists(plan, folder.fits()):
        if job.name in held:
            found.setdefault(job.recipe.candidate, []).append(held[job.name])
    return found


def _whole(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if not score.failed]


def _losses(
    folder: RunFolder, scores: Mapping[str, Sequence[Score]]
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Candidate -> (seeds, units), of the units that every candidate has."""
    read = {
        name: [load_tensors(folder.score_path(score.name))[0] for score in _whole(found)]
        for name, found in scores.items()
        if _whole(found)
    }
    every = [entry["units"].numpy() for entries in read.values() for entry in entries]
    units = reduce(np.intersect1d, every)
    losses = {}
    for name, entries in read.items():
        kept = [
            entry["losses"].numpy()[np.isin(entry["units"].numpy(), units)] for entry in entries
        ]
        losses[name] = np.stack(kept)
    return losses


def _overlap(plan: Plan, scores: Mapping[str, Sequence[Score]]) -> int:
    """How many origins in a row have forecasts that share a step, where some may be skipped."""
    stride = max(score.stride for found in scores.values() for score in found)
    return max(1, math.ceil(plan.layout.horizon / stride))


def _rows(
    plan: Plan, fits: Mapping[str, Fit], scores: Mapping[str, Sequence[Score]], verdict: Verdict
) -> list[Row]:
    settings = chosen(plan, dict(fits))
    judged = {found.name: found for found in verdict.candidates}
    rows = []
    for candidate in plan.candidates:
        mine = [fit for fit in fits.values() if fit.candidate == candidate.name]
        if candidate.name not in judged:
            reasons = [fit.failed for fit in mine if fit.failed]
            reasons += [score.failed for score in scores.get(candidate.name, []) if score.failed]
            rows.append(_failed_row(candidate, reasons))
            continue
        setting = settings[candidate.name]
        final = [fit for fit in mine if fit.setting == setting and not fit.failed]
        rows.append(_row(plan, candidate, setting, final, _whole(scores[candidate.name]), verdict))
    return sorted(rows, key=lambda row: row.rank or len(rows) + 1)


def _failed_row(candidate: Candidate, reasons: Sequence[str]) -> Row:
    return Row(
        name=candidate.name,
        title=candidate.title,
        baseline=candidate.baseline,
        failed=reasons[0] if reasons else "not fitted",
    )


def _row(
    plan: Plan,
    candidate: Candidate,
    setting: int,
    fits: Sequence[Fit],
    scores: Sequence[Score],
    verdict: Verdict,
) -> Row:
    judged = verdict.candidate(candidate.name)
    low, high = judged.interval or (None, None)
    skill_low, skill_high = judged.skill_interval or (None, None)
    numbers = {
        name: [score.measures[name] for score in scores]
        for name, value in scores[0].measures.items()
        if isinstance(value, float)
    }
    used = plan.settings[setting]
    return Row(
        name=candidate.name,
        title=candidate.title,
        baseline=candidate.baseline,
        rank=judged.rank,
        loss=judged.loss,
        low=low,
        high=high,
        skill=judged.skill,
        skill_low=skill_low,
        skill_high=skill_high,
        among_best=candidate.name in verdict.confidence_set,
        measures={name: float(np.mean(values)) for name, values in numbers.items()},
        seeds=len(scores),
        setting=used if candidate.trained else None,
        hidden_size=candidate.hidden_sizes[setting] if candidate.hidden_sizes else 0,
        parameters=fits[0].parameters,
        train_seconds=float(np.mean([fit.seconds for fit in fits])),
        microseconds=float(np.mean([score.microseconds for score in scores])),
        validation_loss=min(
            (fit.validation_loss for fit in fits if fit.validation_loss is not None), default=None
        ),
    )
