"""Folders in which a file is enough to add something: its names, and what each file defines."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import TypeVar

Kind = TypeVar("Kind")


def files_in(path: Iterable[str], *base: str) -> tuple[str, ...]:
    """The names of the modules of a package, in alphabetical order.

    path: its ``__path__``; base: those that define what the others are. Names that begin with an
    underscore hold what several share.
    """
    names = (module.name for module in pkgutil.iter_modules(list(path)))
    return tuple(sorted(name for name in names if name not in base and name[0] != "_"))


def class_of(package: str, name: str, base: type[Kind]) -> type[Kind]:
    """The one subclass of a base that a module of a package defines."""
    module = importlib.import_module(f"{package}.{name}")
    (defined,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
    )
    return defined
