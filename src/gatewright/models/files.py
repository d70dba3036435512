"""A model and what a prediction needs beside it, in the folder of whatever was fitted.

prepared.json       what was fitted on the training part to turn a table into arrays
history.arrow       of forecasts, the rows that they go on from
model.safetensors   or, of a comparison, one for each fit elsewhere
"""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from gatewright.data.prepared import RECORD, Preparation, PreparedRecord
from gatewright.models.undisturbed import undisturbed
from gatewright.sealed import digest, read_record, refusing_damage, write_record, write_whole
from gatewright.training import Model

HISTORY, MODEL = "history.arrow", "model.safetensors"
BESIDE = (RECORD, HISTORY)


def write_beside(folder: Path, record: PreparedRecord, history: pl.DataFrame | None) -> None:
    """Write what stands beside a model; the record last, as it names the digest of the rows."""
    named = ""
    if history is not None:
        content = io.BytesIO()
        history.write_ipc(content)
        write_whole(folder / HISTORY, content.getvalue())
        named = digest(content.getvalue())
    write_record(folder / RECORD, record.model_copy(update={"history": named}))


def read_preparation(folder: Path, remedy: str) -> Preparation:
    """What was fitted on training. Raises DamagedError, with what to do, as all of ``sealed``."""
    return read_record(folder / RECORD, PreparedRecord, remedy).preparation


def read_history(folder: Path, remedy: str) -> pl.DataFrame | None:
    """The rows that forecasts go on from, where there are any. Raises DamagedError likewise."""
    named = read_record(folder / RECORD, PreparedRecord, remedy).history
    if not named:
        return None
    path = folder / HISTORY
    with refusing_damage(path, remedy):
        content = path.read_bytes()
        if digest(content) != named:
            raise ValueError("a digest that is another's")
        return pl.read_ipc(content)


def read_model(path: Path, preparation: Preparation, written: str, remedy: str) -> Model:
    """The fitted model of a digest. Raises DamagedError likewise."""
    with refusing_damage(path, remedy), undisturbed():
        return Model.load(path, preparation, written)
