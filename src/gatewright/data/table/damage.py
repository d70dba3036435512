"""Files that are not what they seem: cut, damaged, or with times that no calendar reaches."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl

from gatewright.errors import InputError

UNSUPPORTED = re.compile("(un|not yet )supported|not implemented|feature", re.IGNORECASE)


@contextmanager
def naming_damage(
    name: str, damage: type[pl.exceptions.PolarsError] = pl.exceptions.ComputeError
) -> Iterator[None]:
    """Tell what is raised where a file is damaged as one sentence about it.

    Other errors of polars than ``damage`` pass: they are of a query that does not fit the table,
    which is not the fault of the file.
    """
    try:
        yield
    except (damage, pl.exceptions.PanicException, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            what = f"cannot be read ({error.strerror}); give a file that is there and may be read."
        elif UNSUPPORTED.search(str(error)):
            what = (
                "is compressed or encoded in a way that is not read here; write it again, without "
                "compression or with zstd."
            )
        else:
            what = "is damaged and cannot be read to its end; write it again, or copy it again."
        raise InputError(f"{name} {what}") from None


def check_ends(path: Path, kind: str, mark: bytes, others: Mapping[bytes, str]) -> None:
    """Raise InputError for a file that does not begin and end as its kind does."""
    with path.open("rb") as file:
        begin = file.read(len(mark))
        file.seek(max(0, path.stat().st_size - len(mark)))
        end = file.read()
    for other, what in others.items():
        if begin.startswith(other):
            raise InputError(f"{path.name} {what}")
    if begin != mark:
        raise InputError(
            f"{path.name} is no {kind} file, whatever its name says; give the file the ending of "
            "what it is, or write it again."
        )
    if end != mark:
        raise InputError(
            f"{path.name} is cut: the end of the {kind} file is missing; write it again, or copy "
            "it again."
        )


# What a process of its own does with a file: read it to its end, or say why not.
READING = """
import sys
import polars as pl
try:
    frame = getattr(pl, sys.argv[1])(sys.argv[2], glob=False)
    for query in (pl.len(), pl.all().null_count(), pl.all().last()):
        frame.select(query).collect(engine="streaming")
except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
    sys.exit(f"{error}")
"""


def read_whole(path: Path, scan: str) -> pl.LazyFrame:
    """Scan a file that was read once from end to end, so that damage is met here and nowhere else.

    A process of its own reads it first, which takes some tenths of a second: a damaged size can
    make polars ask for more memory than there is, which ends the process that it runs in.

    scan: the name of the function of polars.
    """
    command = [sys.executable, "-c", READING, scan, str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise pl.exceptions.ComputeError(done.stderr.decode(errors="replace"))
    frame: pl.LazyFrame = getattr(pl, scan)(path, glob=False)
    return frame


def check_times(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType], name: str) -> None:
    """Raise InputError for a time that no calendar reaches, and that polars cannot take apart."""
    odd = [
        (~pl.col(column).to_physical().is_between(*_reach(dtype))).arg_true().first().alias(column)
        for column, dtype in schema.items()
        if dtype == pl.Date or isinstance(dtype, pl.Datetime)
    ]
    if not odd:
        return
    rows = frame.select(odd).collect(engine="streaming").row(0, named=True)
    for column, row in rows.items():
        if row is not None:
            raise InputError(
                f"row {row + 1} of {name} has a {column} before the year 1 or after the year 9999; "
                "correct it."
            )


def _reach(dtype: pl.DataType) -> tuple[int, int]:
    """The first and the last moment of the years 1 to 9999, as polars counts them."""
    units = {"ms": 10**3, "us": 10**6, "ns": 10**9}
    day = 86400 * units[dtype.time_unit] if isinstance(dtype, pl.Datetime) else 1
    days = [(end - date(1970, 1, 1)).days for end in (date.min, date.max)]
    low, high = (max(-(2**63), min(2**63 - 1, number * day)) for number in (days[0], days[1] + 1))
    return low, high - 1
