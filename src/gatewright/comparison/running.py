"""A plan carried out: fits, the choice of settings, then test, opened once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol, Self

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Job, Plan, Rung, Score, fit_name
from gatewright.training import Epoch, Recipe

JUDGING = "judging on test"  # the title of the last stage, of a job a candidate
LEAST_GAIN = 0.1  # over an answer that looks at nothing, of the best seed's: less is not learned


class Progress:
    """The events of a running comparison; a terminal or a page overrides those it shows."""

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        """The plan is made; nothing was fitted yet, at least not by this run."""

    def stage(self, title: str, jobs: int, done: int) -> None:
        """A stage begins: so many jobs, so many of them done by an earlier run."""

    def epoch(self, job: Job, epoch: Epoch) -> None:
        """An epoch of a fit ended."""

    def fitted(self, fit: Fit) -> None:
        """A fit ended, well or not."""

    def scored(self, score: Score) -> None:
        """A fit was judged on test."""

    def end(self) -> None:
        """Nothing more comes, whatever the reason."""


Hear = Callable[[Job, dict[str, Any]], None]


class Crew(Protocol):
    """Who carries out jobs: whatever fits and judges in the folder of a run, as ``worker`` does.

    A run enters it once there is something to do, and leaves it at the end, come what may.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def run(self, jobs: Iterable[Job], hear: Hear) -> None:
        """Carry out jobs, in whatever order; ``hear`` gets each message and its job.

        {"epoch": ...} tells of one that ended. The last message of a job is {"fit": ...},
        {"score": ...} or {"failed": reason}; {"stop": reason} is one that no other job would
        survive either.
        """


def run(folder: RunFolder, plan: Plan, crew: Crew, progress: Progress) -> None:
    """Fit and judge whatever of the plan is not done yet.

    Raises OSError where the folder cannot be written any more.
    """
    with crew as workers:
        for title, jobs in stages(plan, folder.fits):
            _carry_out(title, jobs, folder.fits(), workers, folder, progress)
        final = finalists(plan, folder.fits())
        _carry_out(JUDGING, final, folder.scores(), workers, folder, progress)


def stages(plan: Plan, fits: Callable[[], dict[str, Fit]]) -> Iterator[tuple[str, list[Job]]]:
    """What there is to fit, in stages of a name, each found from the fits of those before.

    A search by successive halving (Jamieson and Talwalkar 2016): every setting of every trained
    candidate for a few epochs with the first seed, the better ones for longer; then the best one
    with the other seeds.
    """
    for number in range(len(plan.rungs)):
        title = "trying settings" if number == 0 else "the better settings, longer"
        yield title, _rung(plan, fits(), number)
    yield "more seeds", _repeats(plan, fits())


def finished(plan: Plan, fits: dict[str, Fit], scores: dict[str, Score]) -> bool:
    """Whether nothing of a plan is left to fit or to judge."""
    for _, jobs in stages(plan, lambda: fits):
        if not all(job.name in fits for job in jobs):
            return False
    return all(job.name in scores for job in finalists(plan, fits))


def _carry_out(
    title: str,
    jobs: Sequence[Job],
    done: Collection[str],
    workers: Crew,
    folder: RunFolder,
    progress: Progress,
) -> None:
    left = [job for job in jobs if job.name not in done]
    progress.stage(title, len(jobs), len(jobs) - len(left))

    def hear(job: Job, message: dict[str, Any]) -> None:
        if "stop" in message:
            raise OSError(message["stop"])
        if "epoch" in message:
            progress.epoch(job, Epoch.model_validate(message["epoch"]))
        elif job.fits:
            score = _score(job, message)
            folder.add_score(score)
            progress.scored(score)
        else:
            fit = _fit(job, message)
            folder.add_fit(fit)
            progress.fitted(fit)

    workers.run(left, hear)


def _fit(job: Job, message: dict[str, Any]) -> Fit:
    if "fit" in message:
        return Fit.model_validate(message["fit"])
    return Fit(
        name=job.name,
        candidate=job.recipe.candidate,
        setting=job.setting,
        seed=job.recipe.seed,
        asked=job.epochs,
        failed=message["failed"],
    )


def _score(job: Job, message: dict[str, Any]) -> Score:
    if "score" in message:
        return Score.model_validate(message["score"])
    return Score(name=job.name, fits=job.fits, failed=message["failed"])


def job(plan: Plan, candidate: Candidate, setting: int, seed: int, rung: Rung | None = None) -> Job:
    """One fit of a plan; of the whole length, or of a rung."""
    chosen = plan.settings[setting]
    recipe = Recipe(
        candidate=candidate.name,
        setting=chosen,
        hidden_size=candidate.hidden_sizes[setting] if candidate.hidden_sizes else 0,
        seed=seed,
        options=plan.options,
    )
    last = plan.rungs[-1]
    rung = rung or last
    whole = fit_name(candidate.name, setting, seed)
    return Job(
        name=whole if rung == last else fit_name(candidate.name, setting, seed, rung.epochs),
        recipe=recipe,
        setting=setting,
        epochs=rung.epochs,
        plateau=whole if len(plan.rungs) > 1 and seed == plan.seeds[0] else "",
    )


def _rung(plan: Plan, fits: dict[str, Fit], number: int) -> list[Job]:
    """The fits of one length, in turns; with the first those that need no search, before all."""
    first, rung = plan.seeds[0], plan.rungs[number]
    trained = [candidate for candidate in plan.candidates if candidate.trained]
    trained.sort(key=lambda candidate: not candidate.baseline)
    jobs = []
    if number == 0:
        fitted = [candidate for candidate in plan.candidates if not candidate.trained]
        jobs = [job(plan, one, setting, first) for one in fitted for setting in one.settings]
        better = {candidate.name: list(candidate.settings) for candidate in trained}
    else:
        before = plan.rungs[number - 1].epochs
        better = {
            candidate.name: ranked(plan, fits, candidate.name, before)[: rung.settings]
            for candidate in trained
        }
    most = max((len(settings) for settings in better.values()), default=0)
    for place in range(most):
        jobs += [
            job(plan, candidate, better[candidate.name][place], first, rung)
            for candidate in trained
            if place < len(better[candidate.name])
        ]
    return jobs


def ranked(plan: Plan, fits: dict[str, Fit], candidate: str, epochs: int) -> list[int]:
    """The settings of a candidate after so many epochs, the lowest validation loss first."""
    mine = [
        fit
        for fit in fits.values()
        if (fit.candidate, fit.seed, fit.asked) == (candidate, plan.seeds[0], epochs)
        and not fit.failed
    ]
    return [fit.setting for fit in sorted(mine, key=lambda fit: (fit.validation_loss, fit.setting))]


def chosen(plan: Plan, fits: dict[str, Fit]) -> dict[str, int]:
    """The number of the setting with the lowest validation loss, of each candidate with one."""
    whole = plan.rungs[-1].epochs
    best = {one.name: ranked(plan, fits, one.name, whole) for one in plan.candidates}
    return {name: settings[0] for name, settings in best.items() if settings}


def _repeats(plan: Plan, fits: dict[str, Fit]) -> list[Job]:
    """The chosen setting of each trained candidate with the other seeds."""
    settings = chosen(plan, fits)
    trained = [
        candidate
        for candidate in plan.candidates
        if candidate.trained and candidate.name in settings
    ]
    return [
        job(plan, candidate, settings[candidate.name], seed)
        for seed in plan.seeds[1:]
        for candidate in trained
    ]


def finalists(plan: Plan, fits: dict[str, Fit]) -> list[Job]:
    """What is judged on test: of each candidate all seeds of its chosen setting that learned."""
    settings, judged = chosen(plan, fits), []
    for candidate in plan.candidates:
        if candidate.name not in settings:
            continue
        seeds = plan.seeds if candidate.trained else plan.seeds[:1]
        jobs = [job(plan, candidate, settings[candidate.name], seed) for seed in seeds]
        sound = [fits[one.name] for one in jobs if one.name in fits and not fits[one.name].failed]
        learned = _learned(sound, _trivial_loss(plan, fits))
        names = tuple(fit.name for fit in learned)
        alone = tuple(fit.name for fit in sound if fit not in learned)
        update = {"name": candidate.name, "fits": names, "alone": alone}
        judged.append(jobs[0].model_copy(update=update))
    return judged


def _trivial_loss(plan: Plan, fits: dict[str, Fit]) -> float:
    """The validation loss of the best answer that looks at nothing, as the mean."""
    trivial = [one.name for one in plan.candidates if one.trivial]
    losses = [fit.validation_loss for fit in fits.values() if fit.candidate in trivial]
    return min((loss for loss in losses if loss is not None), default=math.inf)


def _learned(seeds: list[Fit], trivial: float) -> list[Fit]:
    """The seeds that learned; where none did, all of them.

    A seed did not learn whose validation loss is no lower than ``trivial``, or lower by less than
    a tenth of what the best seed reached: on few examples, a loss that is lower by chance.
    """
    gains = [trivial - (fit.validation_loss or 0.0) for fit in seeds]
    least = LEAST_GAIN * max([0.0, *gains])
    return [fit for fit, gain in zip(seeds, gains, strict=True) if gain > least] or seeds
