"""Sentences name arguments as they are called from Python, and flags on the command line."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gatewright
from asked import guess
from gatewright import cli
from gatewright.data.table.reading import read
from gatewright.errors import InputError, argument, with_flags

SOURCE = Path(gatewright.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z]")
ABOVE = {"cli", "bench"}  # of the command line
# Which tell whole commands, or are one.
COMMANDS = {"comparison/records.py", "report/__init__.py", "compiler/emit.py"}

WRONG: list[dict[str, Any]] = [
    {"target": "nothing"},
    {"target": "day"},
    {"target": "same"},
    {"target": "sales", "ignore": "sales"},
    {"target": "sales", "known": ["sales"]},
    {"target": "sales", "horizon": 9_999},
    {"target": "sales", "horizon": 0},
    {"target": "sales", "context": 9_999},
    {"target": "sales", "frequency": "1i"},
    {"target": "sales", "time": "word"},
    {"target": "sales", "split": "word"},
    {"target": "sales", "sequence": "day"},
    {"target": "sales", "task": "forecast", "sequence": "word"},
    {"target": "sales", "task": "classify", "series": "word"},
    {"target": "sales", "shares": (0.5, 0.5, 0.5)},
    {"target": "sales", "rows": (1, 2, 0)},
    {"target": "sales", "equal": "luck"},
    {"target": "word"},
    {"target": "sales", "parameters": 1},
]


def table() -> pl.DataFrame:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 9), eager=True)
    values = np.sin(np.arange(100.0)) + np.arange(100) / 50
    words = [f"word {number % 7}" for number in range(100)]
    return pl.DataFrame({"day": days, "sales": values, "same": [1] * 100, "word": words})


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] not in ABOVE
        if str(path.relative_to(SOURCE)) not in COMMANDS
    ],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_no_floor_below_the_command_line_names_a_flag(path: Path) -> None:
    tree = ast.parse(path.read_text())
    comments = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in comments:
            assert not FLAG.search(node.value), f"{path}:{node.lineno}: say it with argument()"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_each_door_names_arguments_in_its_way(
    wrong: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table().write_csv(file := tmp_path / "shop.csv")
    with pytest.raises(InputError) as error:
        gatewright.compare(file, **wrong)
    told = str(error.value)
    assert not FLAG.search(told)
    lists = {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for name, value in wrong.items()
    }
    flags = [word for name, value in lists.items() for word in (f"--{name}", value)]
    out = ["--out", str(tmp_path / "run")]
    assert cli.main(["compare", str(file), *flags, *out, "--quiet"]) == 2
    shown = capsys.readouterr().err
    assert "`" not in shown
    if "`" in told:
        assert FLAG.search(shown)


def test_guesses_and_notes_are_told_as_from_python() -> None:
    _, guesses = guess(read(table().drop("same", "word")))
    assert "time" in {found.argument for found in guesses}
    assert not any(FLAG.search(found.why + found.argument) for found in guesses)


@given(st.sampled_from(["out", "hidden_size"]), st.text() | st.integers(), st.text())
def test_an_argument_is_turned_into_its_flag(name: str, value: str | int, other: str) -> None:
    other = other.replace("`", "'")
    shown = with_flags(f"{other}: say {argument(name, value)}, {argument('task')}")
    assert shown == f"{other}: say --{name.replace('_', '-')} {value}, --task"


def test_what_only_looks_like_an_argument_stays() -> None:
    for text in ("`X`", "`a b`", "a ` b", "`x='1`", "`1`", r"`x='\N'`", shlex.quote("`it's`")):
        assert with_flags(text) == text
