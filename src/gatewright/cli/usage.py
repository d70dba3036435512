"""What was typed but cannot be read, as one sentence: the flag, what was given, what it takes."""

from __future__ import annotations

import difflib
from itertools import chain
from typing import Any

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from gatewright.errors import InputError

TAKEN = {int: "a whole number", float: "a number"}


def sentence(error: CycloptsError) -> str:
    """What a person reads in place of ``error``."""
    command = " ".join(error.command_chain or ()) or "gatewright"
    helped = f"see {' '.join(['gatewright', *(error.command_chain or ())])} --help"
    if isinstance(error.__cause__, InputError):  # from a limit, or another check of Gatewright
        return str(error.__cause__)
    match error:
        case CoercionError(token=token, target_type=kind) if token is not None and kind is bool:
            return f"{token.keyword} takes no value: give it alone, or leave it out"
        case CoercionError(token=token, target_type=kind) if token is not None:
            name = token.keyword or _name(error)
            taken = TAKEN.get(kind, "a value that it takes") if kind else "a value that it takes"
            return f"{name} is to be {taken}, not {token.value!r}: {helped}"
        case MissingArgumentError():
            return f"{command} lacks a value for {_name(error)}: {helped}"
        case RepeatArgumentError(token=token):
            return f"{token.keyword} is given more than once: give it once"
        case UnknownOptionError(token=token, argument_collection=flags):
            word = token.keyword or token.value
            known = chain.from_iterable(each.names for each in flags if each.parse)
            near = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            return f"{command} has no flag {word}: {hint}{helped}"
        case UnusedCliTokensError(unused_tokens=tokens):
            word = " ".join(map(repr, tokens or ()))
            return (
                f"{command} has no use for {word}: put a flag before each value, and quotes round "
                f"what has spaces in it; {helped}"
            )
        case UnknownCommandError(unused_tokens=tokens):
            word, commands = str((tokens or [""])[0]), _commands(error)
            near = difflib.get_close_matches(word, commands, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            return f"no command is called {word!r}: {hint}there are {', '.join(commands)}"
    return f"{command} cannot be carried out ({error}): {helped}"


def _name(error: CycloptsError) -> str:
    return "an argument" if error.argument is None else str(error.argument.name)


def _commands(error: Any) -> list[str]:
    return [name for name in error.app if not name.startswith("-")]
