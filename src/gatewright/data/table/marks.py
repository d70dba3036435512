"""Whether the dots of a column of numbers mark thousands, where all its values leave it open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from gatewright.data.layout import Guess

# 1.051 may be either; 0.123, 1.5 and 1e3 are decimals, so that a column with one of them is too.
EITHER = r"^[+-]?([1-9]\d{0,2}\.\d{3}|\d+)$"
BELOW_THOUSAND = r"^[+-]?0*\d{1,3}$"
# What only stands where a comma is the decimal mark: 1,5 or 1.051.234, but not 1,051.
DECIMAL_COMMA, THOUSANDS_COMMA = r",|\..*\.", r"^[+-]?[1-9]\d{0,2}(,\d{3})+$"


@dataclass(frozen=True)
class Dots:
    """How the dots of a column are read that could be read both ways."""

    thousands: bool
    example: str  # a value with a dot
    why: str


def dots(frame: pl.LazyFrame, numbers: Sequence[str], commas: Sequence[str]) -> dict[str, Dots]:
    """The columns whose dots could mark thousands or decimals, by all of their rows.

    Args:
        frame: of cleaned text.
        numbers: the columns that can be read as numbers with a decimal dot.
        commas: those that can only be read with a decimal comma, or with several dots.
    """
    if not numbers:
        return {}
    counts = frame.select(
        *(each.alias(f"{name} {what}") for name in numbers for what, each in _asked(name)),
        *(_shows_comma(pl.col(name)).any().alias(name) for name in commas),
    )
    row = counts.collect(engine="streaming").row(0, named=True)
    shown = next((name for name in commas if row[name]), None)
    by_column = {}
    for name in numbers:
        either, plain, small, example = (row[f"{name} {what}"] for what, _ in _asked(name))
        if not either or example is None:
            continue
        if shown is not None:
            by_column[name] = Dots(True, example, f"column {shown!r} has a decimal comma")
        elif plain == 0:
            why = "every value has one dot before three digits, which may mark thousands too"
            by_column[name] = Dots(False, example, why)
        elif small == plain:
            by_column[name] = Dots(True, example, "every value without a dot is below 1000")
    return by_column


def _asked(name: str) -> list[tuple[str, pl.Expr]]:
    text = pl.col(name)
    dotted = text.str.contains(".", literal=True)
    return [
        ("either", text.str.contains(EITHER).all()),
        ("plain", (~dotted).sum()),
        ("small", text.str.contains(BELOW_THOUSAND).sum()),
        ("example", text.filter(dotted).first()),
    ]


def _shows_comma(text: pl.Expr) -> pl.Expr:
    return text.str.contains(DECIMAL_COMMA) & ~text.str.contains(THOUSANDS_COMMA)


def guesses(by_column: Mapping[str, Dots]) -> tuple[Guess, ...]:
    """One guess for all columns that are read in one way for one reason."""
    alike: dict[tuple[bool, str], list[str]] = {}
    for name, each in by_column.items():
        alike.setdefault((each.thousands, each.why), []).append(name)
    return tuple(_guess(names, by_column[names[0]]) for names in alike.values())


def _guess(names: Sequence[str], first: Dots) -> Guess:
    digits = first.example.lstrip("+-")
    whole, below = digits.replace(".", ""), int(digits.split(".")[0])
    means = whole if first.thousands else f"between {below} and {below + 1}, not {whole}"
    more = f", and so in {_count(names[1:])}" if names[1:] else ""
    other = "with a decimal comma" if first.thousands else "without the dots"
    return Guess(
        what="numbers",
        value=f"{names[0]}: {digits} is {means}{more}",
        argument="ignore",
        why=f"{first.why}; if it is wrong, write the column {other}, or leave it out",
    )


def _count(names: Iterable[str]) -> str:
    rest = list(names)
    return rest[0] if len(rest) == 1 else f"{len(rest)} more columns"
