"""A data set ready for training: contiguous arrays, on disk, mapped and not read.

Every process of a comparison maps the same files, so the data are in memory once, and only the
pages that are in use.
"""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gatewright.data.layout import Guess, Layout
from gatewright.data.naive import seasonal_errors
from gatewright.data.within import passes
from gatewright.requests import NO_LIMITS, Limits

PARTS = ("train", "validation", "test")
NAMES = ("training", "validation", "test")  # as people are told


class Channel(BaseModel):
    """One input of the networks: a column of ``Prepared.values``."""

    model_config = ConfigDict(frozen=True)

    name: str
    column: str | None  # the column of the table it comes from; None: from the time
    role: str  # "target", "input", "missing" (an indicator, 0 or 1) or "calendar"
    known: bool  # whether its future values are known when forecasting
    mean: float = 0.0  # of the training part; value = (number - mean) / scale
    scale: float = 1.0


class Category(BaseModel):
    """One categorical input: a column of ``Prepared.codes``. Code 0 is missing or unseen."""

    model_config = ConfigDict(frozen=True)

    column: str
    values: tuple[str, ...]  # of the training part; values[i] has code i + 1
    known: bool


class Part(BaseModel):
    """One part of the split, as people are told of it."""

    model_config = ConfigDict(frozen=True)

    name: str  # "training"
    when: str = ""  # "1949-01 to 1957-05"; empty where there are no times
    holds: tuple[str, ...] = ()  # "101 months", "60 windows"
    examples: int = 0
    remark: str = ""  # what there is to say of it, in words


class Preparation(BaseModel):
    """Everything that was fitted, on the training part only, to turn a table into arrays.

    In forecasts the first channels are the targets, in the layout's order; each series has its own
    mean and scale for them, in ``Prepared.center`` and ``Prepared.scale``.
    """

    model_config = ConfigDict(frozen=True)

    layout: Layout
    channels: tuple[Channel, ...]
    categories: tuple[Category, ...] = ()
    classes: tuple[str, ...] = ()  # classify: the labels, in order
    class_counts: tuple[int, ...] = ()  # classify: how many sequences each has in training
    target_mean: tuple[float, ...] = ()  # regress: of each target; forecasts: over all series
    target_scale: tuple[float, ...] = ()
    limits: tuple[Limits, ...] = ()  # of each target; empty where none has any
    guesses: tuple[Guess, ...] = ()  # what else was read off the training part
    # forecasts of many series, by name: (center, scale) of each target
    series: dict[str, tuple[tuple[float, float], ...]] = {}
    notes: tuple[str, ...] = ()  # what was imputed, filled or dropped, in sentences
    parts: tuple[Part, ...] = ()  # when training, validation and test are, and what they hold
    readings: dict[str, str] = {}  # column of text -> how it was read: "decimal comma"
    decimals: dict[str, int] = {}  # of a target's values, those after the point


# name: (dtype, what it is)
ARRAYS = {
    "values": np.float32,  # (rows, channels): scaled and imputed, no NaN
    "codes": np.int64,  # (rows, categories)
    "time": np.int64,  # (rows,): microseconds since 1970 in UTC, or the number of the step
    "bounds": np.int64,  # (items, 4): rows where a series starts, its training part, its
    # validation part and its test part end; for sequences (start, end, end, end)
    "part": np.int64,  # (items,): sequences only; the number in PARTS
    "group": np.int64,  # (items,): sequences only; the number of the group, or of the item
    "target": np.float32,  # forecasts (rows, targets), scaled, NaN where missing;
    # regress (items, targets), scaled; classify (items, 1), the number of the class
    "center": np.float64,  # (items, targets): forecasts; number = target * scale + center
    "scale": np.float64,  # (items, targets)
}
RECORD = "prepared.json"
FILES = (*(f"{name}.npy" for name in ARRAYS), RECORD)  # what a folder of arrays holds
BLOCK = 1 << 20  # bytes read at once


@dataclasses.dataclass(frozen=True)
class Prepared:
    """The arrays, as tensors that map the files. See ``ARRAYS`` for shapes and units.

    ``items`` names the series or sequences, one a row of ``bounds``.
    """

    preparation: Preparation
    items: tuple[str, ...]
    values: Tensor
    codes: Tensor
    time: Tensor
    bounds: Tensor
    part: Tensor
    group: Tensor
    target: Tensor
    center: Tensor
    scale: Tensor

    @property
    def layout(self) -> Layout:
        return self.preparation.layout

    @property
    def lengths(self) -> Tensor:
        """Rows of each item, (items,)."""
        return self.bounds[:, 3] - self.bounds[:, 0]

    @cached_property
    def naive(self) -> Tensor:
        """Of forecasts: what ``seasonal_errors`` gives, (items, targets)."""
        return seasonal_errors(self.target, self.bounds, self.layout.season)

    @cached_property
    def passes(self) -> Tensor:
        """Of forecasts: what ``within.passes`` gives of the limits that were guessed."""
        limits = [
            NO_LIMITS if name in self.layout.limits else pair
            for name, pair in zip(self.layout.targets, self.preparation.limits, strict=True)
        ]
        return passes(self.target, self.bounds, limits, self.center, self.scale)

    @classmethod
    def open(cls, folder: Path) -> Prepared:
        """Map the arrays that ``gatewright.data.prepare.preparing`` wrote to ``folder``."""
        record = PreparedRecord.model_validate_json((folder / RECORD).read_text("utf-8"))
        arrays = {name: _mapped(folder / f"{name}.npy") for name in ARRAYS}
        return cls(preparation=record.preparation, items=record.items, **arrays)


class PreparedRecord(BaseModel):
    """prepared.json"""

    preparation: Preparation
    items: tuple[str, ...]
    history: str = ""  # beside a model of forecasts: the digest of history.arrow


def fingerprint(folder: Path) -> str:
    """A digest of prepared arrays: the same for the same data, wherever they came from."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        with (folder / f"{name}.npy").open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    record = PreparedRecord.model_validate_json((folder / RECORD).read_text("utf-8"))
    # How text was read says of which kind the file was, and the numbers are there as they came out.
    plain = record.model_dump_json(exclude={"preparation": {"readings"}})
    digest.update(plain.encode())
    return digest.hexdigest()


def _mapped(path: Path) -> Tensor:
    # Copy on write, because torch warns of arrays that cannot be written; nothing writes to them.
    # numpy cannot map an array of no elements.
    array = np.load(path, mmap_mode="c", allow_pickle=False) if _has_elements(path) else None
    return torch.from_numpy(np.load(path, allow_pickle=False) if array is None else array)


def _has_elements(path: Path) -> bool:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, _ = read(file)
    return 0 not in shape
