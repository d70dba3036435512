"""A plan carried out: fits, the choice of settings, then test, opened once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol, Self

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Job, Plan, Score, fit_name
from gatewright.training import Epoch, Recipe


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
        search = _search(plan)
        _carry_out("trying settings", search, folder.fits(), workers, folder, progress)
        again = _repeats(plan, folder.fits())
        _carry_out("more seeds", again, folder.fits(), workers, folder, progress)
        final = finalists(plan, folder.fits())
        _carry_out("judging on test", final, folder.scores(), workers, folder, progress)


def finished(plan: Plan, fits: dict[str, Fit], scores: dict[str, Score]) -> bool:
    """Whether nothing of a plan is left to fit or to judge."""
    fitted = all(job.name in fits for job in [*_search(plan), *_repeats(plan, fits)])
    return fitted and all(job.name in scores for job in finalists(plan, fits))


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
        elif job.score:
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
        failed=message["failed"],
    )


def _score(job: Job, message: dict[str, Any]) -> Score:
    if "score" in message:
        return Score.model_validate(message["score"])
    return Score(
        name=job.name,
        candidate=job.recipe.candidate,
        seed=job.recipe.seed,
        failed=message["failed"],
    )


def job(plan: Plan, candidate: Candidate, setting: int, seed: int) -> Job:
    """One fit of a plan."""
    chosen = plan.settings[setting]
    recipe = Recipe(
        candidate=candidate.name,
        setting=chosen,
        hidden_size=candidate.hidden_sizes[setting] if candidate.hidden_sizes else 0,
        seed=seed,
        options=plan.options,
    )
    name = fit_name(candidate.name, setting, seed)
    return Job(name=name, recipe=recipe, setting=setting)


def _search(plan: Plan) -> list[Job]:
    """Every setting of every candidate with the first seed: baselines first, then in turns."""
    first = plan.seeds[0]
    fitted = [candidate for candidate in plan.candidates if not candidate.trained]
    trained = [candidate for candidate in plan.candidates if candidate.trained]
    trained.sort(key=lambda candidate: not candidate.baseline)
    jobs = [job(plan, candidate, 0, first) for candidate in fitted]
    for setting in range(len(plan.settings)):
        jobs += [job(plan, candidate, setting, first) for candidate in trained]
    return jobs


def chosen(plan: Plan, fits: dict[str, Fit]) -> dict[str, int]:
    """The number of the setting with the lowest validation loss, of each candidate with one."""
    best: dict[str, tuple[float, int]] = {}
    for fit in fits.values():
        if fit.seed == plan.seeds[0] and not fit.failed and fit.validation_loss is not None:
            held = best.get(fit.candidate, (float("inf"), -1))
            best[fit.candidate] = min(held, (fit.validation_loss, fit.setting))
    return {name: setting for name, (_, setting) in best.items()}


def best_seed(fits: Iterable[Fit]) -> Fit | None:
    """Of the fits of one setting, the one to ship: that with the lowest validation loss."""
    return min(fits, key=lambda fit: (fit.validation_loss or 0.0, fit.seed), default=None)


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
    """What is judged on test: each candidate's chosen setting with every seed that ended well."""
    settings = chosen(plan, fits)
    judged = []
    for candidate in plan.candidates:
        seeds = plan.seeds if candidate.trained else plan.seeds[:1]
        if candidate.name in settings:
            jobs = [job(plan, candidate, settings[candidate.name], seed) for seed in seeds]
            judged += [one for one in jobs if one.name in fits and not fits[one.name].failed]
    return [one.model_copy(update={"score": True}) for one in judged]
