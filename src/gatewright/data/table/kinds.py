"""What the text of a column stands for: numbers, yes and no, times, or words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from gatewright.data.table.marks import EITHER, Dots, dots
from gatewright.data.table.times import TimeFormat, formats, order

MISSING = ("", "NA", "na", "N/A", "n/a", "NaN", "nan", "null", "None", "-", "?")
SAMPLE = 1000  # rows that propose a kind
PROBE = 10  # values of the sample that rule most kinds out
MIXED = 0.8  # share of numbers from which the other values are taken for mistakes
ROUNDS = 6  # passes at most; each brings values that did not fit into the sample

TRUE, FALSE = ("true", "yes"), ("false", "no")
LEADING_ZERO = r"^[+-]?0[0-9]"
WITH_DECIMAL_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?$"
WITH_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$|^[+-]?\d{1,3}(\.\d+)?$"


@dataclass(frozen=True)
class Kind:
    """One way to read text. ``parse`` gives null where the text is not of this kind."""

    name: str
    parse: Callable[[pl.Expr], pl.Expr]
    time: TimeFormat | None = None

    @property
    def full_name(self) -> str:
        """What a later table is read by: "decimal comma", "time %d.%m.%Y"."""
        return self.name if self.time is None else f"{self.name} {self.time.text}"


@dataclass(frozen=True)
class Reading:
    """How one column of text is read.

    ``nearly`` is what all but a few of the values of a column of words are; ``unclear`` says that
    nothing tells the day from the month; ``before``, that a column of words was no words before,
    but ``nearly``; ``dots``, how those of a column are read that could mark thousands.
    """

    kind: Kind
    nearly: Kind | None = None
    unclear: bool = False
    before: bool = False
    dots: Dots | None = None

    def expression(self, text: pl.Expr) -> pl.Expr:
        values = self.kind.parse(clean(text))
        # The text "inf" is a number to polars; a missing value says it better.
        return pl.when(values.is_finite()).then(values) if self.kind.name in NUMBERS else values


def clean(text: pl.Expr) -> pl.Expr:
    """Text without the space around it, null where it says that the value is missing."""
    stripped = text.str.strip_chars()
    return pl.when(~stripped.is_in(MISSING)).then(stripped)


def unread(text: pl.Expr, kind: Kind) -> pl.Expr:
    """Whether cleaned text is there and not of a kind."""
    return text.is_not_null() & kind.parse(text).is_null()


def _no_leading_zero(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(LEADING_ZERO)).then(text)


def _integer(text: pl.Expr) -> pl.Expr:
    return _no_leading_zero(text).cast(pl.Int64, strict=False)


def _number(text: pl.Expr) -> pl.Expr:
    return _no_leading_zero(text).cast(pl.Float64, strict=False)


def _decimal_comma(text: pl.Expr) -> pl.Expr:
    plain = pl.when(text.str.contains(WITH_DECIMAL_COMMA)).then(text)
    return _number(plain.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))


def _thousands(text: pl.Expr) -> pl.Expr:
    plain = pl.when(text.str.contains(WITH_THOUSANDS)).then(text)
    return _number(plain.str.replace_all(",", "", literal=True))


def _boolean(text: pl.Expr) -> pl.Expr:
    lower = text.str.to_lowercase()
    return pl.when(lower.is_in(TRUE)).then(True).when(lower.is_in(FALSE)).then(False)


NUMBERS = ("number", "decimal comma", "thousands")
TEXT = Kind("text", lambda text: text)
EMPTY = Kind("empty", lambda text: pl.when(pl.lit(False)).then(text))
PLAIN = (Kind("boolean", _boolean), Kind("integer", _integer), Kind("number", _number))
COMMA = Kind("decimal comma", _decimal_comma)
THOUSANDS = Kind("thousands", _thousands)
# What would be numbers but for the zeros in front: not a mistake, but a column of names.
LOOSE = Kind("number", lambda text: text.cast(pl.Float64, strict=False))
MARKED = {kind.name: kind for kind in (PLAIN[-1], COMMA, THOUSANDS)}  # by their decimal mark


def readings_of(
    frame: pl.LazyFrame,
    columns: Sequence[str],
    *,
    decimal_comma: bool,
    before: Mapping[str, str] | None = None,
) -> dict[str, Reading]:
    """How to read each column of text, by all of its rows.

    ``decimal_comma``: whether 1,234 is less than two, as it is where columns are not divided by
    commas. ``before``: the full names of the kinds that columns had in an earlier table, and are to
    have again.
    """
    numbers = (COMMA,) if decimal_comma else (THOUSANDS, COMMA)
    before = before or {}
    choices = {name: _choices(name, numbers, before.get(name)) for name in columns}
    cleaned = frame.select(clean(pl.col(name)) for name in columns)
    head = cleaned.head(SAMPLE).collect(engine="streaming")
    samples = {name: head[name].drop_nulls().unique(maintain_order=True) for name in columns}
    kinds: dict[str, Kind] = {}
    pending = list(columns)
    for _ in range(ROUNDS):
        kinds |= {name: _proposed(samples[name], choices[name]) for name in pending}
        pending = _misfits(cleaned, [name for name in pending if kinds[name] is not TEXT], kinds)
        for name in pending:
            misfit = unread(pl.col(name), kinds[name])
            more = cleaned.select(name).filter(misfit).head(SAMPLE).collect(engine="streaming")
            samples[name] = pl.concat([samples[name], more[name].unique(maintain_order=True)])
        if not pending:
            break
    kinds |= dict.fromkeys(pending, TEXT)
    words = [name for name in columns if kinds[name] is TEXT]
    new = [name for name in words if name not in before]
    odd = _nearly(cleaned, {name: _closest(samples[name], choices[name]) for name in new})
    read = {
        name: _reading(cleaned, name, kinds[name], odd.get(name), before.get(name))
        for name in columns
    }
    for name in words:
        if choices[name] and name in before:
            read[name] = Reading(TEXT, _likest(samples[name], choices[name]), before=True)
    if decimal_comma:
        read |= _with_dots(cleaned, kinds, samples, before)
    return read


def _choices(name: str, numbers: Sequence[Kind], before: str | None) -> tuple[Kind, ...]:
    """What a column may be, the likeliest first; of one that was read before, nothing that would
    read the same text differently."""
    times = formats(name)
    if before is None:
        return (*PLAIN, *numbers, *(Kind("time", time.parse, time) for time in times))
    if before in MARKED:
        return (MARKED[before],)
    if before in ("boolean", "integer"):  # there was no decimal mark to tell
        return (*PLAIN, *numbers)
    word, _, text = before.partition(" ")
    if word != "time":
        return ()
    first = TimeFormat(text)
    if first.day_first is not None:
        times = [time for time in times if time.day_first in (None, first.day_first)]
    return tuple(Kind("time", time.parse, time) for time in (first, *times))


def _with_dots(
    frame: pl.LazyFrame,
    kinds: Mapping[str, Kind],
    samples: Mapping[str, pl.Series],
    before: Mapping[str, str],
) -> dict[str, Reading]:
    """The columns of numbers whose dots could be read both ways, each read in one."""
    numbers = [
        name
        for name, kind in kinds.items()
        if kind is MARKED["number"]
        and before.get(name) != kind.name
        and samples[name].str.contains(EITHER).all()
    ]
    by_column = dots(frame, numbers, [name for name, kind in kinds.items() if kind is COMMA])
    return {
        name: Reading(COMMA if each.thousands else kinds[name], dots=each)
        for name, each in by_column.items()
    }


def _likest(sample: pl.Series, choices: Sequence[Kind]) -> Kind:
    """The kind that most values of a sample are of."""
    frame = sample.to_frame("text")
    return max(choices, key=lambda kind: frame.select(kind.parse(pl.col("text")).count()).item())


def _reading(
    frame: pl.LazyFrame, name: str, kind: Kind, nearly: Kind | None, before: str | None
) -> Reading:
    if kind.time is None:
        return Reading(kind, nearly)
    if before is not None and TimeFormat(before.partition(" ")[2]).day_first is not None:
        return Reading(kind)  # nothing of the other order was a choice
    time = order(frame, pl.col(name), kind.time)
    if time is None:
        return Reading(TEXT, unclear=True)
    return Reading(Kind("time", time.parse, time))


def _proposed(sample: pl.Series, choices: Iterable[Kind]) -> Kind:
    """The first kind that all values of the sample are of."""
    if sample.is_empty():
        return EMPTY
    for values in (sample.head(PROBE), sample):
        frame = values.to_frame("text")
        choices = [
            kind
            for kind in choices
            if not frame.select(kind.parse(pl.col("text")).is_null().any()).item()
        ]
    return next(iter(choices), TEXT)


def _misfits(frame: pl.LazyFrame, names: Sequence[str], kinds: dict[str, Kind]) -> list[str]:
    """The columns some of whose values are not of their kind."""
    if not names:
        return []
    counts = frame.select(unread(pl.col(name), kinds[name]).any().alias(name) for name in names)
    misfits = counts.collect(engine="streaming").row(0, named=True)
    return [name for name in names if misfits[name]]


def _closest(sample: pl.Series, choices: Iterable[Kind]) -> Kind | None:
    """The kind that most of a sample of words is of, if that is not by chance."""
    values = sample.gather_every(max(1, len(sample) // 100)).to_frame("text")
    if values.select(pl.col("text").str.contains(r"\d").mean()).item() < MIXED:
        return None
    kinds = [LOOSE, *(kind for kind in choices if kind.name not in ("boolean", "integer"))]
    shares = [values.select(kind.parse(pl.col("text")).count()).item() for kind in kinds]
    best = max(range(len(kinds)), key=lambda index: shares[index])
    return kinds[best] if shares[best] >= MIXED * len(values) else None


def _nearly(frame: pl.LazyFrame, closest: dict[str, Kind | None]) -> dict[str, Kind]:
    """The kinds of those columns of words in which all but a few rows are numbers or times."""
    kinds = {name: kind for name, kind in closest.items() if kind is not None}
    if not kinds:
        return {}
    counts = frame.select(
        expression
        for name, kind in kinds.items()
        for expression in (
            pl.col(name).count().alias(f"{name} all"),
            kind.parse(pl.col(name)).count().alias(f"{name} read"),
        )
    )
    counted = counts.collect(engine="streaming").row(0)
    pairs = zip(kinds.items(), counted[::2], counted[1::2], strict=True)
    return {name: kind for (name, kind), rows, read in pairs if MIXED * rows <= read < rows}
