"""Which sequences are for training, for validation and for testing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewright.data.calendar import Integers
from gatewright.data.layout import Layout
from gatewright.data.prepared import PARTS
from gatewright.errors import InputError, argument
from gatewright.wording.numbers import counted

TRAIN, VALIDATION, TEST = range(3)
WORDS = ("training", "validation", "test")
ATTEMPTS = 100  # orders of the groups that are tried until every label stands in every part
FROM_TRAINING = 0.2  # becomes validation where the split column knows none


def split_sequences(
    layout: Layout,
    classes: tuple[str, ...],
    label: Integers,
    group: Integers,
    stated_parts: Integers | None,
    shares: tuple[float, float, float],
    seed: int,
) -> Integers:
    """The part of each sequence, (items,), as a number in ``PARTS``.

    ``label`` holds the number of the class of each, all 0 in regression; ``stated_parts`` what
    the split column says. Raises InputError for a class with too few sequences.
    """
    random = np.random.default_rng(seed)
    needed = [part for part in range(3) if shares[part] or stated_parts is not None]
    if stated_parts is None:
        if not len(label):
            raise InputError(f"no sequence has a value of {layout.targets[0]}; give each its own")
        if needed == [TRAIN]:
            return np.full(len(label), TRAIN)
        parts = _by_group(label, group, shares, random) if layout.group else None
        if parts is None:
            _check_counts(layout, classes, label, needed)
            parts = _stratified(label, shares, random)
    else:
        parts = stated_parts.astype(np.int64)
        _check_stated_parts(layout, parts)
        training = np.flatnonzero(parts == TRAIN)
        if not (parts == VALIDATION).any():
            share = (1 - FROM_TRAINING, FROM_TRAINING, 0.0)
            if layout.group:
                some = _by_group(label[training], group[training], share, random)
            else:
                some = _stratified(label[training], share, random)
            parts[training] = some
    _check_parts(layout, classes, label, parts, needed, everywhere=stated_parts is None)
    return parts


def _stratified(
    label: Integers, shares: tuple[float, float, float], random: np.random.Generator
) -> Integers:
    """Each label in the same shares, by chance, at least one sequence in each part if it can."""
    parts = np.full(len(label), TRAIN)
    for each in np.unique(label):
        members = random.permutation(np.flatnonzero(label == each))
        left = len(members) - 1  # one stays in training
        at = 0
        for part in (TEST, VALIDATION):
            wanted = max(1, round(len(members) * shares[part])) if shares[part] else 0
            # The next part is to get one too.
            count = min(wanted, max(0, left - (part == TEST and shares[VALIDATION] > 0)))
            parts[members[at : at + count]] = part
            at, left = at + count, left - count
    return parts


def _by_group(
    label: Integers,
    group: Integers,
    shares: tuple[float, float, float],
    random: np.random.Generator,
) -> Integers:
    """Whole groups, in an order by chance, each to the part that lacks most of its share.

    Of several orders, the first that has every label in every part, or else in training.
    """
    groups, of = np.unique(group, return_inverse=True)
    sizes = np.bincount(of)
    wanted = np.array(shares) * len(label)
    parts_needed = [part for part in range(3) if shares[part]]
    if len(groups) < len(parts_needed):
        raise InputError(
            f"there are {counted(len(groups), 'group')}, and each of {len(parts_needed)} parts "
            "needs one, as a group stays in one part: give more groups, or another "
            f"{argument('group')}"
        )
    best, best_score = np.full(len(groups), TRAIN), -1
    everything = len(np.unique(label))
    for _ in range(ATTEMPTS):
        lacking, part_of = wanted.copy(), np.full(len(groups), TRAIN)
        order = random.permutation(len(groups))
        for at, each in enumerate(order):
            empty = [part for part in parts_needed if lacking[part] == wanted[part]]
            hurry = len(order) - at <= len(empty)  # the last groups go to parts that have none
            part_of[each] = max(empty if hurry else parts_needed, key=lambda part: lacking[part])
            lacking[part_of[each]] -= sizes[each]
        classes_in = [len(np.unique(label[part_of[of] == part])) for part in parts_needed]
        score = sum(classes_in) + len(parts_needed) * everything * (classes_in[0] == everything)
        if score > best_score:
            best, best_score = part_of, score
        if min(classes_in) == everything:
            break
    return best[of]


def _check_counts(
    layout: Layout, classes: tuple[str, ...], label: Integers, needed: Sequence[int]
) -> None:
    counts, least = np.bincount(label, minlength=len(classes)), len(needed)
    *most, last = (WORDS[part] for part in needed)
    each = f"{', '.join(most)} and {last}"
    for name, count in zip(classes, counts, strict=False):
        if count < least:
            raise InputError(
                f"label {name} of {layout.targets[0]} has {count:,} of the "
                f"{len(label):,} sequences, but needs at least {least}, one for each of {each}; "
                "drop the label or give more"
            )
    if len(label) < least:
        raise InputError(
            f"of {counted(len(label), 'sequence')} with a target, {each} need one each; give "
            f"{least} at least"
        )


def _check_stated_parts(layout: Layout, parts: Integers) -> None:
    for part in (TRAIN, TEST):
        if not (parts == part).any():
            raise InputError(
                f"{layout.split} puts no labelled sequence in {PARTS[part]}; it needs some there"
            )


def _check_parts(
    layout: Layout,
    classes: tuple[str, ...],
    label: Integers,
    parts: Integers,
    needed: Sequence[int],
    everywhere: bool,
) -> None:
    for part in needed:
        if not (parts == part).any():
            raise InputError(
                f"the {PARTS[part]} part has no sequence; give more sequences, or other "
                f"{argument('shares')}"
            )
    for number, name in enumerate(classes):
        counts = [int(((label == number) & (parts == part)).sum()) for part in range(3)]
        if not counts[TRAIN]:
            raise InputError(
                f"label {name} of {layout.targets[0]} has {counted(sum(counts), 'sequence')}, but "
                "none in training; move some there, or drop the label"
            )
        if everywhere and not all(counts[part] for part in needed):
            raise InputError(
                f"label {name} of {layout.targets[0]} has {counted(sum(counts), 'sequence')}: "
                + ", ".join(f"{count} in {part}" for count, part in zip(counts, PARTS, strict=True))
                + "; it needs one in each, and the groups stay whole: give more groups, or split "
                "without them"
            )
