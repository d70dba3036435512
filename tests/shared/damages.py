"""What becomes of files: cut, bits flipped, replaced, gone; and a folder with one of them so."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

Damage = Callable[[Path], None]


def _content(change: Callable[[bytes], bytes]) -> Damage:
    def damage(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return damage


def _cut(share: float) -> Damage:
    return _content(lambda content: content[: int(share * len(content))])


def _flipped(place: float, bit: int) -> Damage:
    def flip(content: bytes) -> bytes:
        at = min(int(place * len(content)), len(content) - 1)
        return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]

    return _content(flip)


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine.txt").write_text("mine")


DAMAGES: dict[str, Damage] = {
    "last bit flipped": _flipped(1.0, 7),
    "bit flipped at 0.11": _flipped(0.11, 1),
    "bit flipped at 0.47": _flipped(0.47, 1),
    "cut in the middle": _cut(0.6),
    "last byte gone": _content(lambda content: content[:-1]),
    "empty": _cut(0.0),
    "null": _content(lambda _: b"null"),
    "an object": _content(lambda _: b"{}\n"),
    "random lines": _content(lambda _: random.Random(2).randbytes(500) + b"\n"),
    "deleted": Path.unlink,
    "a folder": _as_folder,
}
FEW = ("bit flipped at 0.47", "cut in the middle", "deleted", "a folder")  # where each takes long


def damaged(whole: Path, into: Path, name: str, damage: str) -> Path:
    """A copy of a folder with one file damaged."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(whole, into)
    DAMAGES[damage](into / name)
    return into


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
