"""Folders to write to: whose they are, and what is left of one if its work fails."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewright.errors import InputError, argument

LOCK = ".lock"
ANOTHER = f"choose another folder ({argument('out')})"  # also where it is an argument of Python


def named(path: str | Path, what: str = "the name of the folder") -> Path:
    """A path that a person gave. Raises InputError for an empty one, which would be the folder
    that the program was started in."""
    if isinstance(path, str) and not path.strip():
        raise InputError(f"{what} is empty: give one")
    return Path(path)


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; in the end, those that are still empty are removed.

    Raises InputError where it cannot be made or written to.
    """
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        if os.path.lexists(folder) and not folder.is_dir():
            raise InputError(f"{folder} is to be a folder, and is a file: {ANOTHER}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise _unwritable(folder, error) from None
        yield
    finally:
        for one in missing:
            with contextlib.suppress(OSError):  # it is not there, or not empty
                one.rmdir()


@contextlib.contextmanager
def claimed(
    folder: Path,
    record: str,
    what: str,
    *,
    writes: Collection[str] = (),
    early: Collection[str] = (),
    lock: bool = True,
) -> Iterator[None]:
    """Make a folder, or take one that is empty or holds ``record``, the file that says whose it is.

    If the body raises and there is no record, nothing that it wrote is left, and no folder made for
    it. The caller reads the record to find out whether it is ours.

    Args:
        folder: a new one, an empty one, or one of ours.
        record: the name of the file.
        what: the folder holds, as "a fit".
        writes: names, below the folder, of what is written without a record.
        early: names that may stand there without a record, after a kill.
        lock: keep others out until the end.

    Raises:
        InputError: the folder holds something else, is in use, or cannot be written.
    """
    with made(folder):
        _check_ours(folder, record, what, early)
        new = [name for name in (LOCK, *writes) if not os.path.lexists(folder / name)]
        with _locked(folder) if lock else contextlib.nullcontext():
            try:
                yield
            except BaseException:
                if not os.path.lexists(folder / record):
                    remove(folder, [record, *new])
                raise


def _check_ours(folder: Path, record: str, what: str, early: Collection[str]) -> None:
    known = {record, LOCK, *early}
    try:
        others = [path.name for path in folder.iterdir() if _whole_name(path.name) not in known]
    except OSError as error:
        raise _unwritable(folder, error) from None
    if others and not os.path.lexists(folder / record):
        raise InputError(f"{folder} holds something else than {what} ({min(others)}): {ANOTHER}")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise _unwritable(folder, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another run is at work in {folder}: wait for it, or {ANOTHER}"
            ) from None
        yield


def check_same(
    folder: Path, what: str, there: Mapping[str, Any], wanted: Mapping[str, Any], otherwise: str
) -> None:
    """Raise InputError unless what stands in a folder was decided as what is wanted there.

    what: the folder holds, as "fit"; otherwise: what can be done beside choosing another folder.
    """
    different = [name for name in wanted if there.get(name) != wanted[name]]
    if different:
        words = ["the data" if name == "fingerprint" else name for name in different]
        raise InputError(
            f"{folder} holds another {what} (different: {', '.join(words)}): choose another folder "
            f"with {argument('out')}, or {otherwise}"
        )


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a folder by name, "models/a.safetensors", and what a kill left of writing
    them; then the folders between that this empties. What a link leads to stays.

    Raises InputError, before anything is removed, where a name is that of a folder.
    """
    paths = [folder / name for name in names]
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            raise InputError(f"{path} is a folder, and a file is to be there: move it away")
    for parent in {path.parent for path in paths}:
        if parent != folder and (parent.is_symlink() or not parent.is_dir()):
            continue
        ours = {path.name for path in paths if path.parent == parent}
        for path in list(parent.iterdir()):
            if _whole_name(path.name) in ours:
                path.unlink(missing_ok=True)
        if parent != folder:
            with contextlib.suppress(OSError):  # it holds something else
                parent.rmdir()


def _whole_name(name: str) -> str:
    """What a file is to be called once it is written whole."""
    return re.sub(r"\.\d+\.part$", "", name)


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder} cannot be written ({error.strerror}): {ANOTHER}")
