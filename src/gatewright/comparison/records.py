"""What a run folder holds, as it is written: the plan, fits, scores, the leaderboard.

plan.json            every guess and choice, enough to repeat the comparison
fits.jsonl           one line a finished fit
models/FIT.safetensors
scores.jsonl         one line a fit judged on test
scores/FIT.safetensors   its loss for each unit, and some predictions
verdict.json         the statistics
leaderboard.json     one row a candidate
report.html, plots/
data/, checkpoints/  while it runs
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from gatewright.data.layout import Guess, Layout
from gatewright.setting import Options, Setting
from gatewright.training import Epoch, Recipe, Stopping


class Candidate(BaseModel):
    """One contender: a cell, or a baseline."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str  # as it stands in tables and sentences
    baseline: bool
    trained: bool  # by the loop, with settings and seeds; else fitted once
    hidden_sizes: tuple[int, ...] = ()  # for each setting; cells only
    parameters: tuple[int, ...] = ()  # for each setting; cells only


class Plan(BaseModel):
    """All that decides the outcome. Two runs of one plan on one machine end the same."""

    model_config = ConfigDict(frozen=True)

    gatewright: str  # the version
    source: str  # the file, as it was named; "the data frame"
    fingerprint: str  # of what the file holds
    layout: Layout
    guesses: tuple[Guess, ...]
    candidates: tuple[Candidate, ...]
    settings: tuple[Setting, ...]  # the same for every trained candidate
    seeds: tuple[int, ...]
    stopping: Stopping
    options: Options = Options()
    budget: str = "quick"
    equal: str = "parameters"  # "parameters", or "time": the same seconds instead of epochs
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2)  # train, validation, test
    rows: tuple[int, int, int] | None = None  # lengths of the parts instead of shares
    cut: str | None = None  # where many series are cut, if it was said
    command: str = ""  # that repeats it; it decides nothing

    def repeated_in(self, folder: Path) -> str:
        """The command that goes on in a folder, wherever that was moved or copied."""
        words = shlex.split(self.command) or ["gatewright", "compare", "FILE"]
        if "--out" in words:
            at = words.index("--out")
            del words[at : at + 2]
        return shlex.join([*words, "--out", str(folder)])

    def candidate(self, name: str) -> Candidate:
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def fit_names(self) -> list[str]:
        """The names of all fits that the plan may lead to."""
        return [
            fit_name(candidate.name, setting, seed)
            for candidate in self.candidates
            for setting in range(len(self.settings))
            for seed in self.seeds
        ]

    def decisions(self) -> dict[str, Any]:
        """What two plans have to share for one to go on from the other."""
        return self.model_dump(exclude={"command", "guesses", "source"})


def fit_name(candidate: str, setting: int, seed: int) -> str:
    """A fit, as its line and its files are called: "gru-2-0"."""
    return f"{candidate}-{setting}-{seed}"


class Job(BaseModel):
    """One fit, and what its files are called."""

    model_config = ConfigDict(frozen=True)

    name: str  # as ``fit_name`` has it
    recipe: Recipe
    setting: int
    score: bool = False  # judge the saved model on test instead of fitting it


class Fit(BaseModel):
    """A finished fit: a line of fits.jsonl."""

    name: str
    candidate: str
    setting: int
    seed: int
    failed: str = ""  # the reason, where it did not end well
    file: str = ""  # the digest of the model's file, where there is one
    validation_loss: float | None = None  # the training loss, by which settings are chosen
    validation_metric: float | None = None  # what candidates are judged by
    parameters: int = 0
    seconds: float = 0.0  # of training
    best_epoch: int = 0
    epochs: list[Epoch] = []


class Score(BaseModel):
    """A fit judged on test: a line of scores.jsonl. The losses of each unit stand beside it."""

    name: str
    candidate: str
    seed: int
    failed: str = ""
    file: str = ""  # the digest of the file beside it, where there is one
    loss: float | None = None  # mean over examples, each the same
    units: int = 0
    series: int = 0  # or sequences that the test examples are of
    examples: int = 0  # that were judged
    microseconds: float = 0.0  # per prediction, in blocks, one thread
    measures: dict[str, Any] = {}


class Row(BaseModel):
    """A candidate on the leaderboard, best first; those that failed come last."""

    name: str
    title: str
    baseline: bool
    failed: str = ""
    rank: int | None = None
    loss: float | None = None  # on test, mean over seeds and units
    low: float | None = None  # of the 95% interval
    high: float | None = None
    skill: float | None = None  # 1 - loss / loss of the best baseline
    skill_low: float | None = None
    skill_high: float | None = None
    among_best: bool = False  # in the 90% model confidence set
    measures: dict[str, float] = {}  # means over seeds
    seeds: int = 0
    setting: Setting | None = None
    hidden_size: int = 0
    parameters: int = 0
    train_seconds: float = 0.0  # mean over the chosen setting's seeds
    microseconds: float = 0.0  # per prediction
    validation_loss: float | None = None
