"""From a file or a data frame to a table: lazily scanned columns of known types.

The type of a column comes from all of its rows. Text is read lazily as text; a sample proposes a
type for each column, and one pass of aggregations over the whole table confirms it or brings the
rows that do not fit into the sample. Nothing is ever in memory as a whole, and 5 million rows of
CSV take about two seconds; polars' own inference over all rows took 38.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gatewright.data.layout import Guess
from gatewright.data.table import joined, marks, spread
from gatewright.data.table.damage import check_times, naming_damage
from gatewright.data.table.files import check_names
from gatewright.data.table.formats import READERS, Raw
from gatewright.data.table.frames import FRAME, Native, from_frame
from gatewright.data.table.joined import Derived
from gatewright.data.table.kinds import EMPTY, Reading, clean, readings_of, unread
from gatewright.data.table.spread import Spread
from gatewright.errors import InputError, argument
from gatewright.requests import Columns

NOTHING = Columns()


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
    own: tuple[str, ...] = ()  # the columns of the source, of which some may be made into others
    source: Path | None = None
    guesses: tuple[Guess, ...] = ()  # how the file is written
    derived: Mapping[str, str] = field(default_factory=dict)  # added column -> of what it is made
    joined: tuple[str, ...] = ()  # columns that hold its time together; the added one holds it too
    ignored: Mapping[str, str] = field(default_factory=dict)  # column -> why it is of no use
    faults: Mapping[str, str] = field(default_factory=dict)  # column -> why it has no one type
    readings: Mapping[str, str] = field(default_factory=dict)  # column of text, or added -> how
    misfits: Mapping[str, str] = field(default_factory=dict)  # column -> why not as it was before
    unspread: str = ""  # why columns that are called as months or so are no rows, and what to do
    lines: Callable[[int], int] | None = field(default=None, repr=False, compare=False)
    native: Native | None = field(default=None, repr=False, compare=False)  # of a data frame
    # Where a row was made of a part of one of the file: the number of that.
    origins: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    def where(self, row: int) -> str:
        """A data row, from 0, in words: "row 17 (line 18) of sales.csv"."""
        return f"{self.row_in_words(row)} of {self.name}"

    def row_in_words(self, row: int) -> str:
        """The same where the table was named before: "row 17 (line 18)"."""
        row = row if self.origins is None else int(self.origins[row])
        line = f" (line {self.lines(row)})" if self.lines is not None else ""
        return f"row {row + 1}{line}"

    def collect(self, query: pl.LazyFrame) -> pl.DataFrame:
        """Run a query on the table, in a stream.

        Raises:
            InputError: the file cannot be read to its end.
        """
        with naming_damage(self.name):
            return query.collect(engine="streaming")

    def apart(self) -> Table:
        """Without a time that was made of several columns, which are columns as others again."""
        if not self.joined:
            return self
        schema = {name: dtype for name, dtype in self.schema.items() if name not in self.derived}
        return dataclasses.replace(
            self,
            frame=self.frame.select(list(schema)),
            schema=schema,
            ignored={name: why for name, why in self.ignored.items() if name not in self.joined},
            derived={},
            joined=(),
        )


@contextmanager
def about(table: Table) -> Iterator[None]:
    """Put the name of the table, which few modules know, before errors that lack it."""
    try:
        yield
    except InputError as error:
        if table.name in str(error):
            raise
        raise InputError(f"{table.name}: {error}") from None


def read(
    source: Any,
    *,
    delimiter: str | None = None,
    readings: Mapping[str, str] | None = None,
    said: Columns = NOTHING,
) -> Table:
    """Open a table.

    Args:
        source: a path to a file of CSV, TSV, NDJSON, Parquet or Arrow (Feather), or any data
            frame that narwhals reads: polars (eager or lazy), pandas, pyarrow, ...
        delimiter: of a CSV file, where the guess is wrong.
        readings: of another table, ``Table.readings``: its columns of text are read as there, and
            its rows cut and its times made as there.
        said: what was said of the columns, which may be of another reading of the rows.

    Raises:
        InputError: the source cannot be read; the sentence says where and what to do.
    """
    if not isinstance(source, str | Path):
        frame, native = from_frame(source)
        table = _shaped(_typed(Raw(frame), FRAME, None, readings), readings, said)
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
    return _shaped(_typed(raw, path.name, path, readings), readings, said)


def _formats() -> str:
    return f"CSV, TSV, NDJSON, Parquet or Arrow ({', '.join(READERS)})"


def _typed(raw: Raw, name: str, source: Path | None, before: Mapping[str, str] | None) -> Table:
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
        readings = readings_of(
            frame, texts, decimal_comma=raw.decimal_comma, before=_of_text(before)
        )
        frame = frame.with_columns(
            reading.expression(pl.col(column)).alias(column) for column, reading in readings.items()
        )
        frame = joined.whole_parts(frame)
        types = {**frame.collect_schema()}
        _check_plain(types, name)
    open_dots = {column: reading.dots for column, reading in readings.items() if reading.dots}
    guesses = (*raw.guesses, *marks.guesses(open_dots))
    table = Table(name, frame, types, rows, tuple(types), source, guesses, lines=raw.lines)
    names = {column: reading.kind.full_name for column, reading in readings.items()}
    kept = {column: kind for column, kind in names.items() if kind != EMPTY.name}
    table = dataclasses.replace(table, readings=kept)
    return _with_faults(table, raw.frame, readings)


def _named(raw: Raw) -> Raw:
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


def _of_text(readings: Mapping[str, str] | None) -> dict[str, str] | None:
    """Without those of columns that were added."""
    if readings is None:
        return None
    marks = (joined.MARK, spread.MARK)
    return {name: how for name, how in readings.items() if not how.startswith(marks)}


def _shaped(table: Table, before: Mapping[str, str] | None, said: Columns) -> Table:
    """With the time that several columns hold together, and a row for each step of a series."""
    asked = joined.several(said.time, table.schema)
    with naming_damage(table.name):
        if before is not None:
            made = joined.derive_again(table.frame, table.schema, before, table.name)
        elif asked:
            made = joined.derive_from(table.frame, table.schema, asked, table.name)
        else:
            made = joined.derive(table.frame, table.schema)
        table = _with_derived(table, made)
        faults = {**table.faults, **table.misfits}
        rows = spread.Rows(table.frame, table.schema, faults, table.row_in_words)
        if before is not None:
            return _with_steps(table, spread.find_again(rows, before, table.name))
        cut, why = spread.find_spread(rows)
        if cut is not None and spread.otherwise(cut, said):
            return table
        return _with_steps(dataclasses.replace(table, unspread=why), cut)


def _with_derived(table: Table, made: Derived | None) -> Table:
    if made is None:
        return table
    return dataclasses.replace(
        table,
        frame=table.frame.with_columns(made.expression.alias(made.name)),
        schema={**table.schema, made.name: made.dtype},
        derived={made.name: made.words},
        joined=made.columns,
        readings={**table.readings, made.name: made.reading},
        ignored=dict.fromkeys(made.columns, f"part of the column {made.name}"),
    )


def _with_steps(table: Table, cut: Spread | None) -> Table:
    if cut is None:
        return table
    frame, origins = cut.long(table.frame)
    if not len(origins):
        raise InputError(f"{table.name} has no value in {cut.words}; give some.")
    schema = {name: table.schema[name] for name in table.schema if name not in cut.columns}
    beside = f"one for a whole {cut.unit.whole}, of which the rows are {cut.unit.name}s"
    part = f"part of the column {cut.time}"
    return dataclasses.replace(
        table,
        frame=frame,
        schema={**schema, **cut.schema},
        rows=len(origins),
        origins=origins,
        guesses=(*table.guesses, cut.guess()),
        derived={cut.time: cut.words},
        joined=(),
        readings={**table.readings, cut.value: cut.reading},
        ignored={**dict.fromkeys(cut.beside, beside), **table.ignored, cut.whole: part},
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
