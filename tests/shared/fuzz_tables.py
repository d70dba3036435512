"""Small tables of every shape, with what is asked of them; then the same with odd columns."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

Flags = dict[str, str]
Shape = tuple[pl.DataFrame, Flags]

WORDS = (
    "red",
    "green",
    "blue",
    "café",
    "a, b",
    'say "no"',
    "two\nlines",
    "",
    "NA",
    "007",
    "-",
    "#",
)
ODD_NUMBERS = (1e308, -1e308, 1e-320, 1e38, -1e38, 2.0**63, float("inf"), float("nan"), 0.0, 1e20)
ODD_NAMES = (
    "^.*$", "*", "", " ", "[red]", "[/]", 'a "name"', "one, two", "two\nlines", "größe", "時間",
    "n" * 300, "target", "time", "--help",   "{x}", "\\d+", "column 1", "row",
    "literal", "len", "count", "item:", "text:x", "where", "a\tb", "🙂", "the series", "value 0",
    "all", "number", "rows", "cut", "by", "seen", "missing", "back", "step", "day", "time before",
    "train", "test", "sequence", "index", "text", "^", "$", "^a", "a.b", "where ", "target 0.5",
)  # fmt: skip


def series(draw: random.Random) -> Shape:
    """One series, with a time column or none."""
    rows = draw.choice((1, 5, 12, 30, 60, 60, 120, 120, 200))
    columns: dict[str, Any] = {}
    flags: Flags = {"--target": "sales"}
    moments = times(draw, rows)
    if moments is not None:
        columns["when"] = moments
        flags["--time"] = "when"
    columns["sales"] = numbers(draw, rows)
    columns |= inputs(draw, rows)
    if draw.random() < 0.3:
        columns["holiday"] = [draw.random() < 0.2 for _ in range(rows)]
        flags["--known"] = "holiday"
    return pl.DataFrame(columns, strict=False), flags | lengths(draw)


def panel(draw: random.Random) -> Shape:
    """Several series in long form, of the same times or of others."""
    names = draw.sample(("north", "south", "east", "west", "1", "2", "a b"), draw.randint(1, 5))
    parts = []
    rows, same = draw.choice((3, 20, 60)), draw.random()
    for name in names:
        count = rows if draw.random() < 0.7 else draw.randint(1, 60)
        moments = times(random.Random(same), count) or list(range(count))
        part = {"shop": [name] * count, "day": moments, "sales": numbers(draw, count)}
        parts.append(pl.DataFrame(part | inputs(draw, count), strict=False))
    flags = {"--target": "sales", "--series": "shop", "--time": "day"}
    return pl.concat(parts, how="diagonal_relaxed"), flags | lengths(draw)


def long(draw: random.Random) -> Shape:
    """Labelled sequences in long form."""
    count, classes = draw.choice((1, 12, 30, 30)), draw.randint(1, 4)
    parts, kind = [], draw.choice(("words", "whole", "numbers"))
    for number in range(count):
        steps = draw.choice((1, 4, 6))
        label: Any = number % classes
        if kind != "whole":
            label = f"label {label}" if kind == "words" else draw.gauss(label, 1)
        columns = {"gesture": [f"g{number}"] * steps, "step": list(range(steps))}
        columns |= {"x": numbers(draw, steps), "y": numbers(draw, steps)}
        parts.append(pl.DataFrame({**columns, "label": [label] * steps}, strict=False))
    return pl.concat(parts, how="vertical_relaxed"), {
        "--target": "label",
        "--sequence": "gesture",
        "--step": "step",
    }


def wide(draw: random.Random) -> Shape:
    """Labelled sequences, a row each."""
    rows, steps = draw.choice((1, 20, 40, 40)), draw.choice((2, 3, 8))
    columns: dict[str, Any] = {f"x{step}": numbers(draw, rows) for step in range(steps)}
    columns["label"] = [draw.choice(("yes", "no", "maybe")) for _ in range(rows)]
    return pl.DataFrame(columns, strict=False), {"--target": "label"}


SHAPES: tuple[Callable[[random.Random], Shape], ...] = (series, series, panel, long, wide)


def times(draw: random.Random, rows: int) -> list[Any] | None:
    start, kind = datetime(2024, 1, 1), draw.randrange(7)
    if kind == 0:
        return None
    if kind == 1:
        return list(range(rows))
    if kind == 2:
        return [date(2000 + n // 12, n % 12 + 1, 1) for n in range(rows)]
    if kind == 3:
        return [date(1800 + n, 1, 1) for n in range(rows)]
    gap = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=15))[kind - 4]
    moments = [start + gap * n for n in range(rows)]
    return [moment.date() for moment in moments] if kind == 4 else moments


def numbers(draw: random.Random, rows: int) -> list[Any]:
    kind = draw.randrange(6)
    found: list[Any] = [draw.gauss(0, 1) + n % 7 for n in range(rows)]
    if kind == 0:
        found = [round(number) for number in found]
    if kind == 1:
        found = [number if draw.random() < 0.9 else None for number in found]
    if kind == 2:
        found = [number * 1000 for number in found]
    return found


def inputs(draw: random.Random, rows: int) -> dict[str, Any]:
    """Some columns beside the target."""
    found: dict[str, Any] = {}
    if draw.random() < 0.4:
        found["price"] = numbers(draw, rows)
    if draw.random() < 0.3:
        found["colour"] = [draw.choice(WORDS[:3]) for _ in range(rows)]
    if draw.random() < 0.2:
        found["open"] = [draw.choice((True, False, None)) for _ in range(rows)]
    return found


def lengths(draw: random.Random) -> Flags:
    found = {}
    if draw.random() < 0.6:
        found = {"--horizon": draw.choice("1125"), "--context": draw.choice("1338")}
    return found


# Odd columns ------------------------------------------------------------------------------------


def odd_name(draw: random.Random, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """One column renamed: also in the flags, by {old: new}."""
    old, new = draw.choice(frame.columns), draw.choice(ODD_NAMES)
    if new in frame.columns:
        return frame, {}
    return frame.rename({old: new}), {old: new}


def odd_column(draw: random.Random, frame: pl.DataFrame) -> pl.DataFrame:
    """One column replaced by one of another type, or one more beside."""
    name = draw.choice([*frame.columns, "more"])
    return frame.with_columns(draw.choice(COLUMNS)(draw, len(frame)).alias(name))


def odd_values(draw: random.Random, frame: pl.DataFrame) -> pl.DataFrame:
    """Some values of one column replaced."""
    name = draw.choice(frame.columns)
    values = frame[name].to_list()
    kind = draw.randrange(5)
    for _ in range(draw.choice((1, 1, 3, len(values)))):
        if values:
            place = draw.randrange(len(values))
            choices = (draw.choice(ODD_NUMBERS), draw.choice(WORDS), None, values[0], "1,5")
            values[place] = choices[kind]
    kinds = {type(value) for value in values if value is not None}
    if not kinds <= {int, float} and len(kinds) > 1:
        values = [None if value is None else str(value) for value in values]
    return frame.with_columns(pl.Series(name, values, strict=False))


def odd_rows(draw: random.Random, frame: pl.DataFrame) -> pl.DataFrame:
    """None, one, sorted by another column, in any order, twice."""
    kind = draw.randrange(6)
    if kind < 2:
        return frame.head(kind)
    if kind == 2:
        return frame.reverse()
    if kind == 3:
        return frame.sample(len(frame), shuffle=True, seed=draw.randrange(1000))
    if kind == 4:
        return pl.concat([frame, frame.head(draw.randint(1, 3))])
    return frame.filter(
        pl.Series([draw.random() < 0.8 for _ in range(len(frame))], dtype=pl.Boolean)
    )


def only_odd_columns(draw: random.Random, frame: pl.DataFrame) -> pl.DataFrame:
    """All columns lists, structs or the like."""
    makers = COLUMNS[:4]
    return pl.DataFrame([draw.choice(makers)(draw, len(frame)).alias(n) for n in frame.columns])


def _series(values: list[Any], kind: Any = None) -> pl.Series:
    return pl.Series("", values, dtype=kind, strict=False)


COLUMNS: tuple[Callable[[random.Random, int], pl.Series], ...] = (
    lambda draw, rows: _series([[n, n] for n in range(rows)], pl.List(pl.Int64)),
    lambda draw, rows: _series([{"a": n, "b": "x"} for n in range(rows)]),
    lambda draw, rows: _series([[1.0, 2.0]] * rows, pl.Array(pl.Float64, 2)),
    lambda draw, rows: _series([bytes([n % 256]) for n in range(rows)], pl.Binary),
    lambda draw, rows: _series([Decimal(n) / 8 for n in range(rows)], pl.Decimal(20, 3)),
    lambda draw, rows: _series([timedelta(seconds=n) for n in range(rows)], pl.Duration("us")),
    lambda draw, rows: _series([str(n % 3) for n in range(rows)], pl.Categorical),
    lambda draw, rows: _series(
        [draw.choice(("7", "x", None)) for _ in range(rows)], pl.Categorical
    ),
    lambda draw, rows: _series([draw.choice(("u", "v")) for _ in range(rows)], pl.Enum(["u", "v"])),
    lambda draw, rows: _series([None] * rows),
    lambda draw, rows: _series([None] * rows, pl.Float64),
    lambda draw, rows: _series([3] * rows),
    lambda draw, rows: _series([2**64 - 1 - n for n in range(rows)], pl.UInt64),
    lambda draw, rows: _series([2**62 + n for n in range(rows)], pl.Int64),
    lambda draw, rows: _series([n % 5 for n in range(rows)], pl.Int8),
    lambda draw, rows: _series([n / 3 for n in range(rows)], pl.Float32),
    lambda draw, rows: _series(
        [datetime(2024, 3, 30) + timedelta(hours=n) for n in range(rows)], pl.Datetime("ns", "UTC")
    ).dt.convert_time_zone("Europe/Paris"),
    lambda draw, rows: _series(
        [datetime(1, 1, 1) + timedelta(days=n) for n in range(rows)], pl.Datetime("ms")
    ),
    lambda draw, rows: _series(
        [(datetime(2024, 1, 1) + timedelta(minutes=n)).time() for n in range(rows)], pl.Time
    ),
    lambda draw, rows: _series([draw.choice(ODD_NUMBERS) for _ in range(rows)]),
    lambda draw, rows: _series([draw.choice(WORDS) for _ in range(rows)]),
    lambda draw, rows: _series([f"word {n}" for n in range(rows)]),
    lambda draw, rows: _series([draw.choice(("train", "validation", "test")) for _ in range(rows)]),
)


# Files ------------------------------------------------------------------------------------------


def written(draw: random.Random, frame: pl.DataFrame, ending: str) -> bytes:
    """The frame as the bytes of a file of that ending."""
    out = io.BytesIO()
    if ending == ".parquet":
        frame.write_parquet(
            out, compression=draw.choice(("zstd", "snappy", "uncompressed", "gzip"))
        )
    elif ending == ".arrow":
        frame.write_ipc(out, compression=draw.choice(("uncompressed", "lz4", "zstd")))
    elif ending == ".ndjson":
        frame.select(_json(frame[name]) for name in frame.columns).write_ndjson(out)
    else:
        separator = "\t" if ending == ".tsv" else draw.choice(",,,,,,;;;||\t\t ")
        frame.select(_text(frame[name]) for name in frame.columns).write_csv(
            out,
            separator=separator,
            line_terminator=draw.choice(("\n", "\n", "\r\n")),
            include_bom=draw.random() < 0.1,
            quote_style=draw.choice(("necessary", "necessary", "always")),
        )
    return out.getvalue()


def _text(values: pl.Series) -> pl.Series:
    """What a text file has of a column that it cannot hold."""
    nested = values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Duration)
    return _words(values) if nested else values


def _json(values: pl.Series) -> pl.Series:
    exact = values.dtype in (pl.Binary, pl.Decimal, pl.Duration, pl.Time)
    return _words(values) if exact else values


def _words(values: pl.Series) -> pl.Series:
    return pl.Series(values.name, list(map(str, values)), dtype=pl.String)
