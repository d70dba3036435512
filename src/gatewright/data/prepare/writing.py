"""The second pass: rows scaled, imputed and written, block by block."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from gatewright.data.calendar import Floats, Integers, channel_values
from gatewright.data.prepare.blocks import Block
from gatewright.data.prepare.leaks import Leaks
from gatewright.data.prepare.partition import Partition
from gatewright.data.prepare.scaling import LARGEST, LastSeen
from gatewright.data.prepare.storage import ArrayFile, write_array
from gatewright.data.prepared import RECORD, Preparation, PreparedRecord
from gatewright.data.question import Question
from gatewright.data.within import arrays, in_words
from gatewright.errors import InputError, argument
from gatewright.wording.numbers import counted


@dataclasses.dataclass
class Counts:
    """What was met on the way, for the notes."""

    present: int  # rows that the table has
    missing: Integers  # (columns,): of these, those without a value
    unseen: dict[str, int]  # category -> rows with a value that is not in training
    beyond: Integers  # (targets,): values beyond the limits; none where there are no limits


class Writer:
    """Turns blocks into rows of the arrays with a fitted preparation.

    ``center`` and ``scale`` are those of the targets of each series, (items, targets); of no
    targets where these are no inputs.
    """

    def __init__(
        self,
        preparation: Preparation,
        partition: Partition,
        question: Question,
        center: Floats,
        scale: Floats,
        leaks: Leaks | None = None,
    ) -> None:
        channels = preparation.channels
        self.preparation, self.partition, self.leaks = preparation, partition, leaks
        self.question = question
        self.center, self.scale = center, scale
        self.names = question.examples.channels(preparation.layout)
        self.targets = center.shape[1]
        shared = channels[self.targets : len(self.names)]
        self.means = np.array([channel.mean for channel in shared])
        self.scales = np.array([channel.scale for channel in shared])
        self.calendar = tuple(c.name for c in channels if c.role == "calendar")
        # A wide table's own values have no column of the table.
        missing = {c.name for c in channels if c.role == "missing"}
        self.indicated = [at for at, name in enumerate(self.names) if f"{name} missing" in missing]
        self.last_seen = LastSeen(len(self.names))
        self.ends = arrays(preparation.limits)
        self.counts = Counts(
            present=0,
            missing=np.zeros(len(self.names), np.int64),
            unseen={c.column: 0 for c in preparation.categories},
            beyond=np.zeros(len(preparation.limits), np.int64),
        )

    def write(self, folder: Path) -> Counts:
        """Write every array of rows and of items to ``folder``."""
        partition, preparation = self.partition, self.preparation
        shapes = {
            "values": (partition.rows, len(preparation.channels)),
            "codes": (partition.rows, len(preparation.categories)),
            "time": (partition.rows,),
        }
        if partition.labels is None:
            shapes["target"] = (partition.rows, len(preparation.layout.targets))
        else:
            write_array(folder, "target", self._labels(partition.labels))
        with contextlib.ExitStack() as stack:
            files = {
                name: stack.enter_context(ArrayFile(folder, name, shape))
                for name, shape in shapes.items()
            }
            for block in partition.blocks():
                self._check_future(block)
                scaled, codes = self._scaled(block), self._codes(block)
                if self.leaks is not None:
                    self.leaks.add(block, codes)
                files["values"].append(self._values(block, scaled))
                files["codes"].append(codes)
                files["time"].append(block.time)
                if "target" in files:
                    files["target"].append(self._targets(block, scaled))
        for name in ("bounds", "part", "group"):
            write_array(folder, name, getattr(partition, name))
        write_array(folder, "center", self.center)
        write_array(folder, "scale", self.scale)
        return self.counts

    def _scaled(self, block: Block) -> Floats:
        numbers = block.numbers.copy()
        with np.errstate(over="ignore"):
            numbers[:, : self.targets] -= self.center[block.item]
            numbers[:, : self.targets] /= self.scale[block.item]
            numbers[:, self.targets :] -= self.means
            numbers[:, self.targets :] /= self.scales
        large = np.abs(numbers) > LARGEST
        if large.any():
            row, column = np.argwhere(large)[0]
            raise InputError(
                f"{self.partition.where(block.start + int(row))}: {self.names[column]} is "
                f"{block.numbers[row, column]:g}, too far from the training part; correct it"
            )
        return numbers

    def _values(self, block: Block, scaled: Floats) -> Floats:
        missing = np.isnan(block.numbers)
        self.counts.present += len(block.present)
        past = block.rows < self.partition.future[block.item]  # what is to come lacks no value
        self.counts.missing += missing[block.present[past[block.present]]].sum(axis=0)
        if self.targets:
            self._count_beyond(block.numbers[:, : self.targets])
        return np.concatenate(
            [
                self.last_seen.fill(block.item, scaled),
                channel_values(block.time, self.calendar),
                missing[:, self.indicated],
            ],
            axis=1,
            dtype=np.float32,
        )

    def _codes(self, block: Block) -> Integers:
        codes = np.zeros((len(block.item), len(self.preparation.categories)), dtype=np.int64)
        for at, category in enumerate(self.preparation.categories):
            texts = block.texts[category.column]
            numbers = texts.replace_strict(
                list(category.values),
                list(range(1, len(category.values) + 1)),
                default=0,
                return_dtype=pl.Int64,
            ).to_numpy()
            codes[block.present, at] = numbers
            present = len(texts) - texts.null_count()
            self.counts.unseen[category.column] += present - int(np.count_nonzero(numbers))
        return codes

    def _check_future(self, block: Block) -> None:
        """What is known of the future has to be there: nothing may take its place."""
        future = block.rows >= self.partition.future[block.item]
        if not future.any():
            return
        known = self.preparation.layout.known
        for at, name in enumerate(self.names):
            if name in known:
                self._require(block, name, future & np.isnan(block.numbers[:, at]))
        for category in self.preparation.categories:
            if category.known:
                missing = np.ones(len(future), dtype=bool)
                missing[block.present] = block.texts[category.column].is_null().to_numpy()
                self._require(block, category.column, future & missing)

    def _require(
        self, block: Block, name: str, missing: np.ndarray[tuple[int], np.dtype[np.bool_]]
    ) -> None:
        if missing.any():
            where = self.partition.where(block.start + int(missing.argmax()))
            raise InputError(
                f"{where}: {name} is missing, but "
                "the network expects to know it ahead; give it for every row to be predicted"
            )

    def _targets(self, block: Block, scaled: Floats) -> Floats:
        """The targets of the rows, (rows, targets)."""
        if self.question.examples.sees_targets:
            return scaled[:, : self.targets]
        targets = np.full((len(block.item), len(self.preparation.layout.targets)), np.nan)
        if block.targets is not None:

            def where(row: int) -> str:
                return self.partition.where(block.start + int(block.present[row]))

            encode = self.question.target.encode
            targets[block.present] = encode(block.targets, self.preparation, where)
        return targets

    def _labels(self, labels: pl.DataFrame) -> Floats:
        """The targets of the sequences, (items, targets)."""

        def where(row: int) -> str:
            return f"sequence {self.partition.items[row]}"

        self._count_beyond(self.question.target.as_numbers(labels, self.preparation))
        return self.question.target.encode(labels, self.preparation, where)

    def _count_beyond(self, numbers: Floats) -> None:
        """numbers: (n, targets), not scaled, NaN where missing."""
        if self.preparation.limits:
            floor, ceiling = self.ends
            self.counts.beyond += ((numbers < floor) | (numbers > ceiling)).sum(axis=0)


def finish(
    folder: Path,
    preparation: Preparation,
    partition: Partition,
    question: Question,
    counts: Counts,
    more: Sequence[str] = (),
    *,
    new: bool = False,
) -> None:
    """Write prepared.json, last: it is what makes the folder complete.

    more: other notes. new: whether the table is one to predict, not to learn from.
    """
    notes = (*more, *partition.notes, *_notes(preparation, partition, question, counts, new=new))
    write_prepared(folder, preparation.model_copy(update={"notes": notes}), partition.items)


def write_prepared(folder: Path, preparation: Preparation, items: tuple[str, ...]) -> None:
    """Write prepared.json."""
    record = PreparedRecord(preparation=preparation, items=items)
    (folder / RECORD).write_text(record.model_dump_json(), encoding="utf-8")


def _notes(
    preparation: Preparation,
    partition: Partition,
    question: Question,
    counts: Counts,
    *,
    new: bool,
) -> list[str]:
    layout = preparation.layout
    indicated = {c.name for c in preparation.channels if c.role == "missing"}
    notes = []
    filled = partition.rows - counts.present
    if filled:
        notes.append(
            f"put in as missing values: {filled:,} of {partition.rows:,} steps of "
            f"{layout.frequency}, which have no row"
        )
    for name, missing in zip(question.examples.channels(layout), counts.missing, strict=True):
        if missing:
            note = (
                f"missing: {missing:,} of {counted(counts.present, 'value')} of {name}; as an "
                "input each takes the last value before it"
            )
            if question.examples.sees_targets and name in layout.targets and not new:
                note += ", as a target it carries no loss"
            if f"{name} missing" not in indicated:
                note += "; none is missing in the training part, so no input says where"
            notes.append(note)
    for name, pair, beyond in zip(layout.targets, preparation.limits, counts.beyond, strict=False):
        if beyond:
            held, where = "the limits given", "; predictions stay within"
            if new:
                held = "the limits of training"
            elif name not in layout.limits:
                held = "what training keeps to"
                where = f" in validation or test; {argument('limits')} says otherwise"
            values = counted(int(beyond), "value")
            notes.append(f"beyond {held} ({in_words(pair)}): {values} of {name}{where}")
    for name, unseen in counts.unseen.items():
        if unseen:
            notes.append(
                f"not in the training part, and taken for missing: {unseen:,} of "
                f"{counted(counts.present, 'value')} of {name}"
            )
    return notes
