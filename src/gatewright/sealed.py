"""Files put in place whole, and records that tell whether they are as they were written.

A record is JSON with a digest of the rest of it, so that a byte that flipped on its way through a
disk is noticed and never becomes a number. A file that is not JSON is named with its digest by a
record, or carries its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gatewright.errors import InputError

Record = TypeVar("Record", bound=BaseModel)

DIGEST = "digest"  # the key that no record has otherwise


class DamagedError(InputError):
    """A file of ours that is missing, or not as it was written."""


def digest(*parts: bytes | memoryview) -> str:
    """32 hexadecimal characters that tell one content from another."""
    checksum = blake2b(digest_size=16)
    for part in parts:
        checksum.update(len(part).to_bytes(8, "little"))
        checksum.update(part)
    return checksum.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place at once: a reader finds the old one or the new one, never a part."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def refusing_damage(path: Path, remedy: str) -> Iterator[None]:
    """Tell in one sentence, a DamagedError, of a file that cannot be read or is not as it was.

    remedy: what to do then.
    """
    try:
        yield
        return
    except InputError:
        raise
    except OSError as error:
        wrong = "is missing" if isinstance(error, FileNotFoundError) else ""
        wrong = wrong or f"cannot be read ({error.strerror or 'it is not a file'})"
    except ValidationError:
        wrong = "is not what this version of Gatewright writes"
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        wrong = "is damaged, or was changed by hand"
    if path.is_dir():  # whatever a library made of it
        wrong = "is a folder, and a file is to be there; move it away"
    raise DamagedError(f"{path} {wrong}: {remedy}")


# Records ----------------------------------------------------------------------------------------


def write_record(path: Path, record: BaseModel) -> None:
    """One record as a file, indented for people."""
    write_whole(path, json.dumps(_sealed(record), indent=2, ensure_ascii=False).encode())


def read_record(path: Path, kind: type[Record], remedy: str) -> Record:
    """What ``write_record`` wrote. Raises DamagedError where it is something else."""
    with refusing_damage(path, remedy):
        return _opened(path.read_bytes(), kind)


def append_record(path: Path, record: BaseModel) -> None:
    """One more line of a journal, in place of a last one that a kill cut short."""
    line = _line(record)
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def write_records(path: Path, records: Iterable[BaseModel]) -> None:
    """A whole journal."""
    write_whole(path, b"".join(map(_line, records)))


def read_records(path: Path, kind: type[Record], remedy: str) -> list[Record]:
    """The records of a journal; a last line that a kill cut short does not count, and a missing
    file has none.

    Raises DamagedError, with the number of the line, where one is not as it was written.
    """
    records = []
    for number, record in _lines(path, kind, remedy):
        if record is None:
            raise DamagedError(f"{path}, line {number}, is damaged: {remedy}")
        records.append(record)
    return records


def sound_records(path: Path, kind: type[Record], remedy: str) -> tuple[list[Record], bool]:
    """The lines that are as they were written, and whether those are all.

    Raises DamagedError where the file cannot be read at all.
    """
    lines = [record for _, record in _lines(path, kind, remedy)]
    sound = [record for record in lines if record is not None]
    return sound, len(sound) == len(lines)


def _lines(path: Path, kind: type[Record], remedy: str) -> Iterator[tuple[int, Record | None]]:
    with refusing_damage(path, remedy):
        content = path.read_bytes() if os.path.lexists(path) else b""
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            yield number, _opened(line, kind)
        except (ValueError, RecursionError):
            yield number, None


def _line(record: BaseModel) -> bytes:
    return json.dumps(_sealed(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _sealed(record: BaseModel) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(record.model_dump_json())
    return {**value, DIGEST: _digest_of(value)}


def _opened(content: bytes, kind: type[Record]) -> Record:
    value = json.loads(content)
    if not isinstance(value, dict) or DIGEST not in value:
        return kind.model_validate(None)  # which raises: this is another's file
    if value.pop(DIGEST) != _digest_of(value):
        raise ValueError("a digest that is another's")
    return kind.model_validate(value)


def _digest_of(value: dict[str, Any]) -> str:
    return digest(json.dumps(value, sort_keys=True).encode())
