"""From what was judged on test to the verdict and the leaderboard; and reading both again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from gatewright import tasks
from gatewright.comparison import sentences
from gatewright.comparison.deciding import decide
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Plan, Row, Score
from gatewright.comparison.running import chosen, finalists, finished
from gatewright.comparison.verdict import Verdict
from gatewright.errors import InputError
from gatewright.sealed import DamagedError


def conclude(folder: RunFolder, plan: Plan) -> tuple[Verdict, list[Row]]:
    """What ``outcome`` gives, written to the folder too."""
    verdict, rows = outcome(folder, plan)
    folder.write_outcome(verdict, rows)
    return verdict, rows


def outcome(folder: RunFolder, plan: Plan) -> tuple[Verdict, list[Row]]:
    """The verdict of a finished run, and its leaderboard, best first.

    The leaderboard follows from plan, fits, scores and verdict; so does the verdict from the other
    three, where its file is missing or damaged.

    Raises InputError where something is left to fit or to judge, or every candidate failed.
    """
    fits, judged = folder.fits(), folder.scores()
    if not finished(plan, fits, judged):
        raise InputError(
            f"the comparison in {folder.path} is not finished: give its command again and it goes "
            f"on ({plan.repeated_in(folder.path)})"
        )
    scores = _scores(plan, fits, judged)
    try:
        verdict = folder.verdict()
    except DamagedError:
        verdict = None
    if verdict is None:
        verdict = _decide(folder, plan, fits, scores)
        rows = _rows(plan, fits, scores, verdict)
        if failed := {row.title: row.failed for row in rows if row.failed}:
            text = f"{verdict.text} {sentences.left_out(failed)}"
            verdict = verdict.model_copy(update={"text": text})
    return verdict, _rows(plan, fits, scores, verdict)


def _decide(
    folder: RunFolder, plan: Plan, fits: Mapping[str, Fit], scores: Mapping[str, Sequence[Score]]
) -> Verdict:
    if not any(_whole(of_candidate) for of_candidate in scores.values()):
        reasons = {fit.failed for fit in fits.values() if fit.failed}
        raise InputError(
            f"no candidate could be fitted and judged ({'; '.join(sorted(reasons)[:3])}): "
            f"{folder.path / 'worker.log'} may say more"
        )
    losses, units, groups = _losses(folder, scores)
    task = tasks.get(plan.layout.task)
    return decide(
        losses,
        unit=task.examples.unit,
        overlapping=task.examples.overlapping,
        horizon=task.examples.overlap(plan.layout, units),
        baselines=[candidate.name for candidate in plan.candidates if candidate.baseline],
        metric=task.metric,
        titles={candidate.name: candidate.title for candidate in plan.candidates},
        groups=groups,
    )


def _scores(
    plan: Plan, fits: dict[str, Fit], judged: Mapping[str, Score]
) -> dict[str, list[Score]]:
    """Candidate -> its scores, in the order of seeds."""
    scores: dict[str, list[Score]] = {}
    for job in finalists(plan, fits):
        scores.setdefault(job.recipe.candidate, []).append(judged[job.name])
    return scores


def _whole(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if not score.failed]


def _losses(
    folder: RunFolder, scores: Mapping[str, Sequence[Score]]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64], list[int] | None]:
    """Candidate -> (seeds, units), of the units that every candidate has; these; their groups."""
    read = {
        name: [folder.kept_score(score)[0] for score in _whole(of_candidate)]
        for name, of_candidate in scores.items()
        if _whole(of_candidate)
    }
    every = [entry["units"].numpy() for entries in read.values() for entry in entries]
    units = reduce(np.intersect1d, every)
    losses = {}
    for name, entries in read.items():
        kept = [
            entry["losses"].numpy()[np.isin(entry["units"].numpy(), units)] for entry in entries
        ]
        losses[name] = np.stack(kept)
    one = next(iter(read.values()))[0]
    if "groups" not in one:
        return losses, units, None
    return losses, units, one["groups"].numpy()[np.isin(one["units"].numpy(), units)].tolist()


def _rows(
    plan: Plan, fits: Mapping[str, Fit], scores: Mapping[str, Sequence[Score]], verdict: Verdict
) -> list[Row]:
    settings = chosen(plan, dict(fits))
    judged = {candidate.name: candidate for candidate in verdict.candidates}
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
