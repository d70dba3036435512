"""Errors in what a person gave, each explained in one sentence."""

from __future__ import annotations

import ast
import re

QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
ARGUMENT = re.compile(rf"`([a-z_]+)(?:=({QUOTED}|[^`'\"]*))?`")


class InputError(ValueError):
    """What was given cannot be used.

    The text is one sentence: it names the file, row, column, argument or shape, says what was
    expected, and what to do. The command line prints it and ends with exit code 2.
    """


def argument(name: str, value: object = None) -> str:
    """An argument within a sentence, as those who call from Python read it: `horizon=12`.

    The command line and the report's page show the flag instead: see ``with_flags``.
    """
    if value is None:
        return f"`{name}`"
    return f"`{name}={value!r}`" if isinstance(value, str) else f"`{name}={value}`"


def with_flags(sentence: str) -> str:
    """The sentence with each argument as its flag: --horizon 12."""
    return ARGUMENT.sub(_flag, sentence)


def flag(name: str) -> str:
    """The flag of an argument."""
    return f"--{name.replace('_', '-')}"


def _flag(match: re.Match[str]) -> str:
    name, value = match.groups()
    if value is None:
        return flag(name)
    if value.startswith(("'", '"')):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError):  # a text of somebody else's
            return match[0]
    return f"{flag(name)} {value}"
