"""Numbers beyond their limits: one sentence that names the flag or the argument, exit code 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatewright as gw
from gatewright import cli, limits
from gatewright.comparison.folder import RunFolder
from gatewright.data.calendar import Frequency
from gatewright.errors import InputError
from gatewright.estimators import Forecaster, SequenceClassifier, SequenceRegressor
from gatewright.models import size
from gatewright.sealed import write_records

pytestmark = pytest.mark.slow

COMMANDS = {
    "compare": ["compare", "airline"],
    "fit": ["fit", "airline", "--cell", "gru"],
    "predict": ["predict", "runs/none"],
    "report": ["report", "runs/none"],
    "cells": ["cells"],
    "bench": ["bench"],
}
SHORT = ("--cells", "gru", "--settings", "1", "--seeds", "1", "--epochs", "1", "--jobs", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def numeric_flags() -> Iterator[tuple[str, str]]:
    """Every flag of every command that takes a number."""
    for command in COMMANDS:
        for argument in cli.app[command].assemble_argument_collection():
            if argument.hint in (int, float, int | None, float | None):
                yield command, argument.name


def beyond(name: str) -> list[str]:
    """Texts that no flag of a number takes."""
    limit = limits.LIMITS[name]
    texts = ["", "x", "nan", "inf", "-inf", "-1", "none", "1,2", "true", "1e400", "9" * 5000]
    if isinstance(limit, limits.Whole):
        texts += [
            "1.5",
            "2.0",
            "1e3",
            "0x10",
            "1_0",
            "\N{ARABIC-INDIC DIGIT ONE}",
            str(limit.least - 1),
        ]
        texts += [str(limit.most + 1), str(10**12)] if limit.most < 10**12 else []
    return texts


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r"gatewright: [^\n]+\n", shown.err)
    assert len(shown.err) < 300
    return shown.err


def test_flags_of_numbers_are_found() -> None:
    found = {name for _, name in numeric_flags()}
    assert found >= {"--horizon", "--seeds", "--hidden-size", "--learning-rate", "--threads"}


@pytest.mark.parametrize(("command", "flag"), list(numeric_flags()))
def test_a_flag_says_what_number_it_takes(
    command: str, flag: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name = flag.removeprefix("--").replace("-", "_")
    for text in beyond(name):
        told = refused([*COMMANDS[command], f"{flag}={text}"], capsys)
        assert told.startswith(f"gatewright: {flag} is to be {limits.LIMITS[name].words}, not ")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flag", "text", "told"),
    [
        (
            "--shares",
            "nan,0.5,0.5",
            "each of the three numbers of --shares is to be a number above",
        ),
        ("--shares", "inf,0.5,0.5", "of --shares is to be"),
        ("--shares", "1.2,-0.1,-0.1", "of --shares is to be"),
        ("--shares", "a,b,c", "of --shares is to be"),
        ("--shares", "0.7,0.1", "--shares is to be three numbers"),
        ("--shares", "0.7,0.1,0.1", "--shares is to be three numbers above 0 with the sum 1"),
        ("--rows", "80,20,20.5", "each of the three numbers of --rows is to be a whole number"),
        ("--rows", "80,20,0", "of --rows is to be"),
        ("--rows", "99999999999999999999,1,1", "of --rows is to be"),
        ("--rows", "80,20", "--rows is to be three whole numbers above 0"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_three_numbers(
    command: str, flag: str, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused([*COMMANDS[command], flag, text], capsys)


@pytest.mark.parametrize("text", ["99999999999999999999d", "1000000y", f"{'9' * 5000}d", "2e3d"])
def test_a_frequency_of_ages(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "airline", "--quiet", "--frequency", text]) == 2
    told = capsys.readouterr().err
    assert "a frequency of '" in told
    assert len(told) < 300
    with pytest.raises(InputError, match="frequency"):
        gw.compare(wave(), frequency=text)


def test_the_longest_steps_that_are_taken() -> None:
    assert Frequency.parse("1000y").count == 12_000
    assert Frequency.parse("31557600000000000i").count == 31_557_600_000_000_000  # nanoseconds
    for text in ("1100y", "2000000000000000000i", "99999999999999999999i"):
        with pytest.raises(InputError, match="too far between steps"):
            Frequency.parse(text)


def test_flags_that_the_parser_speaks_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no use for 'b.csv'" in refused(["compare", "a.csv", "b.csv"], capsys)
    assert "--restart takes no value" in refused(["compare", "airline", "--restart=5"], capsys)


# From Python --------------------------------------------------------------------------------------

WRONG = (0.5, -1, 10**12, 10**400, 10**5000, float("nan"), float("inf"), "3", True, [2], 1j)


def wave() -> Any:
    import polars as pl

    return pl.DataFrame({"day": range(100), "y": np.sin(np.arange(100.0))})


@pytest.mark.parametrize("name", ["horizon", "context", "season", "settings", "seeds", "epochs",
                                  "parameters", "truncate", "jobs"])  # fmt: skip
def test_compare_names_the_argument(name: str) -> None:
    for value in (*WRONG, *([] if name == "truncate" else [0])):
        with pytest.raises(InputError, match=f"^`{name}` is to be a whole number from") as error:
            gw.compare(wave(), **{name: value})
        assert len(str(error.value)) < 200
    with pytest.raises(InputError, match=r"^`truncate` is to be a whole number from"):
        gw.compare(wave(), truncate=None)


@pytest.mark.parametrize("value", ["0.7,0.1,0.2", (0.7, 0.3), (float("nan"), 0.5, 0.5), 3])
def test_compare_names_the_shares(value: Any) -> None:
    with pytest.raises(InputError, match="`shares` is to be"):
        gw.compare(wave(), shares=value)
    with pytest.raises(InputError, match="`rows` is to be"):
        gw.compare(wave(), rows=value)


@pytest.mark.parametrize("kind", [Forecaster, SequenceClassifier, SequenceRegressor])
def test_an_estimator_names_the_argument(kind: Any) -> None:
    source = [wave()] if kind is Forecaster else [np.zeros((4, 3)), np.arange(4)]
    named = limits.LIMITS.keys() & kind().get_params().keys()
    assert len(named) > 8
    for name in named:
        fractions = {"dropout", "learning_rate", "validation_fraction"}
        for value in WRONG:
            if name in fractions and value in (0.5, 10**12, 10**400, 10**5000):
                continue
            with pytest.raises(InputError, match=f"^`{name}` is to be ") as error:
                kind(**{name: value}).fit(*source)
            assert len(str(error.value)) < 200


def test_numbers_of_numpy_are_numbers() -> None:
    limits.check({"horizon": np.int64(3), "dropout": np.float32(0.5), "learning_rate": 1})


# Memory -------------------------------------------------------------------------------------------


def test_a_network_beyond_the_memory_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size, "memory", lambda: 8e9)
    flags = ["--hidden-size", "65536", "--quiet", "--out", "big"]
    assert cli.main([*COMMANDS["fit"], *flags]) == 2
    told = capsys.readouterr().err
    assert re.search(r"[\d,]+ parameters takes 51\d gigabytes .* has 8: give a smaller --hid", told)
    assert not Path("big").exists()
    assert cli.main([*COMMANDS["compare"], "--parameters", "900000000", "--quiet"]) == 2
    assert "takes 18 gigabytes to train" in capsys.readouterr().err
    with pytest.raises(InputError, match="give a smaller hidden_size, or fewer num_layers"):
        Forecaster(horizon=3, hidden_size=40_000).fit(wave())
    with pytest.raises(InputError, match="give a smaller hidden_size"):
        SequenceRegressor(hidden_size=40_000).fit(np.zeros((4, 3)), np.arange(4))


# A comparison in which every network fails --------------------------------------------------------


@pytest.mark.slow
def test_no_network_left_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    command = [*COMMANDS["compare"], *SHORT, "--out", "run", "--quiet"]
    assert cli.main(command) == 0
    run = Path("run")
    for name in ("verdict.json", "leaderboard.json"):
        (run / name).unlink()
    lost = {"failed": "diverged: the loss is nan", "validation_loss": None}
    fits = [
        fit.model_copy(update=lost) if fit.candidate == "gru" else fit
        for fit in RunFolder(run).fits().values()
    ]
    write_records(run / "fits.jsonl", fits)
    capsys.readouterr()
    for _ in range(2):  # a run that is finished says the same
        assert cli.main(command) == 2
        shown = capsys.readouterr()
        assert "gru failed and is left out (diverged: the loss is nan)." in shown.out.lower()
        assert re.fullmatch(
            r"gatewright: no recurrent network could be trained \([^\n]+\n", shown.err
        )
        assert "--restart" in shown.err
    assert (run / "report.html").exists()
    assert gw.load(run).model.recipe.candidate != "gru"
