"""Files that tell whether they are as they were written: any bit of any byte counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from pydantic import BaseModel

from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation, PreparedRecord
from gatewright.models import files
from gatewright.sealed import (
    DamagedError,
    append_record,
    read_record,
    read_records,
    refusing_damage,
    sound_records,
    write_record,
    write_whole,
)
from gatewright.training.checkpoint import load_tensors, save_tensors


class Thing(BaseModel):
    name: str
    value: float = 0.1
    more: dict[str, Any] = {}


THING = Thing(name="é <&> \u2028", value=1e-7, more={"b": [1, 2.5, None], "a": {"deep": True}})


def record(path: Path) -> Callable[[], Any]:
    write_record(path, THING)
    return lambda: read_record(path, Thing, "do it again")


def tensors(path: Path) -> Callable[[], Any]:
    held = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3), "c": torch.ones(0)}
    save_tensors(path, held, {"epochs": [0.5, None]})

    def read() -> Any:
        with refusing_damage(path, "do it again"):
            return load_tensors(path)

    return read


def rows(path: Path) -> Callable[[], Any]:
    preparation = Preparation(layout=Layout(task="forecast", targets=("y",)), channels=())
    prepared = PreparedRecord(preparation=preparation, items=("one",))
    folder = path.parent
    files.write_beside(folder, prepared, pl.DataFrame({"y": [1.5, None], "name": ["a", "b"]}))
    return lambda: files.read_history(folder, "do it again")


@pytest.mark.parametrize(
    ("make", "name"), [(record, "a.json"), (tensors, "a.safetensors"), (rows, files.HISTORY)]
)
def test_any_byte_that_changes_is_noticed(
    make: Callable[[Path], Callable[[], Any]], name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    read = make(path)
    whole = path.read_bytes()
    read()
    missed, sentences = [], set()
    for place in range(len(whole)):
        changed = bytes([whole[place] ^ 1 << place % 8])
        for content in (whole[:place] + changed + whole[place + 1 :], whole[:place]):
            path.write_bytes(content)
            try:
                read()
            except DamagedError as error:
                sentences.add(str(error))
            else:
                missed.append(place)
    assert not missed
    assert sentences <= {
        f"{path} is damaged, or was changed by hand: do it again",
        f"{path} is not what this version of Gatewright writes: do it again",
    }


def test_a_record_is_told_from_that_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(DamagedError, match=r"a\.json is missing: do it again"):
        read_record(path, Thing, "do it again")
    path.write_text('{"name": "x"}')
    with pytest.raises(DamagedError, match="is not what this version of Gatewright writes"):
        read_record(path, Thing, "do it again")

    class Other(BaseModel):
        title: str

    write_record(path, Other(title="x"))
    with pytest.raises(DamagedError, match="is not what this version of Gatewright writes"):
        read_record(path, Thing, "do it again")
    path.unlink()
    path.mkdir()
    with pytest.raises(DamagedError, match="is a folder, and a file is to be there; move it away"):
        read_record(path, Thing, "do it again")


def test_journals(tmp_path: Path) -> None:
    path = tmp_path / "things.jsonl"
    assert read_records(path, Thing, "again") == []
    things = [Thing(name=str(number)) for number in range(4)]
    for thing in things:
        append_record(path, thing)
    assert read_records(path, Thing, "again") == things
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert read_records(path, Thing, "again") == things[:3]
    assert path.read_bytes() == whole[:-5]  # it may be being written at this moment
    append_record(path, things[3])
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(b'"name":"2"', b'"name":"7"'))
    with pytest.raises(DamagedError, match=r"things\.jsonl, line 3, is damaged: again"):
        read_records(path, Thing, "again")
    assert sound_records(path, Thing, "again") == ([things[0], things[1], things[3]], False)


def test_a_file_is_put_in_place_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_whole(path, b"before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"after")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("a", b"before")]
