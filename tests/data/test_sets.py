"""The data sets that ship: whatever CSV file lies in the folder is one."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
import tomllib
from datetime import date
from itertools import pairwise

import pytest

from gatewright.data import sets
from places import ROOT

FOLDER = ROOT / "src" / "gatewright" / "data" / "sets"
FILES = sorted(FOLDER.glob("*.csv"))

each_set = pytest.mark.parametrize("name", sets.names())


def read(name: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows."""
    with sets.path(name).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def day(time: str) -> date:
    """The first day of a month, or the day itself."""
    return date.fromisoformat(time if len(time) > len("1958-03") else f"{time}-01")


def section(name: str) -> str:
    """What README.md says of a data set."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\S+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))[f"{name}.csv"]


def test_every_file_in_the_folder_is_found() -> None:
    assert sets.names()
    assert [sets.path(name).resolve() for name in sets.names()] == [
        file.resolve() for file in FILES
    ]


def test_a_name_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=rf"did you mean '{sets.names()[0]}'\?"):
        sets.path(f"{sets.names()[0]}s")


@pytest.mark.parametrize("name", ["", "README", "../layout", "../sets/" + sets.names()[0]])
def test_a_path_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="no data set is called"):
        sets.path(name)


def test_finding_them_takes_the_standard_library_only() -> None:
    code = (
        "import sys; from gatewright.data import sets; sets.path(sets.names()[0]);"
        "sys.exit(bool({'numpy', 'polars', 'torch'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@each_set
def test_its_columns_are_named_and_every_row_has_them(name: str) -> None:
    header, rows = read(name)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", column) for column in header)
    assert len(set(header)) == len(header)
    assert len(rows) > 100
    assert {len(row) for row in rows} == {len(header)}


@each_set
def test_its_time_runs_on_without_gaps(name: str) -> None:
    header, rows = read(name)
    times = [day(row[0]) for row in rows]
    steps = [(later - earlier).days for earlier, later in pairwise(times)]
    most = {"month": 31, "week": 7}[header[0]]
    assert min(steps) > 0
    assert max(steps) <= most


@each_set
def test_its_numbers_are_numbers_or_missing(name: str) -> None:
    _, rows = read(name)
    fields = [field for row in rows for field in row[1:]]
    present = [field for field in fields if field]
    assert all(math.isfinite(float(field)) for field in present)
    assert len(present) > 0.9 * len(fields)


@each_set
def test_the_readme_says_what_it_holds_and_where_it_comes_from(name: str) -> None:
    header, rows = read(name)
    missing = sum(not field for row in rows for field in row[1:])
    text = " ".join(section(name).split())
    assert "Source: " in text
    assert f"`{','.join(header)}`: {len(rows):,} rows" in text
    assert f"{missing or 'none'} missing" in text
    for row in (rows[0], rows[-1]):
        assert f"{day(row[0]):%B %Y}" in text


@each_set
def test_it_is_small_and_plain(name: str) -> None:
    content = sets.path(name).read_bytes()
    assert len(content) < 50_000
    assert content.isascii()
    assert b"\r" not in content
    assert content.endswith(b"\n")


def test_the_readme_speaks_of_no_other_files() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)$", text, flags=re.MULTILINE) == [file.name for file in FILES]


def test_they_lie_in_what_the_wheel_packs() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (package,) = settings["tool"]["scikit-build"]["wheel"]["packages"]
    assert FOLDER.is_relative_to(ROOT / package)
