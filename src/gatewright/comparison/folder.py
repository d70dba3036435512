"""The folder of a run: appended to, or put in place whole, so that a kill loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from gatewright import tasks
from gatewright.comparison.records import Fit, Plan, Row, Score
from gatewright.comparison.verdict import Verdict
from gatewright.data import prepared
from gatewright.data.prepared import Preparation, Prepared, PreparedRecord
from gatewright.errors import InputError, argument
from gatewright.folders import ANOTHER, claimed, remove
from gatewright.models import files
from gatewright.sealed import (
    DamagedError,
    append_record,
    read_record,
    read_records,
    refusing_damage,
    sound_records,
    write_record,
    write_records,
    write_whole,
)
from gatewright.training import Model
from gatewright.training.checkpoint import Tensors, load_tensors

PLAN = "plan.json"
RECORDS = (
    *("fits.jsonl", "scores.jsonl", "leaderboard.json", "verdict.json", *files.BESIDE),
    *("report.html", "worker.log"),
)
BELOW = ("models", "scores", "checkpoints", "plateaus")  # a file a fit or a candidate
# Folders of arrays: whole, being written, replaced.
ARRAY_FOLDERS = ("data", ".data.partial", ".data.before")
ARRAYS = [f"{folder}/{name}" for folder in ARRAY_FOLDERS for name in prepared.FILES]
AGAIN = (
    f"give the command of this comparison again, with this folder as {argument('out')}: it makes "
    "it anew"
)
ELSEWHERE = f"{ANOTHER}, or remove it yourself"
LOST = "put back a copy of it that is whole, or compare again into another folder"


class RunFolder:
    """Reads and writes the files that ``records`` lists.

    Reading one raises DamagedError if it is not as it was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, or use one of ours, and lock out a second run.

        If no plan is written, nothing is left.

        Raises InputError where the folder holds something else, is in use or cannot be written.
        """
        with claimed(self.path, PLAN, "a comparison", writes=ARRAYS, early=ARRAY_FOLDERS):
            self.plan(ELSEWHERE)  # one that is not ours is found out before anything is written
            for name in BELOW:
                if (self.path / name).is_symlink():
                    raise InputError(f"{self.path / name} is a link to elsewhere: {ELSEWHERE}")
            yield

    def create(self) -> None:
        """Make the folders that hold a file a fit."""
        for name in BELOW:
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def files(self, plan: Plan) -> list[str]:
        """The names, below the folder, of all that a run of a plan writes and keeps."""
        return [*RECORDS, *pictures(plan), *_below(plan, *BELOW)]

    def empty(self, plan: Plan) -> None:
        """Remove what a run of a plan wrote but for the plan, which stays to tell whose it is."""
        remove(self.path, self.files(plan))

    def plan(self, remedy: str = LOST) -> Plan | None:
        """The plan, or None where no run began. ``remedy``: what to do where it is damaged."""
        path = self.path / PLAN
        return read_record(path, Plan, remedy) if os.path.lexists(path) else None

    def write_plan(self, plan: Plan) -> None:
        write_record(self.path / PLAN, plan)

    def fits(self) -> dict[str, Fit]:
        """The finished fits by name."""
        return {fit.name: fit for fit in read_records(self.path / "fits.jsonl", Fit, AGAIN)}

    def scores(self) -> dict[str, Score]:
        """What was judged on test, by the candidate's name."""
        scores = read_records(self.path / "scores.jsonl", Score, AGAIN)
        return {score.name: score for score in scores}

    def add_fit(self, fit: Fit) -> None:
        append_record(self.path / "fits.jsonl", fit)

    def add_score(self, score: Score) -> None:
        append_record(self.path / "scores.jsonl", score)

    def mend(self) -> None:
        """Forget the fits and scores whose lines or files are damaged, so that they are done again.

        A score counts only with its fit: what is fitted again is judged again.
        """
        fits, every_fit = sound_records(self.path / "fits.jsonl", Fit, AGAIN)
        scores, every_score = sound_records(self.path / "scores.jsonl", Score, AGAIN)
        good = [one for one in fits if one.failed or _is_sound(self.model_path(one.name), one.file)]
        names = {one.name for one in good}
        judged = [
            one
            for one in scores
            if names.issuperset(one.fits)
            and (
                one.failed
                or (
                    _is_sound(self.score_path(one.name), one.file)
                    and _is_sound(self.model_path(one.name), one.model)
                )
            )
        ]
        if every_fit and every_score and (len(good), len(judged)) == (len(fits), len(scores)):
            return
        remove(self.path, ["verdict.json"])  # it is of what is forgotten now
        write_records(self.path / "scores.jsonl", judged)
        write_records(self.path / "fits.jsonl", good)

    def verdict(self) -> Verdict | None:
        path = self.path / "verdict.json"
        return read_record(path, Verdict, AGAIN) if os.path.lexists(path) else None

    def write_outcome(self, verdict: Verdict, rows: list[Row]) -> None:
        """Write the leaderboard, which nothing here reads again, and the verdict."""
        board = json.dumps([row.model_dump() for row in rows], indent=2)
        write_whole(self.path / "leaderboard.json", board.encode())
        write_record(self.path / "verdict.json", verdict)

    def keep_preparation(self, history: pl.DataFrame | None) -> None:
        """Put what was fitted on training where it outlives the arrays; and the rows to go on
        from."""
        text = (self.data / prepared.RECORD).read_text("utf-8")
        files.write_beside(self.path, PreparedRecord.model_validate_json(text), history)

    def prepared(self) -> Prepared:
        """The arrays; only while they are there."""
        return Prepared.open(self.data)

    def preparation(self) -> Preparation:
        """What was fitted on training."""
        return files.read_preparation(self.path, AGAIN)

    def history(self) -> pl.DataFrame | None:
        """The rows that forecasts go on from, where there are any."""
        return files.read_history(self.path, AGAIN)

    def model_path(self, name: str) -> Path:
        return self.path / "models" / f"{name}.safetensors"

    def score_path(self, name: str) -> Path:
        return self.path / "scores" / f"{name}.safetensors"

    def checkpoint_path(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"

    def plateau_path(self, name: str) -> Path:
        return self.path / "plateaus" / f"{name}.safetensors"

    def fitted(self, fit: Fit) -> Model:
        """What one fit gave."""
        return files.read_model(self.model_path(fit.name), self.preparation(), fit.file, AGAIN)

    def model(self, score: Score) -> Model:
        """What was judged, to predict with."""
        return files.read_model(self.model_path(score.name), self.preparation(), score.model, AGAIN)

    def kept_score(self, score: Score) -> tuple[Tensors, Any]:
        """What stands beside a score, and its record."""
        path = self.score_path(score.name)
        with refusing_damage(path, AGAIN):
            return load_tensors(path, score.file)

    def clear_arrays(self) -> None:
        """Remove the arrays that were prepared here."""
        remove(self.path, ARRAYS)

    def clear_checkpoints(self, plan: Plan) -> None:
        """Remove what only a running comparison goes on from."""
        remove(self.path, _below(plan, "checkpoints", "plateaus"))


def pictures(plan: Plan) -> list[str]:
    """The names, below the folder, of all pictures that a report may have: two of every task, and
    one of each view of this one."""
    names = ("leaderboard", *tasks.get(plan.layout.task).views, "learning")
    return [f"plots/{name}.png" for name in names]


def _below(plan: Plan, *folders: str) -> list[str]:
    names = [*plan.fit_names(), *(candidate.name for candidate in plan.candidates)]
    return [f"{folder}/{name}.safetensors" for folder in folders for name in names]


def _is_sound(path: Path, written: str) -> bool:
    """Whether a file is that of a digest. Raises DamagedError where that cannot be mended."""
    try:
        with refusing_damage(path, AGAIN):
            load_tensors(path, written)
    except DamagedError:
        if path.is_dir():
            raise
        return False
    return True


def as_json(value: Any) -> str:
    """For people and programs: indented, keys as they come."""
    return json.dumps(value, indent=2, ensure_ascii=False)
