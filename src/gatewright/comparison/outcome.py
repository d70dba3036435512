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
from gatewright.comparison.verdict import BY_SERIES, Verdict
from gatewright.errors import InputError
from gatewright.sealed import DamagedError
from gatewright.training.loop import still_improving

_Losses = dict[str, NDArray[np.float64]]


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
    scores = {job.name: judged[job.name] for job in finalists(plan, fits)}
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
    folder: RunFolder, plan: Plan, fits: Mapping[str, Fit], scores: Mapping[str, Score]
) -> Verdict:
    if not _whole(scores):
        reasons = {fit.failed for fit in fits.values() if fit.failed}
        raise InputError(
            f"no candidate could be fitted and judged ({'; '.join(sorted(reasons)[:3])}): "
            f"{folder.path / 'worker.log'} may say more"
        )
    losses, shipped, units, groups = _losses(folder, scores)
    task = tasks.get(plan.layout.task)
    by_series = any(score.by_series for score in scores.values())
    return decide(
        losses,
        shipped,
        unit=BY_SERIES if by_series else task.examples.unit_of("test"),
        overlapping=task.examples.overlapping and not by_series,
        horizon=1 if by_series else task.examples.overlap(plan.layout, units),
        baselines=[candidate.name for candidate in plan.candidates if candidate.baseline],
        metric=task.deciding(plan.options).decides,
        titles={candidate.name: candidate.title for candidate in plan.candidates},
        groups=groups,
    )


def _losses(
    folder: RunFolder, scores: Mapping[str, Score]
) -> tuple[_Losses, _Losses, NDArray[np.int64], list[int] | None]:
    """Candidate -> (seeds, units), of each seed alone and of the units that every candidate has;
    candidate -> (units,), of the joined model; these units; their groups."""
    read = {name: folder.kept_score(score)[0] for name, score in _whole(scores).items()}
    units = reduce(np.intersect1d, [entry["units"].numpy() for entry in read.values()])
    losses, shipped = {}, {}
    for name, entry in read.items():
        kept = np.isin(entry["units"].numpy(), units)
        losses[name], shipped[name] = entry["seeds"].numpy()[:, kept], entry["losses"].numpy()[kept]
    one = next(iter(read.values()))
    if "groups" not in one:
        return losses, shipped, units, None
    return (
        losses,
        shipped,
        units,
        one["groups"].numpy()[np.isin(one["units"].numpy(), units)].tolist(),
    )


def _whole(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: score for name, score in scores.items() if not score.failed}


def _rows(
    plan: Plan, fits: Mapping[str, Fit], scores: Mapping[str, Score], verdict: Verdict
) -> list[Row]:
    settings = chosen(plan, dict(fits))
    judged = {candidate.name: candidate for candidate in verdict.candidates}
    rows = []
    for candidate in plan.candidates:
        if candidate.name not in judged:
            reasons = [fit.failed for fit in fits.values() if fit.candidate == candidate.name]
            if candidate.name in scores:
                reasons.append(scores[candidate.name].failed)
            rows.append(_failed_row(candidate, [reason for reason in reasons if reason]))
            continue
        setting, score = settings[candidate.name], scores[candidate.name]
        joined = [fits[name] for name in score.fits]
        rows.append(_row(plan, candidate, setting, joined, score, verdict))
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
    joined: Sequence[Fit],
    score: Score,
    verdict: Verdict,
) -> Row:
    judged = verdict.candidate(candidate.name)
    low, high = judged.interval or (None, None)
    skill_low, skill_high = judged.skill_interval or (None, None)
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
        among_best=candidate.name in verdict.close,
        measures=score.measures.overall,
        seeds=len(joined),
        each=score.seeds if candidate.trained else {},
        left_out=tuple(name for name in score.seeds if name not in score.fits),
        improving=2 * sum(still_improving(fit.epochs, plan.stopping) for fit in joined)
        > len(joined),
        setting=used if candidate.trained else None,
        hidden_size=candidate.hidden_sizes[setting] if candidate.hidden_sizes else 0,
        parameters=joined[0].parameters,
        train_seconds=float(np.mean([fit.seconds for fit in joined])),
        microseconds=score.microseconds,
        validation_loss=min(
            (fit.validation_loss for fit in joined if fit.validation_loss is not None),
            default=None,
        ),
    )
