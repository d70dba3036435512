"""What the commands share: flags, lists, standard output, and the files they are given."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token
from rich.console import Console

from gatewright.errors import InputError
from gatewright.limits import LIMITS, refusal


def _number(_: type, tokens: Sequence[Token]) -> int | float:
    """What a flag of a number was given, within the limit of the argument of that name."""
    (token,) = tokens
    called = token.keyword or ""
    limit = LIMITS[called.removeprefix("--").replace("-", "_")]
    value = limit.read(token.value)
    if value is None or not limit.holds(value):
        raise refusal(called, limit, token.value if value is None else value)
    number: int | float = value
    return number


def _path(kind: object, tokens: Sequence[Token]) -> Path:
    (token,) = tokens
    if not token.value.strip():  # to Path the folder that the program was started in
        where = f"{token.keyword}: " if token.keyword else ""
        raise InputError(f"{where}an empty name is not a path: give a file or a folder")
    return Path(token.value)


AnyPath = Annotated[Path, Parameter(converter=_path)]
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Whole = Annotated[int, Parameter(converter=_number)]
MaybeWhole = Annotated[int | None, Parameter(converter=_number)]
Number = Annotated[float, Parameter(converter=_number)]
WRONG, INTERRUPTED = 2, 130
WIDTH = 160  # of tables that are not shown in a terminal

# What a person asked for cannot be done; the text is the sentence they read.
UsageError = InputError


def console(*, stderr: bool = False) -> Console:
    """An output; wide enough for the tables if it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # an old encoding may lack a mark
    output = Console(stderr=stderr)
    return output if output.is_terminal else Console(stderr=stderr, width=WIDTH)


def listed(text: str | None) -> list[str]:
    """The names in a list with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def among(kind: str, names: Iterable[str], there: Sequence[str]) -> None:
    """Raise UsageError, with the nearest name, for one that does not exist."""
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"no {kind} is called {name!r}: {hint}there are {', '.join(there)}")


def character(text: str | None) -> str | None:
    """The delimiter that ``--delimiter`` names. Raises UsageError if it cannot be one."""
    if text is None:
        return None
    from gatewright.data.table.files import DELIMITERS, check_delimiter

    names = {name: character for character, name in DELIMITERS.items()} | {"\\t": "\t"}
    delimiter = names.get(text, text)
    check_delimiter(delimiter)
    return delimiter


def source(file: Path, say: Console | None) -> Path:
    """The file of that path or, where there is none, the packaged data set of that name."""
    from gatewright.data import sets

    name = str(file)
    if file.exists() or file.suffix:
        return file
    if name in sets.names():
        path = sets.path(name)
        if say is not None:
            say.print(f"{name} is the data set that comes with Gatewright", style="dim")
        return path
    near = difflib.get_close_matches(name, sets.names(), n=1)
    hint = f" (did you mean the data set {near[0]!r}?)" if near else ""
    raise UsageError(
        f"{name} does not exist{hint}: give the path of a file, or one of the data sets that come "
        f"with Gatewright: {', '.join(sets.names())}"
    )


def cannot_write(error: OSError, folder: Path) -> UsageError:
    """The sentence for a full disk and the like, while a run was writing.

    Raises the error itself where nothing was to be written: a file is missing.
    """
    if isinstance(error, FileNotFoundError):
        raise error
    what = f"{error.filename or folder}: {error.strerror}" if error.strerror else str(error)
    return UsageError(
        f"{folder} cannot be written any more ({what}): what was finished is intact; set that "
        "right, then give the same command again and it goes on"
    )
