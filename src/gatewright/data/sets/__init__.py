"""Small data sets to try things on. A CSV file put here is one: nothing else lists them.

README.md beside this file says what each holds and where it comes from.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The names of the data sets, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.csv")))


def path(name: str) -> Path:
    """The CSV file of the data set of that name.

    Raises ValueError, with the nearest name, where there is none.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no data set is called {name!r}: {hint}the data sets are {', '.join(names())}"
        )
    return _FOLDER / f"{name}.csv"
