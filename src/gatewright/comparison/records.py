"""What a run folder holds, as it is written: the plan, fits, scores, the leaderboard.

plan.json            every guess and choice, enough to repeat the comparison
fits.jsonl           one line a finished fit
models/FIT.safetensors, models/CANDIDATE.safetensors
scores.jsonl         one line a candidate judged on test
scores/CANDIDATE.safetensors   its loss for each unit, and some predictions
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
from gatewright.measures import Measured
from gatewright.setting import Options, Setting
from gatewright.training import Epoch, Recipe, Stopping


class Candidate(BaseModel):
    """One contender: a cell, or a baseline."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str  # as it stands in tables and sentences
    baseline: bool
    trained: bool  # by the loop, with seeds; else fitted once a setting
    settings: tuple[int, ...]  # that it tries
    trivial: bool = False  # looks at nothing: no network that learned is worse
    hidden_sizes: tuple[int, ...] = ()  # for each setting; cells only
    parameters: tuple[int, ...] = ()  # for each setting; cells only


class Rung(BaseModel):
    """A length of training at which settings are judged, and how many get so far."""

    model_config = ConfigDict(frozen=True)

    epochs: int
    settings: int  # the best of the rung before


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
    stopping: Stopping  # of the last rung
    rungs: tuple[Rung, ...]  # of the search, the last one the whole training
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
        earlier = [rung.epochs for rung in self.rungs[:-1]]
        return [
            fit_name(candidate.name, setting, seed, epochs)
            for candidate in self.candidates
            for setting in range(len(self.settings))
            for seed in self.seeds
            for epochs in (None, *(earlier if seed == self.seeds[0] else ()))
        ]

    def decisions(self) -> dict[str, Any]:
        """What two plans have to share for one to go on from the other."""
        return self.model_dump(exclude={"command", "guesses", "source"})


def fit_name(candidate: str, setting: int, seed: int, epochs: int | None = None) -> str:
    """A fit, as its line and its files are called: "gru-2-0"; "gru-2-0-5" where it is one of a
    search that ends after so many epochs."""
    name = f"{candidate}-{setting}-{seed}"
    return name if epochs is None else f"{name}-{epochs}"


class Job(BaseModel):
    """One fit, or the judging of a candidate, and what its files are called."""

    model_config = ConfigDict(frozen=True)

    name: str  # as ``fit_name`` has it; of judging, the candidate's
    recipe: Recipe
    setting: int
    epochs: int = 0  # of the training, with its decline
    plateau: str = ""  # the name of what a longer training goes on from
    fits: tuple[str, ...] = ()  # judge these, joined, on test instead of fitting
    alone: tuple[str, ...] = ()  # and these, which did not learn, on their own


class Fit(BaseModel):
    """A finished fit: a line of fits.jsonl."""

    name: str
    candidate: str
    setting: int
    seed: int
    asked: int = 0  # epochs of the training, had nothing ended it early
    failed: str = ""  # the reason, where it did not end well
    file: str = ""  # the digest of the model's file, where there is one
    validation_loss: float | None = None  # by which settings are chosen
    validation_metric: float | None = None  # what candidates are judged by
    parameters: int = 0
    seconds: float = 0.0  # of training
    best_epoch: int = 0
    epochs: list[Epoch] = []


class Score(BaseModel):
    """A candidate judged on test: a line of scores.jsonl. The losses of each unit stand beside it.

    Judged is what is shipped: the mean of what its seeds predict, without those that did not learn.
    """

    name: str  # the candidate's
    fits: tuple[str, ...] = ()  # that are joined
    failed: str = ""
    file: str = ""  # the digest of the file beside it, where there is one
    model: str = ""  # the digest of the file of the joined model
    seeds: dict[str, float] = {}  # the loss of each fit on its own, by name
    loss: float | None = None  # mean over examples, each the same
    units: int = 0
    by_series: bool = False  # what the units are
    series: int = 0  # or sequences that the test examples are of
    examples: int = 0  # that were judged
    microseconds: float = 0.0  # per prediction, in blocks, one thread
    measures: Measured = Measured()


class Row(BaseModel):
    """A candidate on the leaderboard, best first; those that failed come last."""

    name: str
    title: str
    baseline: bool
    failed: str = ""
    rank: int | None = None
    loss: float | None = None  # on test, mean over units
    low: float | None = None  # of the 90% interval
    high: float | None = None
    skill: float | None = None  # 1 - loss / loss of the best baseline
    skill_low: float | None = None
    skill_high: float | None = None
    among_best: bool = False  # recommended, or tested against that and not told from it
    measures: dict[str, float | None] = {}  # by name
    seeds: int = 0  # whose predictions are joined
    each: dict[str, float] = {}  # the loss of each seed on its own, by its fit
    left_out: tuple[str, ...] = ()  # the fits that did not learn
    improving: bool = False  # most seeds were still getting better when their training ended
    setting: Setting | None = None
    hidden_size: int = 0
    parameters: int = 0
    train_seconds: float = 0.0  # mean over the chosen setting's seeds
    microseconds: float = 0.0  # per prediction
    validation_loss: float | None = None

    def seeds_in_words(self) -> str:
        """As "5", or "4 of 5" where one did not learn."""
        left_out = len(self.left_out)
        return f"{self.seeds} of {self.seeds + left_out}" if left_out else str(self.seeds)
