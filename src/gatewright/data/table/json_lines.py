"""Files of a JSON object a line: where a row stands, and which line is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from gatewright.errors import InputError


def line_of(path: Path) -> Callable[[int], int]:
    """The line of a row, without those that are empty."""

    def line(row: int) -> int:
        with path.open("rb") as file:
            full = (number for number, text in enumerate(file, 1) if text.strip())
            return next(islice(full, row, None))

    return line


def say_broken(path: Path) -> None:
    """Find the line that is not a JSON object or holds values of other types than those before."""
    types: dict[str, str] = {}
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                row = json.loads(text, parse_constant=_no_constant)
                kind = "null" if row is None else JSON_TYPES[type(row)]
            except InputError as error:
                row, kind = None, str(error)
            except (ValueError, RecursionError):
                row, kind = None, "what is not JSON"
            if not isinstance(row, dict):
                raise InputError(
                    f"{path.name}, line {number}: expected one JSON object a line, as in "
                    f'{{"time": "2024-01-31", "sales": 3}}, found {kind}; write it so.'
                )
            for name, value in row.items():
                if value is None:
                    continue
                kind = JSON_TYPES[type(value)]
                if types.setdefault(name, kind) != kind:
                    raise InputError(
                        f"{path.name}, line {number}: column {name!r} holds {kind}, and "
                        f"{types[name]} before; give it values of one type."
                    )


JSON_TYPES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def _no_constant(name: str) -> None:
    raise InputError(f"{name}, for which JSON has null")
