"""From a file or a data frame to a table: lazily scanned columns of known types.

The type of a column comes from all of its rows. Text is read lazily as text; a sample proposes a
type for each column, and one pass of aggregations over the whole table confirms it or brings the
rows that do not fit into the sample. Nothing is ever in memory as a whole, and 5 million rows of
CSV take about two seconds; polars' own inference over all rows took 38.
"""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from gatewright.data.layout import Guess
from gatewright.data.table import json_lines, marks
from gatewright.data.table.damage import check_ends, check_times, naming_damage, read_whole
from gatewright.data.table.files import DELIMITERS, TextFile, check_names, check_text, look_over
from gatewright.data.table.frames import FRAME, Native, from_frame
from gatewright.data.table.kinds import EMPTY, Reading, clean, readings_of, unread
from gatewright.data.table.times import Derived, derive
from gatewright.errors import InputError, argument


@dataclass(frozen=True)
class Table:
    """A table of columns, scanned when it is asked and never read whole.

    The types are ``Int64``, ``Float64`` (missing is null, never NaN), ``Boolean``, ``String``,
    ``Date``, ``Datetime("us")`` (with the zone of a data frame, or UTC where text gives offsets),
    or those that are no input (lists).
    """

    name: str  # of the file, or "the data frame"
    frame: pl.LazyFrame
    schema: Mapping[str, pl.DataType]
    rows: int
    source: Path | None = None
    guesses: tuple[Guess, ...] = ()  # how the file is written
    derived: Mapping[str, str] = field(default_factory=dict)  # added column -> of what it is made
    ignored: Mapping[str, str] = field(default_factory=dict)  # column -> why it is of no use
    faults: Mapping[str, str] = field(default_factory=dict)  # column -> why it has no one type
    readings: Mapping[str, str] = field(default_factory=dict)  # column of text -> how it is read
    misfits: Mapping[str, str] = field(default_factory=dict)  # column -> why not as it was before
    lines: Callable[[int], int] | None = field(default=None, repr=False, compare=False)
    native: Native | None = field(default=None, repr=False, compare=False)  # of a data frame

    def where(self, row: int) -> str:
        """A data row, from 0, in words: "row 17 (line 18) of sales.csv"."""
        return f"{self.row_in_words(row)} of {self.name}"

    def row_in_words(self, row: int) -> str:
        """The same where the table was named before: "row 17 (line 18)"."""
        line = f" (line {self.lines(row)})" if self.lines is not None else ""
        return f"row {row + 1}{line}"

    def collect(self, query: pl.LazyFrame) -> pl.DataFrame:
        """Run a query on the table, in a stream.

        Raises:
            InputError: the file cannot be read to its end.
        """
        with naming_damage(self.name):
            return query.collect(engine="streaming")


@contextmanager
def about(table: Table) -> Iterator[None]:
    """Put the name of the table, which few modules know, before errors that lack it."""
    try:
        yield
    except InputError as error:
        if table.name in str(error):
            raise
        raise InputError(f"{table.name}: {error}") from None


@dataclass(frozen=True)
class _Raw:
    """What a reader of one format hands over: text columns are still text."""

    frame: pl.LazyFrame
    guesses: tuple[Guess, ...] = ()
    lines: Callable[[int], int] | None = None
    decimal_comma: bool = False


def read(
    source: Any, *, delimiter: str | None = None, readings: Mapping[str, str] | None = None
) -> Table:
    """Open a table.

    Args:
        source: a path to a file of CSV, TSV, NDJSON, Parquet or Arrow (Feather), or any data
            frame that narwhals reads: polars (eager or lazy), pandas, pyarrow, ...
        delimiter: of a CSV file, where the guess is wrong.
        readings: of another table, ``Table.readings``: its columns of text are read as there.

    Raises:
        InputError: the source cannot be read; the sentence says where and what to do.
    """
    if not isinstance(source, str | Path):
        frame, native = from_frame(source)
        table = _typed(_Raw(frame), FRAME, None, readings)
        return dataclasses.replace(table, native=native)
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist; give the path of a file of {_formats()}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the path of a file of {_formats()}.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path.name} ends in {path.suffix or 'no extension'}; files of {_formats()} are read: "
            "rename it if it is one of these, or save it as one."
        )
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty; expected a table of {_formats()}.")
        with naming_damage(path.name, pl.exceptions.PolarsError):
            raw = reader(path, delimiter)
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}.") from None
    return _typed(raw, path.name, path, readings)


def _formats() -> str:
    return f"CSV, TSV, NDJSON, Parquet or Arrow ({', '.join(READERS)})"


def _typed(raw: _Raw, name: str, source: Path | None, before: Mapping[str, str] | None) -> Table:
    with naming_damage(name):
        raw = _named(raw)
        schema = dict(raw.frame.collect_schema())
        if not schema:
            raise InputError(f"{name} has no columns; expected a table of named columns.")
        check_names(tuple(schema), name)
        rows = int(raw.frame.select(pl.len()).collect(engine="streaming").item())
        if rows == 0:
            raise InputError(f"{name} holds no rows: add one row for each time or step.")
        check_times(raw.frame, schema, name)
        frame = raw.frame.select(_plain(column, dtype) for column, dtype in schema.items())
        texts = [column for column, dtype in frame.collect_schema().items() if dtype == pl.String]
        readings = readings_of(frame, texts, decimal_comma=raw.decimal_comma, before=before)
        frame = frame.with_columns(
            reading.expression(pl.col(column)).alias(column) for column, reading in readings.items()
        )
        types = {**frame.collect_schema()}
        _check_plain(types, name)
        made = derive(frame, types)
    open_dots = {column: reading.dots for column, reading in readings.items() if reading.dots}
    guesses = (*raw.guesses, *marks.guesses(open_dots))
    table = Table(name, frame, types, rows, source, guesses, lines=raw.lines)
    names = {column: reading.kind.full_name for column, reading in readings.items()}
    kept = {column: kind for column, kind in names.items() if kind != EMPTY.name}
    table = dataclasses.replace(table, readings=kept)
    return _with_faults(_with_derived(table, made), raw.frame, readings)


def _named(raw: _Raw) -> _Raw:
    """With a name for a column that has none, as one of row numbers often is."""
    names = raw.frame.collect_schema().names()
    if "" not in names:
        return raw
    name = f"column {names.index('') + 1}"
    while name in names:
        name += "'"
    return dataclasses.replace(raw, frame=raw.frame.rename({"": name}))


WORDS = {
    pl.Int64: "whole numbers", pl.Float64: "numbers", pl.Boolean: "true and false",
    pl.String: "words", pl.Date: "dates", pl.Datetime: "times", pl.Time: "times of day",
    pl.Duration: "lengths of time", pl.List: "lists", pl.Array: "lists", pl.Struct: "structures",
    pl.Binary: "bytes", pl.Object: "objects",
}  # fmt: skip


def in_words(dtype: pl.DataType) -> str:
    """What a column of a type holds, as people say it: "whole numbers", "lists"."""
    return WORDS[dtype.base_type()]


def is_plain(dtype: pl.DataType) -> bool:
    """Whether a column of a table holds single numbers, words or times."""
    return dtype in (pl.Int64(), pl.Float64(), pl.Boolean(), pl.String()) or dtype.is_temporal()


def _check_plain(types: Mapping[str, pl.DataType], name: str) -> None:
    if not any(map(is_plain, types.values())):
        kinds = dict.fromkeys(map(in_words, types.values()))
        raise InputError(
            f"{name} has no column of numbers, words or times, only of {' and '.join(kinds)}; "
            "write the parts of each value as columns of their own."
        )


def _plain(column: str, dtype: pl.DataType) -> pl.Expr:
    """A column in one of the few types that a table has."""
    values = pl.col(column)
    if dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128, pl.UInt128):
        return values.cast(pl.Int64)
    if dtype.is_numeric():
        numbers = values.cast(pl.Float64)
        return pl.when(numbers.is_finite()).then(numbers).alias(column)
    if dtype in (pl.Categorical, pl.Enum, pl.Null):
        return values.cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        return values.dt.cast_time_unit("us")
    return values


def _with_derived(table: Table, made: Derived | None) -> Table:
    if made is None:
        return table
    together = f"{', '.join(made.columns[:-1])} and {made.columns[-1]}"
    return dataclasses.replace(
        table,
        frame=table.frame.with_columns(made.expression.alias(made.name)),
        schema={**table.schema, made.name: made.dtype},
        derived={made.name: together},
        ignored=dict.fromkeys(made.columns, f"part of the column {made.name}"),
    )


def _with_faults(table: Table, raw: pl.LazyFrame, readings: Mapping[str, Reading]) -> Table:
    """Explain the columns that are numbers in all but a few rows, and the dates of two readings."""
    faults: dict[str, str] = {}
    misfits: dict[str, str] = {}
    for column, reading in readings.items():
        if reading.nearly is not None:
            what = "numbers" if reading.nearly.time is None else "times"
            odd = unread(pl.col("text"), reading.nearly)
            cleaned = raw.select(clean(pl.col(column)).alias("text")).with_row_index("row")
            row, value = table.collect(cleaned.filter(odd).head(1)).row(0)
            if reading.before:
                how = reading.nearly.full_name
                misfits[column] = (
                    f"{table.where(row)}: column {column!r} holds {value!r}, and is read as it was "
                    f"in training, as {how}: write the value so, or leave it empty."
                )
                continue
            faults[column] = (
                f"column {column!r} holds {what}, but in {table.where(row)} it holds {value!r}; "
                "correct the value or leave it empty; if these are names, say "
                f"{argument('categories', column)} ({argument('task', 'classify')} if they are the "
                f"target) or {argument('ignore', column)}."
            )
        elif reading.unclear:
            faults[column] = (
                f"column {column!r} of {table.name} holds dates that can be read day first or "
                f"month first; write them as 2024-01-31, or say {argument('ignore', column)}."
            )
    return dataclasses.replace(table, faults=faults, misfits=misfits)


def _from_csv(path: Path, delimiter: str | None) -> _Raw:
    file = look_over(path, delimiter)
    number = "row" + "'" * max(map(len, file.names))  # a name that no column has
    frame = pl.scan_csv(
        path,
        separator=file.delimiter,
        infer_schema=False,
        new_columns=list(file.names),
        glob=False,
        row_index_name=number if len(file.blank) else None,
    )
    if len(file.blank):
        # Polars takes an empty line for a row of nothing, as one of delimiters alone is.
        frame = frame.filter(~pl.col(number).is_in(file.blank.tolist())).drop(number)
    return _Raw(frame, _delimiter_guess(file), lines=file.line, decimal_comma=file.delimiter != ",")


def _delimiter_guess(file: TextFile) -> tuple[Guess, ...]:
    usual = "\t" if file.path.suffix.lower() in (".tsv", ".tab") else ","
    if file.delimiter == usual:
        return ()
    name = DELIMITERS.get(file.delimiter, file.delimiter)
    why = f"it divides the first lines into {len(file.names)} fields each"
    return (Guess(what="delimiter", value=name, argument="delimiter", why=why),)


def _from_ndjson(path: Path, _: str | None) -> _Raw:
    check_text(path)
    # The only reader of polars that always takes a path for a pattern of paths.
    frame = pl.scan_ndjson(glob.escape(str(path)), infer_schema_length=None)
    try:
        # All of every row, because polars reads only what it is asked for.
        frame.select(pl.all().null_count()).collect(engine="streaming")
    except pl.exceptions.PolarsError:
        json_lines.say_broken(path)
        raise
    return _Raw(frame, lines=json_lines.line_of(path))


def _from_parquet(path: Path, _: str | None) -> _Raw:
    check_ends(path, "Parquet", b"PAR1", {b"PARE": "is an encrypted Parquet file; decrypt it."})
    return _Raw(read_whole(path, "scan_parquet"))


def _from_arrow(path: Path, _: str | None) -> _Raw:
    others = {
        b"\xff\xff\xff\xff": "is a stream of Arrow; write it as a file of Arrow (Feather).",
        b"FEA1": "is a Feather file of version 1; write it as version 2.",
    }
    check_ends(path, "Arrow", b"ARROW1", others)
    return _Raw(read_whole(path, "scan_ipc"))


READERS: Mapping[str, Callable[[Path, str | None], _Raw]] = {
    ".csv": _from_csv,
    ".tsv": _from_csv,
    ".tab": _from_csv,
    ".ndjson": _from_ndjson,
    ".jsonl": _from_ndjson,
    ".parquet": _from_parquet,
    ".pq": _from_parquet,
    ".arrow": _from_arrow,
    ".ipc": _from_arrow,
    ".feather": _from_arrow,
}
