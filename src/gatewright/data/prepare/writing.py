"""The second pass: rows scaled, imputed and written, block by block."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from gatewright.data.calendar import Floats, Integers, channel_values
from gatewright.data.prepare.answers import Answers
from gatewright.data.prepare.blocks import Block
from gatewright.data.prepare.columns import is_forecast
from gatewright.data.prepare.fitting import input_names
from gatewright.data.prepare.labels import class_numbers
from gatewright.data.prepare.plans import Plan
from gatewright.data.prepare.scaling import LastSeen
from gatewright.data.prepare.storage import ArrayFile, write_array
from gatewright.data.prepared import Preparation, PreparedRecord
from gatewright.errors import InputError, counted

LARGEST = float(np.finfo(np.float32).max)


@dataclasses.dataclass
class Counts:
    """What was met on the way, for the notes."""

    present: int  # rows that the table has
    missing: Integers  # (columns,): of these, those without a value
    unseen: dict[str, int]  # category -> rows with a value that is not in training


class Writer:
    """Turns blocks into rows of the arrays with a fitted preparation.

    ``center`` and ``scale`` are those of the targets of each series, (items, targets); of no
    targets where these are no inputs.
    """

    def __init__(
        self,
        preparation: Preparation,
        plan: Plan,
        center: Floats,
        scale: Floats,
        answers: Answers | None = None,
    ) -> None:
        layout, channels = preparation.layout, preparation.channels
        self.preparation, self.plan, self.answers = preparation, plan, answers
        self.center, self.scale = center, scale
        self.names = input_names(layout)
        self.targets = center.shape[1]
        shared = channels[self.targets : len(self.names)]
        self.means = np.array([channel.mean for channel in shared])
        self.scales = np.array([channel.scale for channel in shared])
        self.calendar = tuple(c.name for c in channels if c.role == "calendar")
        # A wide table's own values have no column of the table.
        missing = {c.name for c in channels if c.role == "missing"}
        self.indicated = [at for at, name in enumerate(self.names) if f"{name} missing" in missing]
        self.last_seen = LastSeen(len(self.names))
        self.counts = Counts(
            0, np.zeros(len(self.names), np.int64), {c.column: 0 for c in preparation.categories}
        )

    def write(self, folder: Path) -> Counts:
        """Write every array of rows and of items to ``folder``."""
        plan, preparation = self.plan, self.preparation
        shapes = {
            "values": (plan.rows, len(preparation.channels)),
            "codes": (plan.rows, len(preparation.categories)),
            "time": (plan.rows,),
        }
        if is_forecast(preparation.layout):
            shapes["target"] = (plan.rows, self.targets)
        else:
            write_array(folder, "target", self._labels())
        with contextlib.ExitStack() as stack:
            files = {
                name: stack.enter_context(ArrayFile(folder, name, shape))
                for name, shape in shapes.items()
            }
            for block in plan.blocks():
                self._check_future(block)
                scaled, codes = self._scaled(block), self._codes(block)
                if self.answers is not None:
                    self.answers.add(block, codes)
                files["values"].append(self._values(block, scaled))
                files["codes"].append(codes)
                files["time"].append(block.time)
                if "target" in files:
                    files["target"].append(scaled[:, : self.targets])
        for name in ("bounds", "part", "group"):
            write_array(folder, name, getattr(plan, name))
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
                f"{self.plan.where(block.start + int(row))}: {self.names[column]} is "
                f"{block.numbers[row, column]:g}, too far from the training part; correct it"
            )
        return numbers

    def _values(self, block: Block, scaled: Floats) -> Floats:
        missing = np.isnan(block.numbers)
        self.counts.present += len(block.present)
        self.counts.missing += missing[block.present].sum(axis=0)
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
            found = texts.replace_strict(
                list(category.values),
                list(range(1, len(category.values) + 1)),
                default=0,
                return_dtype=pl.Int64,
            ).to_numpy()
            codes[block.present, at] = found
            present = len(texts) - texts.null_count()
            self.counts.unseen[category.column] += present - int(np.count_nonzero(found))
        return codes

    def _check_future(self, block: Block) -> None:
        """What is known of the future has to be there: nothing may take its place."""
        future = block.rows >= self.plan.future[block.item]
        if not future.any() or not is_forecast(self.preparation.layout):
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
            raise InputError(
                f"{self.plan.where(block.start + int(missing.argmax()))}: {name} is missing, but "
                "the network expects to know it ahead; give it for every row to be predicted"
            )

    def _labels(self) -> Floats:
        """The targets of the sequences, (items, targets), scaled or as numbers of classes."""
        labels, kept = self.plan.labels, self.plan.kept
        assert labels is not None
        assert kept is not None
        if labels.labels is not None:
            return class_numbers(labels.labels.gather(kept), self.preparation.classes)[:, None]
        assert labels.numbers is not None
        mean, scale = self.preparation.target_mean, self.preparation.target_scale
        with np.errstate(over="ignore"):
            found: Floats = (labels.numbers[kept] - np.array(mean)) / np.array(scale)
        large = np.abs(found) > LARGEST
        if large.any():
            row, column = np.argwhere(large)[0]
            raise InputError(
                f"sequence {self.plan.items[row]}: {self.preparation.layout.targets[column]} is "
                f"{labels.numbers[kept][row, column]:g}, too far from the training part; correct it"
            )
        return found


def finish(
    folder: Path,
    preparation: Preparation,
    plan: Plan,
    counts: Counts,
    more: Sequence[str] = (),
) -> None:
    """Write prepared.json, last: it is what makes the folder complete; ``more``: other notes."""
    notes = (*more, *plan.notes, *_notes(preparation, plan, counts))
    record = PreparedRecord(
        preparation=preparation.model_copy(update={"notes": notes}), items=plan.items
    )
    (folder / "prepared.json").write_text(record.model_dump_json(), encoding="utf-8")


def _notes(preparation: Preparation, plan: Plan, counts: Counts) -> list[str]:
    layout = preparation.layout
    indicated = {c.name for c in preparation.channels if c.role == "missing"}
    notes = []
    filled = plan.rows - counts.present
    if filled:
        notes.append(
            f"put in as missing values: {filled:,} of {plan.rows:,} steps of {layout.frequency}, "
            "which have no row"
        )
    for name, missing in zip(input_names(layout), counts.missing, strict=True):
        if missing:
            note = (
                f"missing: {missing:,} of {counted(counts.present, 'value')} of {name}; as an "
                "input each takes the last value before it"
            )
            if is_forecast(layout) and name in layout.targets:
                note += ", as a target it carries no loss"
            if f"{name} missing" not in indicated:
                note += "; none is missing in the training part, so no input says where"
            notes.append(note)
    for name, unseen in counts.unseen.items():
        if unseen:
            notes.append(
                f"not in the training part, and taken for missing: {unseen:,} of "
                f"{counted(counts.present, 'value')} of {name}"
            )
    return notes
