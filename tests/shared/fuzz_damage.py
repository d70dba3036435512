"""What goes wrong with files and with what people type: bytes, lines, flags, each by a draw."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from fuzz_tables import ODD_NAMES, Flags

Damage = Callable[[random.Random, bytes], bytes]

FIELDS = (
    b"", b" ", b"x", b"inf", b"-inf", b"nan", b"NaN", b"1e400", b"1e308", b"-1e-320", b"1,5",
    b'"', b'""', b'a"b', b"'", b"\t", b";", b"0x1f", b"9" * 40, b"2024-02-30", b"30/02/2024",
    b"24:00", b"true", b"[1, 2]", b"{}", b"\xff", b"\x00", "é".encode("latin-1"), "\u2028".encode(),
    b"#", b"\\N", b"1_000", b"+5", b"--5", b"1.2.3", b"0001-01-01", b"99999-01-01", b"null",
)  # fmt: skip


def cut(draw: random.Random, content: bytes) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def flip(draw: random.Random, content: bytes) -> bytes:
    found = bytearray(content)
    for _ in range(draw.choice((1, 3, 20)) if found else 0):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def insert(draw: random.Random, content: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + draw.choice(FIELDS) + content[at:]


def remove(draw: random.Random, content: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + content[at + draw.randint(1, 40) :]


def null(draw: random.Random, content: bytes) -> bytes:
    return draw.choice((b"null", b"", b"[]", b"{}", b"\n", b"\0" * 64, b'"text"', b"[null]"))


BYTES: tuple[Damage, ...] = (cut, flip, insert, remove, null)


# Text files -------------------------------------------------------------------------------------


def line_gone(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        del lines[draw.randrange(min(len(lines), 4) if draw.random() < 0.5 else len(lines))]
    return b"".join(lines)


def line_twice(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        at = draw.randrange(len(lines))
        lines.insert(at, lines[at])
    return b"".join(lines)


def lines_swapped(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        one, two = draw.randrange(len(lines)), draw.randrange(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def blank_lines(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    more = draw.choice((b"\n", b"\r\n", b"  \n", b"# a comment\n", b'""\n', b",,\n"))
    for _ in range(draw.choice((1, 3))):
        lines.insert(draw.randrange(len(lines) + 1), more)
    return b"".join(lines)


def _field(draw: random.Random, content: bytes, lines: Sequence[int] | None = None) -> bytes:
    rows = content.split(b"\n")
    divider = max((b",", b";", b"\t", b"|"), key=rows[0].count)
    new = draw.choice(FIELDS)
    column = draw.randrange(rows[0].count(divider) + 1)
    for at in lines if lines is not None else [draw.randrange(len(rows))]:
        fields = rows[at].split(divider)
        if column < len(fields):
            fields[column] = new if draw.random() < 0.7 else fields[column] + new
            rows[at] = divider.join(fields)
    return b"\n".join(rows)


def field(draw: random.Random, content: bytes) -> bytes:
    return _field(draw, content)


def fields(draw: random.Random, content: bytes) -> bytes:
    """The same column of every line but the first."""
    return _field(draw, content, range(1, content.count(b"\n")))


def header(draw: random.Random, content: bytes) -> bytes:
    return _field(draw, content, [0])


def same_name(draw: random.Random, content: bytes) -> bytes:
    first, end, rest = content.partition(b"\n")
    names = first.split(b",")
    names[draw.randrange(len(names))] = names[0]
    return b",".join(names) + end + rest


def encoding(draw: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", errors="replace")
    kind = draw.choice(("utf-16", "latin-1", "cp1252", "utf-8-sig", "utf-32", "utf-16-le"))
    return text.encode(kind, errors="replace")


def line_ends(draw: random.Random, content: bytes) -> bytes:
    return content.replace(b"\n", draw.choice((b"\r", b"\r\n", b"\r\r\n", b"\n\n", b"\n\r")))


def quotes(draw: random.Random, content: bytes) -> bytes:
    """A quote within the second field of every line, as inches are written."""
    rows = [row.partition(b",") for row in content.split(b"\n")]
    middle = draw.choice((b'5" ', b'"', b'x"y"z'))
    return b"\n".join(one + comma + middle * bool(comma) + rest for one, comma, rest in rows)


LINES: tuple[Damage, ...] = (
    line_gone, line_twice, lines_swapped, blank_lines, field, field, field, fields, fields, header,
    same_name, encoding, line_ends, quotes,
)  # fmt: skip


def damaged(draw: random.Random, content: bytes, ending: str) -> bytes:
    """The content of a file after none to three accidents."""
    text = ending in (".csv", ".tsv", ".ndjson")
    for _ in range(
        draw.choice((0, 0, 0, 0, 0, 0, 1, 1, 2, 3)) if text else draw.choice((0, 0, 0, 1))
    ):
        content = draw.choice(LINES if text and draw.random() < 0.75 else BYTES)(draw, content)
    return content


# Flags ------------------------------------------------------------------------------------------

VALUES = (
    "", " ", "0", "-1", "1", "3", "1.5", "nan", "inf", "1e9", "x", "99999999999999999999", "1,2,3",
    "0.5,0.25,0.25", "nan,0.1,0.2", "10,5,5", "-5,5,5", "*", "[red]", "^.*$", "true", "None",
    "1d", "0d", "1i", "999999999d", "1mo2d", "comma", "::", "\n", "\r", '"', "\t", "é", "sales",
    "label", "when", "sales,when", "sales,sales", "gru", "gru,gru", "gru,", "lstn", "ets",
    "last_value", "forecast", "classify", "regress", "time", "parameters", "quick", "a b",
)  # fmt: skip
TABLE = (
    "target", "task", "time", "series", "sequence", "step", "known", "categories", "ignore",
    "group", "split", "horizon", "context", "season", "frequency", "delimiter", "shares", "rows",
)  # fmt: skip
OF_COMMANDS = {
    "compare": (*TABLE, "cells", "baselines", "budget", "settings", "seeds", "epochs",
                "parameters", "equal", "truncate", "jobs", "class-weights", "nonsense"),
    "fit": (*TABLE, "cell", "hidden-size", "num-layers", "learning-rate", "dropout", "seed",
            "epochs", "budget", "truncate", "class-weights", "json", "nonsense"),
    "predict": ("model", "delimiter", "plot", "-o", "nonsense"),
    "report": ("nonsense",),
}  # fmt: skip


def asked(draw: random.Random, flags: Flags, command: str) -> Flags:
    """Some flags left out, and some with values of a wrong kind."""
    found = {flag: value for flag, value in flags.items() if draw.random() < 0.95}
    for _ in range(draw.choice((0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2))):
        flag = draw.choice(OF_COMMANDS[command])
        values = VALUES if draw.random() < 0.8 else (*ODD_NAMES, *found.values())
        found[flag if flag.startswith("-") else f"--{flag}"] = draw.choice(values)
    return found


def accident(draw: random.Random, folder: Path) -> str:
    """One file of a run cut, changed, emptied or gone; says which."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = draw.choice(files)
    damage = draw.choice((*BYTES, None))
    if damage is None:
        path.unlink()
        return f"{path.name} gone"
    path.write_bytes(damage(draw, path.read_bytes()))
    return f"{path.name}: {damage.__name__}"
