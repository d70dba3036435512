"""The formats of files that are read, by their endings."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gatewright.data.layout import Guess
from gatewright.data.table import json_lines
from gatewright.data.table.damage import check_ends, read_whole
from gatewright.data.table.files import DELIMITERS, TextFile, check_text, look_over


@dataclass(frozen=True)
class Raw:
    """What a reader of one format hands over: text columns are still text."""

    frame: pl.LazyFrame
    guesses: tuple[Guess, ...] = ()
    lines: Callable[[int], int] | None = None
    decimal_comma: bool = False


def _from_csv(path: Path, delimiter: str | None) -> Raw:
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
    return Raw(frame, _delimiter_guess(file), lines=file.line, decimal_comma=file.delimiter != ",")


def _delimiter_guess(file: TextFile) -> tuple[Guess, ...]:
    usual = "\t" if file.path.suffix.lower() in (".tsv", ".tab") else ","
    if file.delimiter == usual:
        return ()
    name = DELIMITERS.get(file.delimiter, file.delimiter)
    why = f"it divides the first lines into {len(file.names)} fields each"
    return (Guess(what="delimiter", value=name, argument="delimiter", why=why),)


def _from_ndjson(path: Path, _: str | None) -> Raw:
    check_text(path)
    # The only reader of polars that always takes a path for a pattern of paths.
    frame = pl.scan_ndjson(glob.escape(str(path)), infer_schema_length=None)
    try:
        # All of every row, because polars reads only what it is asked for.
        frame.select(pl.all().null_count()).collect(engine="streaming")
    except pl.exceptions.PolarsError:
        json_lines.say_broken(path)
        raise
    return Raw(frame, lines=json_lines.line_of(path))


def _from_parquet(path: Path, _: str | None) -> Raw:
    check_ends(path, "Parquet", b"PAR1", {b"PARE": "is an encrypted Parquet file; decrypt it."})
    return Raw(read_whole(path, "scan_parquet"))


def _from_arrow(path: Path, _: str | None) -> Raw:
    others = {
        b"\xff\xff\xff\xff": "is a stream of Arrow; write it as a file of Arrow (Feather).",
        b"FEA1": "is a Feather file of version 1; write it as version 2.",
    }
    check_ends(path, "Arrow", b"ARROW1", others)
    return Raw(read_whole(path, "scan_ipc"))


READERS: Mapping[str, Callable[[Path, str | None], Raw]] = {
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
