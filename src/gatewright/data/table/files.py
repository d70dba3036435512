"""Text files of rows and columns, looked over byte by byte before polars reads them.

Polars fills short rows with nothing, renames columns of the same name, and tells of broken bytes
without the line. Passes over the bytes, a chunk at a time, find all that with its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError, argument
from gatewright.wording.numbers import counted

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
OTHER_DELIMITERS = {" ": "space", ":": "colon", "^": "caret", "~": "tilde"}
CHUNK = 1 << 24  # bytes
SAMPLE = 200  # lines that the delimiter is found by

VALUE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}[-/.]\d{1,2}.*")


@dataclass(frozen=True)
class TextFile:
    """A file of delimited text that has been looked over.

    ``blank`` holds the numbers of the records, from 0 and without the header, that are empty lines:
    they are no rows. Of one column they are rows without a value, and ``blank`` is empty.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    blank: NDArray[np.int64]

    def line(self, row: int) -> int:
        """The line, from 1, on which a data row, from 0, starts. Reads the file up to there."""
        for number, (line, _) in enumerate(islice(self._records(), 1, None)):
            if number == row:
                return line
        raise IndexError(row)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        several = len(self.names) > 1
        for line, fields in records(self.path, self.delimiter):
            if fields or not several:
                yield line, fields


def look_over(path: Path, delimiter: str | None = None) -> TextFile:
    """Find the delimiter and the names of the columns, and check every byte and row.

    Raises:
        InputError: not UTF-8, not text, no header, no rows, rows of different lengths, ...
    """
    if delimiter is not None:
        check_delimiter(delimiter)
    check_text(path)
    if delimiter is None:
        delimiter = find_delimiter(path)
    names = _names(path, delimiter)
    rows, blank = _check_rows(path, delimiter, len(names))
    if rows == 0:
        raise InputError(
            f"{path.name} holds names of columns and no rows: add one row for each time or step."
        )
    return TextFile(path, delimiter, names, blank)


def check_delimiter(delimiter: str) -> None:
    """Check that a character can divide fields.

    Raises:
        InputError: it is not one character of one byte, or ends lines or quotes fields.
    """
    if len(delimiter.encode()) != 1 or delimiter in '\n\r"\0':
        raise InputError(
            f"{argument('delimiter')} is to be one character other than a quote and a line break, "
            f"or {', '.join(DELIMITERS.values())}, not {delimiter!r}"
        )


def check_text(path: Path) -> None:
    """Check that a file holds UTF-8 text.

    Raises:
        InputError: it is empty, binary or of another encoding.
    """
    _check_beginning(path)
    number = 0
    for chunk in _whole_lines(path):
        _check_chunk(path, chunk, number)
        number += len(chunk)


def records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of each record of delimited text; an empty line has no fields."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        line = 1
        try:
            for fields in reader:
                yield line, fields
                line = reader.line_num + 1
        except csv.Error:
            raise InputError(
                f"{path.name}, line {line}: a field is longer than {csv.field_size_limit():,} "
                "characters; shorten it, or close the quote that it begins with."
            ) from None


def find_delimiter(path: Path) -> str:
    """The delimiter that cuts most of the first lines into as many fields as the header.

    Raises:
        InputError: none of those that are read divides the header, but another character does.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = [line for line in islice(file, SAMPLE) if line.strip()]
    if not lines:
        raise InputError(f"{path.name} is empty: expected a line of column names, then rows.")
    fits = {delimiter: _fit(lines, delimiter) for delimiter in DELIMITERS}
    best = max(fits, key=lambda delimiter: fits[delimiter])
    if fits[best] > (0, 0):
        return best
    for delimiter, name in OTHER_DELIMITERS.items():
        share, fields = _fit(lines, delimiter)
        if share == 1 and len(lines) > 1:
            raise InputError(
                f"{path.name}: the columns seem to be divided by a {name} ({fields} on each line); "
                f"expected a {', '.join([*DELIMITERS.values()][:-1])} or vertical bar: save the "
                "file with one of these."
            )
    return ","


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    """(share of lines with as many fields as the first, number of these), (0, 0) for one field."""
    try:
        counts = [len(fields) for fields in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        return 0, 0
    if counts[0] < 2:
        return 0, 0
    # A tie of a delimiter that cuts the header only with one that fits nothing at all.
    return counts.count(counts[0]) / len(counts), counts[0]


def _names(path: Path, delimiter: str) -> tuple[str, ...]:
    line, header = next(((line, fields) for line, fields in records(path, delimiter) if fields))
    if line > 1:
        raise InputError(
            f"{path.name} starts with an empty line: expected the names of the columns on line 1."
        )
    names = [name.strip() for name in header]
    if _is_data(names):
        raise InputError(
            f"{path.name}, line 1: expected names of columns, found the values "
            f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}: "
            "put a line of names above them."
        )
    # Data frames are often written with a column of row numbers that has no name.
    named = tuple(name or f"column {number}" for number, name in enumerate(names, 1))
    check_names(named, f"{path.name}, line 1")
    return named


def check_names(names: tuple[str, ...], where: str) -> None:
    """Check that each column has a name of its own, and that none of them stands for others.

    Raises:
        InputError: two have the same name, or one is what polars takes for a pattern of names,
            wherever the name of a column can stand: "*", or from "^" to "$".
    """
    for number, name in enumerate(names, 1):
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise InputError(
                f"{where}: column {number} is named {name!r}, which is a pattern of names; give it "
                "another name."
            )
        numbers = [str(number) for number, other in enumerate(names, 1) if other == name]
        if len(numbers) > 1:
            raise InputError(
                f"{where}: columns {' and '.join(numbers)} are both named {name!r}; "
                "give each column a name of its own."
            )


def _is_data(names: list[str]) -> bool:
    values = [name for name in names if VALUE.fullmatch(name)]
    try:
        numbers = [float(value) for value in values]
    except ValueError:  # dates among them
        numbers = []
    # Steps, years or months as names: 0, 1, 2, ...
    counted = len(values) > 2 and (all(a < b for a, b in pairwise(numbers)) if numbers else True)
    if counted:
        return False
    return len(values) == len(names) or (len(values) > 2 and len(values) * 2 >= len(names))


def _check_beginning(path: Path) -> None:
    with path.open("rb") as file:
        beginning = file.read(1 << 16)
    if not beginning.strip(b"\xef\xbb\xbf \r\n\t"):
        raise InputError(f"{path.name} is empty: expected a line of column names, then rows.")
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            f"{path.name} is UTF-16 text (byte 0, line 1): expected UTF-8; save it as UTF-8."
        )
    if b"\r" in beginning and b"\n" not in beginning:
        raise InputError(
            f"{path.name} ends its lines with a carriage return only: expected line feeds; save "
            "it with the line ends of Unix or Windows."
        )


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The file in pieces that end where lines end; the last one may lack its end."""
    with path.open("rb") as file:
        rest = b""
        while piece := file.read(CHUNK):
            piece = rest + piece
            cut = piece.rfind(b"\n") + 1
            rest = piece[cut:]
            if cut:
                yield piece[:cut]
        if rest:
            yield rest


def _check_chunk(path: Path, chunk: bytes, offset: int) -> None:
    # A line feed is never part of another character, so whole lines decode by themselves.
    try:
        chunk.decode("utf-8")
    except UnicodeDecodeError as error:
        at, wrong = error.start, "UTF-8"
    else:
        at, wrong = chunk.find(b"\0"), "text"
    if at >= 0:
        raise InputError(
            f"{path.name}, line {_lines_before(path, offset + at) + 1}: byte {chunk[at]:#04x} at "
            f"offset {offset + at} is not {wrong}; expected a file of UTF-8 text: save it as UTF-8."
        )


def _lines_before(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        return file.read(offset).count(b"\n")


def _check_rows(path: Path, delimiter: str, columns: int) -> tuple[int, NDArray[np.int64]]:
    """(rows, which records are empty lines), after every row was found to have its columns."""
    records, offset, quoted, carried = -1, 0, 0, 0
    blank = [np.empty(0, dtype=np.int64)]
    for chunk in _whole_lines(path):
        closed = chunk if chunk.endswith(b"\n") else chunk + b"\n"
        data = np.frombuffer(closed, np.uint8)
        ends, marks = data == ord("\n"), data == ord(delimiter)
        if quoted or b'"' in chunk:
            quotes = data == ord('"')
            _check_quotes(path, data, quotes, ends | marks, quoted, offset)
            # A quote within a quoted field is written twice, and so leaves the parity alone.
            inside = (np.cumsum(quotes, dtype=np.int64) + quoted) & 1
            quoted = int(inside[-1])
            ends &= inside == 0
            marks &= inside == 0
        offset += len(chunk)
        ends_at, marks_at = np.flatnonzero(ends), np.flatnonzero(marks)
        upto = np.searchsorted(marks_at, ends_at)
        delimiters = np.diff(upto, prepend=-carried)
        carried = len(marks_at) - (int(upto[-1]) if len(upto) else -carried)
        if columns > 1:
            empty = _empty_lines(data, ends_at)
            blank.append(records + np.flatnonzero(empty))
            delimiters[empty] = columns - 1
        records += len(delimiters)
        if (delimiters != columns - 1).any():
            _say_ragged(path, delimiter, columns)
    if quoted:
        _say_open_quote(path)
    lines = np.concatenate(blank)
    return records - len(lines), lines


def _check_quotes(
    path: Path,
    data: NDArray[np.uint8],
    quotes: NDArray[np.bool_],
    divided: NDArray[np.bool_],
    quoted: int,
    offset: int,
) -> None:
    """Raise InputError for a quote in the middle of a field, unless it is a pair that hides no end.

    ``divided``: where fields end, were there no quotes; ``quoted``: whether the chunk, at
    ``offset`` of the file, begins within quotes.
    """
    positions = np.flatnonzero(quotes)
    edges = divided | quotes  # two quotes one after the other stand for one
    start = (
        divided[np.maximum(positions, 1) - 1]
        | quotes[np.maximum(positions, 1) - 1]
        | (positions == 0)
    )
    if not offset and data[:3].tobytes() == b"\xef\xbb\xbf":
        start |= positions == 3
    last = np.minimum(positions + 1, len(data) - 1)
    end = edges[last] | (data[last] == ord("\r"))
    opening = np.arange(quoted, len(positions), 2)  # every second one; its partner is the next
    closing = opening + 1
    until = np.append(positions, len(data))[closing]  # without one here it reaches past the chunk
    ended = np.append(end, True)[closing]
    fields = np.concatenate([[0], np.cumsum(divided)])
    hides = fields[until] > fields[positions[opening]]
    stray = np.where(start[opening], ~ended, hides)
    if stray.any():
        at = int(positions[opening[stray.argmax()]])
        raise InputError(
            f'{path.name}, line {_lines_before(path, offset + at) + 1}: a quote (") stands in the '
            "middle of a field; take it out, or put quotes round the whole field and write the one "
            'within twice ("").'
        )


def _empty_lines(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    lengths = np.diff(ends, prepend=-1)
    empty: NDArray[np.bool_] = (lengths == 1) | ((lengths == 2) & (data[ends - 1] == ord("\r")))
    return empty


def _say_ragged(path: Path, delimiter: str, columns: int) -> NoReturn:
    for line, fields in records(path, delimiter):
        if len(fields) not in (0, columns):
            raise InputError(
                f"{path.name}, line {line}: found {counted(len(fields), 'field')}, expected "
                f"{columns} as in the header, divided by a {DELIMITERS.get(delimiter, delimiter)}; "
                "complete the row, or put quotes round fields that hold the delimiter."
            )
    _say_open_quote(path)


def _say_open_quote(path: Path) -> NoReturn:
    with path.open("rb") as file:
        odd = next((n for n, line in enumerate(file, 1) if line.count(b'"') % 2), 1)
    raise InputError(
        f'{path.name}, line {odd}: a quote (") is not closed; close it, or write a quote within a '
        'quoted field twice ("").'
    )
