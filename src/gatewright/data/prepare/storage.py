"""Files of arrays: written from front to back, in a folder that appears only when complete."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gatewright.data.prepared import ARRAYS, FILES, RECORD, PreparedRecord
from gatewright.errors import InputError


@contextlib.contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` to write to, which takes its place at the end.

    After an exception or a kill, ``folder`` is as it was before. Raises InputError where something
    else than prepared data stands there.
    """
    if os.path.lexists(folder) and not _holds_prepared(folder):
        raise InputError(f"{folder} holds something else than prepared data; name another folder")
    aside, before = (folder.with_name(f".{folder.name}.{kind}") for kind in ("partial", "before"))
    for left in (aside, before):
        shutil.rmtree(left, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        if folder.exists():
            folder.rename(before)
        aside.rename(folder)
    finally:
        for left in (aside, before):
            shutil.rmtree(left, ignore_errors=True)


def _holds_prepared(folder: Path) -> bool:
    """Whether a folder holds what ``prepare`` writes, or nothing, and nothing else."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    there = {path.name for path in folder.iterdir()}
    if not there <= set(FILES):
        return False
    try:
        text = (folder / RECORD).read_text("utf-8")
        return bool(PreparedRecord.model_validate_json(text))
    except (OSError, ValueError):
        return not there


class ArrayFile:
    """A .npy file of known shape, to which rows are appended.

    Not a mapped array: pages that were written through a map count as memory of the process.
    """

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...]) -> None:
        self.dtype = np.dtype(ARRAYS[name])
        self.shape = shape
        self.rows = 0
        self._file = (folder / f"{name}.npy").open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: NDArray[Any]) -> None:
        assert rows.shape[1:] == self.shape[1:], (rows.shape, self.shape)
        self.rows += len(rows)
        self._file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        assert kind is not None or self.rows == self.shape[0], (self.rows, self.shape)


def write_array(folder: Path, name: str, array: NDArray[Any]) -> None:
    """A whole array of ``ARRAYS``, as its .npy file."""
    with ArrayFile(folder, name, array.shape) as file:
        file.append(array)


class Spool:
    """Numbers of a length not known in advance, kept on disk to spare memory."""

    def __init__(self, folder: Path, name: str, dtype: DTypeLike = np.int64) -> None:
        self.dtype = np.dtype(dtype)
        self.path = folder / f"{name}.spool"
        self._file = self.path.open("wb")

    def append(self, rows: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def array(self) -> NDArray[Any]:
        """All of it, mapped; removed from the folder when no longer in use."""
        self._file.close()
        empty = self.path.stat().st_size == 0
        mapped = np.empty(0, self.dtype) if empty else np.memmap(self.path, self.dtype, mode="r")
        self.path.unlink()
        return mapped
