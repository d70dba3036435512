"""A run and its folder: what fails stands with its reason, what is done is not done again."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import small
from gatewright import api, tasks
from gatewright.comparison import crew, running
from gatewright.comparison.comparing import compare_into
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit, Job, Plan, Score
from gatewright.comparison.result import Result
from gatewright.comparison.running import Crew, Hear, Progress
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns, Contest, Split
from gatewright.training import Epoch
from here import Here

pytestmark = pytest.mark.slow

BUDGET: dict[str, Any] = {"cells": ["mgu", "indrnn"], "seeds": 2, "settings": 2, "epochs": 2}


class Heard(Progress):
    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.fits: list[Fit] = []
        self.scores: list[Score] = []
        self.epochs: list[tuple[str, int]] = []
        self.ended = False

    def stage(self, title: str, jobs: int, done: int) -> None:
        self.stages.append((title, jobs, done))

    def fitted(self, fit: Fit) -> None:
        self.fits.append(fit)

    def scored(self, score: Score) -> None:
        self.scores.append(score)

    def epoch(self, job: Job, epoch: Epoch) -> None:
        self.epochs.append((job.name, epoch.number))

    def end(self) -> None:
        self.ended = True


def compare(path: Path, progress: Progress | None = None, **changes: Any) -> Result:
    columns = Columns(targets=("y",), horizon=changes.pop("horizon", 3), context=12)
    restart = changes.pop("restart", False)
    jobs = changes.pop("jobs", 1)
    frame = changes.pop("frame", small.noisy_waves())
    workers: Crew = changes.pop("crew", None) or crew.Processes(path, jobs)
    compare_into(
        RunFolder(path),
        read(frame),
        columns,
        Split(),
        Contest(**BUDGET | changes),
        source="waves",
        crew=workers,
        restart=restart,
        progress=progress or Progress(),
    )
    return Result(RunFolder(path))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Heard]:
    heard = Heard()
    return compare(tmp_path_factory.mktemp("comparison") / "run", heard, jobs=2), heard


def test_baselines_come_first_and_everyone_gets_the_same(done: tuple[Result, Heard]) -> None:
    result, heard = done
    plan = result.plan
    assert heard.ended
    assert [title for title, _, _ in heard.stages] == [
        "trying settings",
        "the better settings, longer",
        "more seeds",
        "judging on test",
    ]
    fitted = [found.name for found in plan.candidates if not found.trained]
    assert {fit.candidate for fit in heard.fits[: len(fitted)]} <= {
        found.name for found in plan.candidates if found.baseline
    }
    for candidate in plan.candidates:
        mine = [fit for fit in heard.fits if fit.candidate == candidate.name]
        first = plan.rungs[0].epochs if candidate.trained else plan.rungs[-1].epochs
        tried = {fit.setting for fit in mine if fit.asked == first and fit.seed == 0}
        assert tried == set(candidate.settings)
        assert candidate.settings == ((0, 1) if candidate.trained else (0,))
        row = next(row for row in result.rows if row.name == candidate.name)
        assert row.seeds + len(row.left_out) == (len(plan.seeds) if candidate.trained else 1)
        assert not row.failed


def test_selection_saw_validation_alone(done: tuple[Result, Heard]) -> None:
    result, _ = done
    fits = result.folder.fits()
    settings = running.chosen(result.plan, fits)
    (early, _), (late, kept) = [(rung.epochs, rung.settings) for rung in result.plan.rungs]
    assert kept == 1
    for name, setting in settings.items():
        trained = result.plan.candidate(name).trained
        tried = {
            fit.setting: fit.validation_loss
            for fit in fits.values()
            if (fit.candidate, fit.seed, fit.asked) == (name, 0, early if trained else late)
        }
        assert tried[setting] == min(tried.values())  # type: ignore[type-var]
        whole = {fit.setting for fit in fits.values() if (fit.candidate, fit.asked) == (name, late)}
        assert whole == {setting}
    scores = result.folder.scores()
    assert scores.keys() == settings.keys()
    for name, score in scores.items():
        judged = {(fits[one].candidate, fits[one].setting, fits[one].asked) for one in score.seeds}
        assert judged == {(name, settings[name], late)}
        assert set(score.fits) <= set(score.seeds)


def test_what_is_judged_is_the_mean_of_what_the_seeds_predict(
    done: tuple[Result, Heard], tmp_path: Path
) -> None:
    """Every loss on the leaderboard, by hand from the models in the run folder."""
    result, _ = done
    folder, fits, scores = result.folder, result.folder.fits(), result.folder.scores()
    data = _prepared(small.noisy_waves(), result, tmp_path)
    assert {row.seeds for row in result.rows} >= {1, 2}
    for row in result.rows:
        score = scores[row.name]
        singles = [folder.fitted(fits[name]) for name in score.fits]
        joined = folder.model(score)
        task = joined.task
        assert [part.seed for part in joined.parts] == [fits[name].seed for name in score.fits]
        examples = task.examples.of_part(data, "test")
        batch = task.examples.batch(data, examples)
        told = joined.predict(data, examples)
        alone = [one.predict(data, examples) for one in singles]
        mean = torch.stack(alone).mean(0)
        assert torch.allclose(told[..., 0], mean[..., 0], atol=1e-5)
        for of in (told, mean):  # the mean squared error is of the point, whatever the bands
            assert task.losses(of, batch).mean().item() == pytest.approx(row.loss, rel=1e-5)
        for name, one in zip(score.fits, alone, strict=True):
            loss = task.losses(one, batch).mean().item()
            assert loss == pytest.approx(score.seeds[name], rel=1e-5)
        if len(alone) > 1:
            # By Jensen's inequality the mean of predictions loses less than they do in the mean.
            assert row.loss < np.mean([score.seeds[name] for name in score.fits])
            assert not torch.allclose(alone[0][..., 0], alone[1][..., 0])


def test_a_finished_run_is_not_run_again(done: tuple[Result, Heard]) -> None:
    result, _ = done
    heard = Heard()
    again = compare(result.folder.path, heard)
    assert heard.stages == []
    assert heard.fits == []
    assert again.leaderboard.equals(result.leaderboard)


def test_another_plan_is_refused_and_nothing_is_lost(done: tuple[Result, Heard]) -> None:
    result, _ = done
    before = (result.folder.path / "leaderboard.json").read_bytes()
    with pytest.raises(InputError, match=r"another comparison \(different: .*layout"):
        compare(result.folder.path, horizon=4)
    with pytest.raises(InputError, match=r"different: the data.*`restart`"):
        compare(
            result.folder.path,
            frame=small.noisy_waves().with_columns(pl.col("y") + pl.col("step") * 0.1),
        )
    assert (result.folder.path / "leaderboard.json").read_bytes() == before


def test_the_best_predicts_and_a_copy_is_whole(done: tuple[Result, Heard], tmp_path: Path) -> None:
    result, _ = done
    told = result.best.predict()
    assert len(told) == 3
    copy = Result(RunFolder(result.save(tmp_path / "copy")))
    assert copy.best.predict().equals(told)
    with pytest.raises(InputError, match="is not empty"):
        result.save(tmp_path / "copy")
    with pytest.raises(InputError, match="no candidate of this comparison is called 'x'"):
        result.model("x")


def test_every_record_is_json_and_no_work_is_left(done: tuple[Result, Heard]) -> None:
    folder = done[0].folder.path
    assert not (folder / "data").exists()
    assert not (folder / "checkpoints").exists()
    assert not (folder / "plateaus").exists()
    for path in folder.glob("*.json"):
        json.loads(path.read_text())
    for path in folder.glob("*.jsonl"):
        assert all(json.loads(line) for line in path.read_text().splitlines())
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {
        ".json",
        ".jsonl",
        ".safetensors",
        ".arrow",
        ".log",
        ".lock",
        "",
        ".html",
        ".png",
    }


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.opened(), pytest.raises(InputError, match="another run is at work"):
        compare(tmp_path / "run")


def test_a_crash_stands_with_its_reason_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Doomed(crew.Worker):
        """A worker that dies as if the system had ended it, at one candidate's fits."""

        def begin(self, job: Job) -> None:
            super().begin(job)
            if job.recipe.candidate == "mgu":
                self.process.send_signal(signal.SIGKILL)

    monkeypatch.setattr(crew, "Worker", Doomed)
    result = compare(tmp_path / "run", jobs=2)
    rows = {row.name: row for row in result.rows}
    assert "ended by SIGKILL" in rows["mgu"].failed
    assert result.rows[-1].name == "mgu"
    assert rows["mgu"].rank is None
    assert rows["indrnn"].rank is not None
    assert "mgu" not in {found.name for found in result.verdict.candidates}


def test_where_all_fail_it_says_why(tmp_path: Path) -> None:
    class Failing(Here):
        def run(self, jobs: Iterable[Job], hear: Hear) -> None:
            for job in jobs:
                hear(job, {"failed": "diverged: the loss is nan"})

    path = tmp_path / "run"
    with pytest.raises(InputError, match=r"no candidate could be fitted.*the loss is nan"):
        compare(path, crew=Failing(path))


def test_another_crew_comes_to_the_same(
    done: tuple[Result, Heard], tmp_path: Path, torch_threads: Callable[[int], None]
) -> None:
    torch_threads(1)  # as in the processes
    path = tmp_path / "run"
    heard = Heard()
    result = compare(path, heard, crew=Here(path))
    assert heard.stages == done[1].stages
    assert result.verdict == done[0].verdict
    times = ["train_seconds", "microseconds"]
    assert result.leaderboard.drop(times).equals(done[0].leaderboard.drop(times))
    assert result.best.predict().equals(done[0].best.predict())


def test_a_full_disk_stops_it_and_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    told = RunFolder.add_fit

    def full(self: RunFolder, fit: Fit) -> None:
        if len(self.fits()) == 2:
            raise OSError(28, "No space left on device", str(self.path / "fits.jsonl"))
        told(self, fit)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "add_fit", full)
        with pytest.raises(OSError, match="No space left"):
            compare(path)
    assert len(RunFolder(path).fits()) == 2
    heard = Heard()
    compare(path, heard, crew=Here(path))
    assert heard.stages[0][2] == 2


def test_the_same_seconds_instead_of_the_same_steps(tmp_path: Path) -> None:
    plans: list[Plan] = []

    class Stop(Exception):  # noqa: N818
        pass

    class Look(Progress):
        def begin(self, plan: Plan, folder: RunFolder) -> None:
            plans.append(plan)
            raise Stop

    with pytest.raises(Stop):
        compare(tmp_path / "run", Look(), equal="time")
    assert plans[0].stopping.seconds == 10


def test_epochs_are_heard_as_they_end(done: tuple[Result, Heard]) -> None:
    heard, fits = done[1].epochs, done[0].folder.fits()
    settings = running.chosen(done[0].plan, fits)
    for cell in BUDGET["cells"]:
        for setting in range(2):  # the search: one epoch each, and the better one to the end
            name = f"{cell}-{setting}-0"
            assert [number for fit, number in heard if fit == f"{name}-1"] == [1]
            whole = [number for fit, number in heard if fit == name]
            assert whole == ([1, 2] if setting == settings[cell] else [])
        again = f"{cell}-{settings[cell]}-1"
        assert [number for fit, number in heard if fit == again] == [1, 2]
        assert [epoch.number for epoch in fits[again].epochs] == [1, 2]


SMALL: dict[str, Any] = {"cells": ["mgu"], "settings": 1, "seeds": 1, "epochs": 1, "jobs": 1}


def test_each_sequence_counts_the_same_in_groups_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "Processes", Here)
    random = np.random.default_rng(0)
    rows = [
        {"id": f"{group}-{one}", "who": group, "x": random.normal(), "label": "ab"[one % 2]}
        for group in range(24)
        for one in range(2 + 3 * (group % 5))
        for _ in range(4)
    ]  # fmt: skip
    given = {"target": "label", "sequence": "id", "group": "who"}
    result = api.compare(pl.DataFrame(rows), **given, **SMALL, out=tmp_path / "run")
    score = next(iter(result.folder.scores().values()))
    tensors, _ = result.folder.kept_score(score)
    groups = tensors["groups"]
    assert len(groups.bincount().unique()) > 2
    assert (result.verdict.units, result.verdict.groups) == (len(groups), len(groups.unique()))
    # Error rates of whole sequences: not means of groups.
    assert {row.loss * len(groups) % 1 for row in result.rows} == {0}
    told = f"{len(groups)} test sequences in {len(groups.unique())} groups"
    assert told in result.verdict.text


def test_each_window_counts_the_same_whenever_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Series that end one after another: more windows at the times when more are there."""
    monkeypatch.setattr(api, "Processes", Here)
    random = np.random.default_rng(0)
    frame = pl.concat(
        pl.DataFrame({"shop": f"s{n}", "day": range(days), "y": random.normal(size=days)})
        for n, days in enumerate(range(100, 116, 2))
    )  # fmt: skip
    given = {"target": "y", "series": "shop", "time": "day", "horizon": 3, "context": 6}
    result = api.compare(frame, **given, **SMALL, out=tmp_path / "run")
    (fit,) = (fit for fit in result.folder.fits().values() if fit.candidate == "last_value")
    model, data = result.folder.fitted(fit), _prepared(frame, result, tmp_path)
    examples = model.task.examples.of_part(data, "test")
    batch = model.task.examples.batch(data, examples)
    losses = model.task.losses(model.predict(data, examples), batch).double()
    score = result.folder.scores()[fit.candidate]
    assert score.loss == pytest.approx(losses.mean().item(), rel=1e-6)
    assert (score.examples, score.units) == (len(examples), len(data.time[examples].unique()))
    by_time = [losses[data.time[examples] == time].mean() for time in data.time[examples].unique()]
    assert abs(score.loss - float(sum(by_time)) / len(by_time)) > 1e-4  # as it was counted before


def _prepared(frame: pl.DataFrame, result: Result, folder: Path) -> Prepared:
    layout = result.plan.layout
    return prepare(read(frame), layout, tasks.get(layout.task), folder / "again")
