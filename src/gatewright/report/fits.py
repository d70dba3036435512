"""One fit as a comparison with one candidate, so that the same page shows it."""

from __future__ import annotations

from pathlib import Path

from gatewright import baselines, tasks
from gatewright.comparison.deciding import decide
from gatewright.comparison.records import Candidate, Fit, Plan, Row, Rung, Score, fit_name
from gatewright.comparison.verdict import BY_SERIES, Placing, Verdict
from gatewright.data.prepared import Preparation
from gatewright.errors import InputError, argument
from gatewright.models.folder import (
    Comparison,
    FitRecord,
    Kept,
    read_fit,
    read_predictor,
    read_shown,
)
from gatewright.models.judging import Judged
from gatewright.report.outcome import Outcome
from gatewright.report.shown import shown_in
from gatewright.training import Model
from gatewright.training.checkpoint import Tensors
from gatewright.wording.numbers import counted, interval, number


def outcome_of_fit(folder: Path) -> Outcome:
    """Everything of a finished fit that its report shows.

    Raises InputError where it is not finished, keeps nothing to show, or a file is damaged.
    """
    record = read_fit(folder)
    if not record.finished:
        raise InputError(
            f"the fit in {folder} is not finished: give its command again, with "
            f"{argument('out', str(folder))}, and it goes on"
        )
    if record.comparison is not None:
        return _made_anew(record, record.comparison, read_predictor(folder, record).preparation)
    kept = record.kept
    judged = None if kept is None else record.test or record.validation
    if kept is None or judged is None:
        raise InputError(
            f"{folder} keeps no predictions that a report could show, as what an estimator saves: "
            "make one with gatewright fit FILE"
        )
    model = read_predictor(folder, record).model
    tensors, beside = read_shown(folder, kept)
    plan = _plan(record)
    (candidate,) = plan.candidates
    fit, score = _fit(record, model), _score(record, kept, judged)
    verdict = _verdict(plan, kept, judged, tensors)
    return Outcome(
        plan=plan,
        verdict=verdict,
        rows=[_row(record, fit, score, candidate, verdict)],
        fits={fit.name: fit},
        scores={score.name: score},
        preparation=model.preparation,
        shown={candidate.name: shown_in(tensors, beside, plan.layout, model.preparation)},
        part=kept.part,
        alone=True,
    )


def _made_anew(record: FitRecord, comparison: Comparison, preparation: Preparation) -> Outcome:
    """Of a model that was not judged itself, with the measures of its like."""
    plan = _plan(record)
    (candidate,) = plan.candidates
    fit = Fit(name="", candidate=candidate.name, setting=0, seed=plan.seeds[0])
    score = Score(
        name=candidate.name,
        loss=comparison.judged.loss,
        units=comparison.judged.units,
        series=comparison.series,
        examples=comparison.examples,
        microseconds=comparison.microseconds,
        measures=comparison.judged.measures,
    )
    verdict = _as_told(plan, comparison)
    return Outcome(
        plan=plan,
        verdict=verdict,
        rows=[_row(record, fit, score, candidate, verdict)],
        fits={},
        scores={score.name: score},
        preparation=preparation,
        shown={},
        alone=True,
        comparison=comparison,
    )


def _as_told(plan: Plan, comparison: Comparison) -> Verdict:
    """What a comparison said of the one candidate."""
    examples, judged = tasks.get(plan.layout.task).examples, comparison.judged
    (candidate,) = plan.candidates
    placing = Placing(
        name=candidate.name,
        title=candidate.title,
        baseline=candidate.baseline,
        seeds=max(1, len(comparison.epochs)),
        rank=1,
        loss=judged.loss,
        interval=comparison.interval,
        skill=None,
        skill_interval=None,
    )
    return Verdict(
        unit=examples.unit,
        overlapping=examples.overlapping,
        metric=judged.metric,
        units=judged.units,
        groups=None,
        horizon=1,
        level=comparison.level,
        comparable=True,
        candidates=(placing,),
        against_baseline=(),
        among_networks=(),
        close=(candidate.name,),
        best=candidate.name,
        best_recurrent=None if candidate.baseline else candidate.name,
        best_baseline=candidate.name if candidate.baseline else None,
        recommended=candidate.name,
        seeds_unknown=(),
        text=comparison.text,
    )


def _plan(record: FitRecord) -> Plan:
    recipe = record.recipe
    name, baseline = recipe.candidate, recipe.candidate in baselines.names()
    kind = baselines.get(name) if baseline else None
    candidate = Candidate(
        name=name,
        title=name if kind is None else kind.title,
        baseline=baseline,
        trained=kind is None or issubclass(kind, baselines.Trained),
        settings=(0,),
        hidden_sizes=() if baseline else (recipe.hidden_size,),
        parameters=() if baseline else (record.parameters,),
    )
    return Plan(
        gatewright=record.gatewright,
        source=record.source,
        fingerprint=record.fingerprint,
        layout=record.layout,
        guesses=record.guesses,
        candidates=(candidate,),
        settings=(recipe.setting,),
        seeds=(recipe.seed,),
        stopping=record.stopping,
        rungs=(Rung(epochs=record.stopping.epochs, settings=1),),
        options=recipe.options,
        shares=record.shares,
        rows=record.rows,
        command=record.command,
    )


def _fit(record: FitRecord, model: Model) -> Fit:
    recipe = record.recipe
    best = model.epochs[model.best_epoch - 1].validation_loss if model.epochs else None
    return Fit(
        name=fit_name(recipe.candidate, 0, recipe.seed),
        candidate=recipe.candidate,
        setting=0,
        seed=recipe.seed,
        validation_loss=best,
        parameters=record.parameters,
        seconds=record.seconds,
        best_epoch=model.best_epoch,
        epochs=model.epochs,
    )


def _score(record: FitRecord, kept: Kept, judged: Judged) -> Score:
    recipe = record.recipe
    return Score(
        name=recipe.candidate,
        fits=(fit_name(recipe.candidate, 0, recipe.seed),),
        loss=judged.loss,
        units=judged.units,
        series=kept.series,
        examples=kept.examples,
        microseconds=kept.microseconds,
        measures=judged.measures,
    )


def _verdict(plan: Plan, kept: Kept, judged: Judged, tensors: Tensors) -> Verdict:
    """The interval of the one loss, and a sentence: there is nothing to decide."""
    examples = tasks.get(plan.layout.task).examples
    (candidate,) = plan.candidates
    by_series = judged.by_series
    verdict = decide(
        {candidate.name: tensors["losses"].numpy()[None]},
        unit=BY_SERIES if by_series else examples.unit_of(kept.part),
        overlapping=examples.overlapping and not by_series,
        horizon=1 if by_series else examples.overlap(plan.layout, tensors["units"].numpy()),
        baselines=[candidate.name] if candidate.baseline else [],
        groups=tensors["groups"].tolist() if "groups" in tensors else None,
        metric=judged.metric,
        titles={candidate.name: candidate.title},
    )
    placing = verdict.candidate(candidate.name)
    ends = interval(*(placing.interval or (None, None)))
    basis = counted(verdict.units, verdict.unit)
    level = f"{100 * verdict.confidence:g}% interval {ends}, " if ends else ""
    seen = "" if kept.part == "test" else " Validation also told when to stop: test may be worse."
    text = (
        f"The {judged.metric} of {candidate.title} on {kept.part} is {number(placing.loss)} "
        f"({level}{basis}).{seen} Nothing was compared: gatewright compare tells whether another "
        "does better."
    )
    return verdict.model_copy(update={"text": text})


def _row(record: FitRecord, fit: Fit, score: Score, candidate: Candidate, verdict: Verdict) -> Row:
    placing = verdict.candidate(candidate.name)
    low, high = placing.interval or (None, None)
    return Row(
        name=candidate.name,
        title=candidate.title,
        baseline=candidate.baseline,
        rank=1,
        loss=placing.loss,
        low=low,
        high=high,
        among_best=True,
        measures=score.measures.overall,
        seeds=1,
        setting=record.recipe.setting if candidate.trained else None,
        hidden_size=record.recipe.hidden_size,
        parameters=record.parameters,
        train_seconds=record.seconds,
        microseconds=score.microseconds,
        validation_loss=fit.validation_loss,
    )
