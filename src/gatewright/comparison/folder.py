"""The folder of a run: appended to, or put in place whole, so that a kill loses nothing."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gatewright.comparison.records import Fit, Plan, Row, Score
from gatewright.comparison.verdict import Verdict
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.training import Model
from gatewright.training.checkpoint import write_whole

Record = TypeVar("Record", bound=BaseModel)


class RunFolder:
    """Reads and writes the files that ``records`` lists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"

    def create(self) -> None:
        """Make the folder. Raises InputError where that cannot be."""
        try:
            for folder in ("models", "scores", "checkpoints"):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror}): choose another folder with "
                "--out"
            ) from None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder; take it away again where it was new and no plan came of it."""
        new = not self.path.exists()
        self.create()
        try:
            yield
        except BaseException:
            if new and not (self.path / "plan.json").exists():
                shutil.rmtree(self.path, ignore_errors=True)
            raise

    def empty(self) -> None:
        """Remove what an earlier run wrote, but for arrays, which are replaced; nothing else."""
        for name in ("models", "scores", "checkpoints", "plots"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for pattern in ("*.json", "*.jsonl", "history.arrow", "report.html", "worker.log"):
            for path in self.path.glob(pattern):
                path.unlink()
        self.create()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second run out of the folder. Raises InputError where one is at work."""
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"another run is at work in {self.path}: wait for it, or choose another folder "
                    "with --out"
                ) from None
            yield

    def plan(self) -> Plan | None:
        """The plan, or None where no run began."""
        return _read(self.path / "plan.json", Plan)

    def write_plan(self, plan: Plan) -> None:
        write_whole(self.path / "plan.json", plan.model_dump_json(indent=2).encode())

    def fits(self) -> dict[str, Fit]:
        """The finished fits by name."""
        return {fit.name: fit for fit in _read_lines(self.path / "fits.jsonl", Fit)}

    def scores(self) -> dict[str, Score]:
        """What was judged on test, by the fit's name."""
        return {score.name: score for score in _read_lines(self.path / "scores.jsonl", Score)}

    def add_fit(self, fit: Fit) -> None:
        _append(self.path / "fits.jsonl", fit)

    def add_score(self, score: Score) -> None:
        _append(self.path / "scores.jsonl", score)

    def verdict(self) -> Verdict | None:
        return _read(self.path / "verdict.json", Verdict)

    def leaderboard(self) -> list[Row]:
        path = self.path / "leaderboard.json"
        entries = json.loads(path.read_text("utf-8")) if path.exists() else []
        return [Row.model_validate(entry) for entry in entries]

    def write_outcome(self, verdict: Verdict, rows: list[Row]) -> None:
        board = json.dumps([row.model_dump() for row in rows], indent=2)
        write_whole(self.path / "leaderboard.json", board.encode())
        write_whole(self.path / "verdict.json", verdict.model_dump_json(indent=2).encode())

    def keep_preparation(self) -> None:
        """Put what was fitted on training where it outlives the arrays."""
        shutil.copy2(self.data / "prepared.json", self.path / "prepared.json")

    def prepared(self) -> Prepared:
        """The arrays; only while they are there."""
        return Prepared.open(self.data)

    def model_path(self, name: str) -> Path:
        return self.path / "models" / f"{name}.safetensors"

    def score_path(self, name: str) -> Path:
        return self.path / "scores" / f"{name}.safetensors"

    def checkpoint_path(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"

    def model(self, name: str) -> Model:
        """A fitted model, to predict with."""
        from gatewright.data.prepared import PreparedRecord

        text = (self.path / "prepared.json").read_text("utf-8")
        return Model.load(
            self.model_path(name), PreparedRecord.model_validate_json(text).preparation
        )

    def clear_work(self) -> None:
        """Remove what only a running comparison needs."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)


def _read(path: Path, kind: type[Record]) -> Record | None:
    if not path.exists():
        return None
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except (ValidationError, UnicodeDecodeError):
        raise InputError(
            f"{path} is not what this version of Gatewright writes: choose another folder with "
            "--out"
        ) from None


def _read_lines(path: Path, kind: type[Record]) -> list[Record]:
    """The whole lines of a file; a last line cut short by a kill is taken off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        write_whole(path, whole)
    return [kind.model_validate_json(line) for line in whole.splitlines()]


def _append(path: Path, record: BaseModel) -> None:
    line = f"{record.model_dump_json()}\n".encode()
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def as_json(value: Any) -> str:
    """For people and programs: indented, keys as they come."""
    return json.dumps(value, indent=2, ensure_ascii=False)
