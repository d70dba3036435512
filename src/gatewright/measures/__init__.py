"""How good predictions are, in words that people know: one file a measure.

A file put here is a measure that tasks can name; its name is what a person types.
"""

from __future__ import annotations

from functools import cache

from gatewright.discovery import class_of, files_in
from gatewright.measures.measure import Averaged, Measure
from gatewright.measures.measured import Measured, Places, take
from gatewright.measures.told import Told


@cache
def names() -> tuple[str, ...]:
    """The names of the measures, in alphabetical order."""
    return files_in(__path__, "measure", "measured", "told")


@cache
def get(name: str) -> Measure:
    """A measure: an object of the one subclass of Measure that its file defines."""
    return class_of(__name__, name, Measure)()  # type: ignore[type-abstract]


__all__ = [
    "Averaged",
    "Measure",
    "Measured",
    "Places",
    "Told",
    "get",
    "names",
    "take",
]
