"""The search by successive halving and what of it is judged, on made-up fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import report_worlds
from gatewright.comparison import outcome, running
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Job, Plan, Rung, Score
from gatewright.comparison.result import Result
from gatewright.data.layout import Layout
from gatewright.setting import Setting
from gatewright.training import Stopping

RUNGS = (Rung(epochs=2, settings=4), Rung(epochs=4, settings=2), Rung(epochs=10, settings=1))
TITLES = ["trying settings", *["the better settings, longer"] * 2, "more seeds"]
TRIVIAL = 5.0  # the validation loss of what looks at nothing

Losses = Callable[[Job], float | None]


def plan(*networks: str, seeds: int = 3, trivial: bool = True) -> Plan:
    naive = Candidate(
        name="mean", title="mean", baseline=True, trained=False, settings=(0, 2), trivial=trivial
    )
    line = Candidate(name="line", title="line", baseline=True, trained=True, settings=(0, 1, 2, 3))
    cells = [
        Candidate(name=one, title=one, baseline=False, trained=True, settings=(0, 1, 2, 3))
        for one in networks
    ]
    return Plan(
        gatewright="1",
        source="",
        fingerprint="",
        layout=Layout(task="forecast", targets=("y",)),
        guesses=(),
        candidates=(*cells, naive, line),
        settings=tuple(Setting(learning_rate=0.001 * (1 + one)) for one in range(4)),
        seeds=tuple(range(seeds)),
        stopping=Stopping(epochs=10),
        rungs=RUNGS,
    )


def fit(job: Job, loss: float | None) -> Fit:
    return Fit(
        name=job.name,
        candidate=job.recipe.candidate,
        setting=job.setting,
        seed=job.recipe.seed,
        asked=job.epochs,
        validation_loss=loss,
        failed="diverged: the loss is nan" if loss is None else "",
    )


def carried_out(plan: Plan, losses: Losses) -> tuple[dict[str, Fit], list[list[Job]]]:
    """All fits of a plan, and the jobs of each stage; a loss of None is a fit that diverged."""
    fits: dict[str, Fit] = {}
    found, titles = [], []
    for title, jobs in running.stages(plan, fits.copy):
        found.append(jobs)
        titles.append(title)
        fits.update({job.name: fit(job, losses(job)) for job in jobs})
    assert titles == TITLES
    return fits, found


def of(jobs: list[Job], candidate: str) -> list[tuple[int, int, int]]:
    """(setting, seed, epochs) of the jobs of a candidate."""
    return [
        (job.setting, job.recipe.seed, job.epochs)
        for job in jobs
        if job.recipe.candidate == candidate
    ]


# The validation losses of the settings of "gru" after 2, 4 and 10 epochs: what is best early need
# not stay so, and what was left behind would have been the best of all.
TABLE = {2: (0.5, 0.9, 0.4, 0.6), 4: (0.2, 0.1, 0.3, 0.1), 10: (0.25, 0.01, 0.35, 0.01)}


def by_table(job: Job) -> float:
    return 1.0 if job.recipe.candidate != "gru" else TABLE[job.epochs][job.setting]


def test_halving_keeps_the_best_at_each_length() -> None:
    asked = plan("gru", "lstm")
    fits, (first, second, third, more) = carried_out(asked, by_table)
    assert of(first, "gru") == [(setting, 0, 2) for setting in range(4)]
    assert of(second, "gru") == [(2, 0, 4), (0, 0, 4)]  # the better one first
    assert of(third, "gru") == [(0, 0, 10)]  # by the losses after 4 epochs, not after 2
    assert of(more, "gru") == [(0, 1, 10), (0, 2, 10)]
    assert running.ranked(asked, fits, "gru", 2) == [2, 0, 3, 1]
    assert running.ranked(asked, fits, "gru", 4) == [0, 2]
    assert running.ranked(asked, fits, "gru", 10) == [0]
    assert running.chosen(asked, fits)["gru"] == 0
    # Equal losses: the setting that comes first.
    assert of(second, "lstm") == [(0, 0, 4), (1, 0, 4)]
    assert of(third, "lstm") == [(0, 0, 10)]


def test_everyone_gets_the_same_search_and_baselines_go_first() -> None:
    asked = plan("gru", "lstm")
    _, stages = carried_out(asked, by_table)
    trained = [one.name for one in asked.candidates if one.trained]
    for jobs in stages:
        assert len({len(of(jobs, name)) for name in trained}) == 1
    first = [(job.recipe.candidate, job.setting, job.epochs) for job in stages[0]]
    assert first[:3] == [("mean", 0, 10), ("mean", 2, 10), ("line", 0, 2)]
    assert [of(jobs, "mean") for jobs in stages[1:]] == [[], [], []]
    names = [job.name for jobs in stages for job in jobs]
    assert len(set(names)) == len(names)
    assert set(names) <= set(asked.fit_names())  # nothing that the folder would not know of


def test_a_longer_training_goes_on_from_the_shorter_one_of_its_setting() -> None:
    _, stages = carried_out(plan("gru"), by_table)
    mine = [job for jobs in stages for job in jobs if job.recipe.candidate == "gru"]
    assert {job.name for job in mine} >= {"gru-0-0-2", "gru-0-0-4", "gru-0-0", "gru-0-1"}
    for job in mine:
        whole = f"gru-{job.setting}-0"
        assert job.plateau == (whole if job.recipe.seed == 0 else "")
        assert job.name == (f"gru-{job.setting}-{job.recipe.seed}") + (
            f"-{job.epochs}" if job.epochs < 10 else ""
        )


def test_a_diverged_fit_does_not_go_on() -> None:
    def losses(job: Job) -> float | None:
        if (job.recipe.candidate, job.setting) == ("gru", 2):
            return None
        return by_table(job)

    asked = plan("gru")
    fits, (_, second, third, _) = carried_out(asked, losses)
    assert of(second, "gru") == [(0, 0, 4), (3, 0, 4)]
    assert of(third, "gru") == [(3, 0, 10)]
    assert running.chosen(asked, fits)["gru"] == 3


def test_one_that_diverges_later_leaves_its_place_to_the_next() -> None:
    def losses(job: Job) -> float | None:
        late = (job.recipe.candidate, job.setting, job.epochs) == ("gru", 0, 4)
        return None if late else by_table(job)

    _, (_, second, third, _) = carried_out(plan("gru"), losses)
    assert of(second, "gru") == [(2, 0, 4), (0, 0, 4)]
    assert of(third, "gru") == [(2, 0, 10)]


def test_a_candidate_that_always_diverges_is_not_judged() -> None:
    def losses(job: Job) -> float | None:
        return None if job.recipe.candidate == "gru" else 1.0

    asked = plan("gru", "lstm")
    fits, stages = carried_out(asked, losses)
    assert [of(jobs, "gru") for jobs in stages[1:]] == [[], [], []]
    judged = [job.name for job in running.finalists(asked, fits)]
    assert judged == ["lstm", "mean", "line"]


def seeds_lose(*of_gru: float | None) -> Losses:
    """Losses after the whole training of the seeds of "gru"."""

    def losses(job: Job) -> float | None:
        if job.recipe.candidate == "mean":
            return TRIVIAL if job.setting == 2 else TRIVIAL + 1
        if job.recipe.candidate == "gru" and job.epochs == 10:
            return of_gru[job.recipe.seed]
        return 1.0

    return losses


@pytest.mark.parametrize(
    ("losses", "joined", "alone"),
    [
        ((1.0, 2.0, 3.0), [0, 1, 2], []),
        ((1.0, TRIVIAL, 3.0), [0, 2], [1]),  # as good as nothing is not better
        ((TRIVIAL + 0.5, 1.0, TRIVIAL + 9), [1], [0, 2]),
        ((1.0, 4.5, 4.7), [0, 1], [2]),  # less than a tenth of 4 better than nothing
        ((4.999, 4.9985, 4.9999), [0, 1], [2]),  # a tenth of what the best one reached
        ((TRIVIAL, TRIVIAL, TRIVIAL), [0, 1, 2], []),
        ((6.0, 7.0, 8.0), [0, 1, 2], []),  # where none learned, all are judged
        ((1.0, None, 8.0), [0], [2]),  # what diverged has no model to judge
        ((6.0, None, 8.0), [0, 2], []),
    ],
)
def test_seeds_that_did_not_learn_are_left_out(
    losses: tuple[float | None, ...], joined: list[int], alone: list[int]
) -> None:
    asked = plan("gru")
    fits, _ = carried_out(asked, seeds_lose(*losses))
    (job,) = [job for job in running.finalists(asked, fits) if job.name == "gru"]
    assert job.fits == tuple(f"gru-0-{seed}" for seed in joined)
    assert job.alone == tuple(f"gru-0-{seed}" for seed in alone)


def test_without_a_trivial_baseline_no_seed_is_left_out() -> None:
    asked = plan("gru", trivial=False)
    fits, _ = carried_out(asked, seeds_lose(1.0, 8.0, 9.0))
    (job,) = [job for job in running.finalists(asked, fits) if job.name == "gru"]
    assert (len(job.fits), job.alone) == (3, ())


def test_one_job_judges_a_candidate() -> None:
    asked = plan("gru", "lstm")
    fits, _ = carried_out(asked, seeds_lose(1.0, 2.0, 3.0))
    final = running.finalists(asked, fits)
    assert [job.name for job in final] == [one.name for one in asked.candidates]
    naive = next(job for job in final if job.name == "mean")
    assert naive.fits == ("mean-2-0",)  # not trained: once, with its better setting
    assert not running.finished(asked, fits, {})
    scores = {job.name: Score(name=job.name, fits=job.fits) for job in final}
    assert running.finished(asked, fits, scores)
    del fits["gru-0-2"]
    assert not running.finished(asked, fits, scores)


# From scores to the leaderboard ----------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    world = dataclasses.replace(report_worlds.one_target(), unlearned=("lstm-0-1",))
    return world.write(tmp_path)


def test_each_seed_and_the_joined_model_are_judged_apart(folder: RunFolder) -> None:
    scores = folder.scores()
    losses, shipped, units, groups = outcome._losses(folder, scores)
    assert groups is None
    assert len(units) == report_worlds.UNITS
    for name, score in scores.items():
        kept, _ = folder.kept_score(score)
        assert losses[name].shape == (len(score.fits), len(units))
        np.testing.assert_array_equal(losses[name], kept["seeds"].numpy())
        np.testing.assert_array_equal(shipped[name], kept["losses"].numpy())
    assert {len(one) for one in losses.values()} == {1, 2, 3}
    for row in Result(folder).rows:
        if not row.failed:
            assert row.loss == pytest.approx(scores[row.name].loss, rel=1e-12)


def test_the_leaderboard_tells_which_seeds_are_joined(folder: RunFolder) -> None:
    rows, scores = {row.name: row for row in Result(folder).rows}, folder.scores()
    assert rows["lstm"].left_out == ("lstm-0-1",)
    assert rows["lstm"].seeds == 2
    assert rows["lstm"].each == scores["lstm"].seeds
    assert rows["lstm"].each.keys() == {"lstm-0-0", "lstm-0-1", "lstm-0-2"}
    assert (rows["gru"].left_out, rows["gru"].seeds, len(rows["gru"].each)) == ((), 3, 3)
    assert (rows["last_value"].left_out, rows["last_value"].each) == ((), {})
