"""Sequences given as arrays, made ready for training in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewright.data.prepare.scaling import LARGEST, LastSeen, Moments, center_and_scale
from gatewright.data.prepared import PARTS, Channel, Preparation, Prepared
from gatewright.errors import InputError

TRAIN, VALIDATION, TEST = range(len(PARTS))
LEAST_VALIDATION = 10  # sequences; with fewer, chance would decide when training stops

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class RaggedArray:
    """The steps of all sequences, end to end.

    values: (rows, channels), NaN where missing; lengths: (samples,).
    """

    values: Floats
    lengths: Integers

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def channels(self) -> int:
        return int(self.values.shape[1])

    @property
    def item(self) -> Integers:
        """The number of the sequence of each row, (rows,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def wider_than_long(self) -> bool:
        """Whether all have one length, and it is less than their channels."""
        return bool((self.lengths == self.lengths[0]).all() and self.lengths[0] < self.channels)

    @classmethod
    def of_array(cls, array: Floats, *, channels_first: bool = False) -> RaggedArray:
        """array: (samples, time), or (samples, time, channels), or the last two the other way."""
        if channels_first and array.ndim == 3:
            array = array.swapaxes(1, 2)
        samples, time = array.shape[:2]
        channels = array.shape[2] if array.ndim == 3 else 1
        return cls(array.reshape(samples * time, channels), np.full(samples, time))

    @classmethod
    def of_list(cls, arrays: Sequence[Any], *, channels_first: bool = False) -> RaggedArray:
        """arrays: (time, channels) each, or the other way, or (time,).

        Raises InputError for anything but numbers, and for sequences that do not fit together.
        """
        order = _order(channels_first)
        if not len(arrays):
            raise InputError(f"X holds no sequence: give a list of arrays {order}")
        pieces = [_steps(array, number, channels_first) for number, array in enumerate(arrays)]
        for number, steps in enumerate(pieces):
            if steps.shape[1] != pieces[0].shape[1]:
                raise InputError(
                    f"sequence {number} of X has {steps.shape[1]} channels, and sequence 0 has "
                    f"{pieces[0].shape[1]}: give all of them the same channels, as arrays {order} "
                    f"with channels_first={channels_first}"
                )
        return cls(np.concatenate(pieces), np.array([len(steps) for steps in pieces]))


def is_list(values: Any) -> bool:
    """Whether these are sequences one by one: arrays, or lists of different lengths."""
    if isinstance(values, np.ndarray):
        return values.ndim == 1 and values.dtype == object and all(map(_is_array, values))
    if not isinstance(values, list | tuple) or not values:
        return False
    if all(map(_is_array, values)):
        return True
    return (
        all(isinstance(each, list | tuple) for each in values)
        and len({len(each) for each in values}) > 1
    )


def dimensions(values: Any) -> int:
    """The dimensions of an array, a frame or nested lists; 2 if they cannot be told."""
    if isinstance(values, list | tuple):
        return int(np.ndim(values))
    shape: tuple[int, ...] = getattr(values, "shape", (0, 0))
    return len(shape)


def _is_array(values: Any) -> bool:
    return getattr(values, "ndim", 0) > 0


def _order(channels_first: bool) -> str:
    return "(channels, time)" if channels_first else "(time, channels)"


def _steps(array: Any, number: int, channels_first: bool) -> Floats:
    """One sequence, (time, channels)."""
    order = _order(channels_first)
    try:
        steps = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"sequence {number} of X is not an array of numbers: give an array {order}"
        ) from None
    if steps.ndim == 1:
        steps = steps[:, None]
    elif channels_first:
        steps = steps.T
    if steps.ndim != 2 or 0 in steps.shape:
        raise InputError(
            f"sequence {number} of X has the shape {np.shape(array)}: expected {order}, one of "
            "each at least"
        )
    if np.isinf(steps).any():
        raise InputError(f"sequence {number} of X contains infinity: give finite numbers, or NaN")
    return steps


def hold_out(
    label: Integers | None, samples: int, share: float, random: np.random.RandomState
) -> NDArray[np.bool_]:
    """Which sequences are for validation, (samples,): of each class the same share, by chance.

    None at all where they would be too few to judge by. ``label`` is the number of the class of
    each; None in regression.
    """
    held = np.zeros(samples, dtype=bool)
    label = np.zeros(samples, dtype=np.int64) if label is None else label
    for each in np.unique(label):
        members = random.permutation(np.flatnonzero(label == each))
        held[members[: min(round(len(members) * share), len(members) - 1)]] = True
    if held.sum() < LEAST_VALIDATION:
        held[:] = False
    return held


def fit_channels(sequences: RaggedArray, training: NDArray[np.bool_]) -> tuple[Channel, ...]:
    """Means and scales of the channels over the training sequences (samples,), and where values
    are missing among them.

    Raises InputError for numbers too large to scale.
    """
    rows = sequences.values[np.repeat(training, sequences.lengths)]
    moments = Moments(1, sequences.channels)
    moments.add(np.zeros(len(rows), dtype=np.int64), rows)
    _, _, means, scales = center_and_scale(moments)
    if not np.isfinite(scales).all():
        raise InputError("X holds numbers too large to square: give it in a larger unit")
    names = [f"channel {number}" for number in range(sequences.channels)]
    channels = [
        Channel(name=name, column=name, role="input", known=False, mean=mean, scale=scale)
        for name, mean, scale in zip(names, means.tolist(), scales.tolist(), strict=True)
    ]
    channels += [
        Channel(name=f"{name} missing", column=name, role="missing", known=False)
        for column, name in enumerate(names)
        if np.isnan(rows[:, column]).any()
    ]
    return tuple(channels)


def prepared(
    preparation: Preparation, sequences: RaggedArray, target: Floats, held: NDArray[np.bool_] | None
) -> Prepared:
    """The arrays that tasks take their batches from.

    target: (samples, targets), as ``ARRAYS`` says. held: (samples,), the validation part; where it
    is empty, the training sequences stand in for it. None to predict: all are the test part.
    """
    bounds, part = _bounds(sequences.lengths), np.full(len(sequences), TEST)
    if held is not None:
        part = np.where(held, VALIDATION, TRAIN)
        if not held.any():
            bounds, target = np.concatenate([bounds, bounds]), np.concatenate([target, target])
            part = np.repeat([TRAIN, VALIDATION], len(sequences))
    nothing = torch.empty(0, 0, dtype=torch.float64)
    return Prepared(
        preparation=preparation,
        items=tuple(map(str, range(len(bounds)))),
        values=_scaled(sequences, preparation.channels),
        codes=torch.empty(len(sequences.values), 0, dtype=torch.int64),
        time=torch.empty(0, dtype=torch.int64),
        bounds=torch.from_numpy(bounds),
        part=torch.from_numpy(part),
        group=torch.arange(len(bounds)),
        target=torch.from_numpy(target.astype(np.float32)),
        center=nothing,
        scale=nothing,
    )


def _bounds(lengths: Integers) -> Integers:
    ends = np.cumsum(lengths)
    return np.stack([ends - lengths, ends, ends, ends], axis=1)


def _scaled(sequences: RaggedArray, channels: Sequence[Channel]) -> Tensor:
    """(rows, channels) in float32; a missing value takes the last one before it in its sequence."""
    inputs = [channel for channel in channels if channel.role == "input"]
    means, scales = [channel.mean for channel in inputs], [channel.scale for channel in inputs]
    with np.errstate(over="ignore"):
        numbers = (sequences.values - np.array(means)) / np.array(scales)
    missing = np.isnan(numbers)
    if (np.abs(numbers) > LARGEST).any():
        row = int((np.abs(numbers) > LARGEST).any(axis=1).argmax())
        raise InputError(
            f"sequence {sequences.item[row]} of X is too far from those of the training: correct it"
        )
    if missing.any():
        numbers = LastSeen(len(inputs)).fill(sequences.item, numbers)
    names = [channel.name for channel in inputs]
    flagged = [
        names.index(str(channel.column)) for channel in channels if channel.role == "missing"
    ]
    return torch.from_numpy(
        np.concatenate([numbers, missing[:, flagged]], axis=1, dtype=np.float32)
    )
