"""What may be said of limits from Python, and of which columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns

HALF = np.float32(0.5)


def told(limits: Any, *targets: str) -> Any:
    steps = np.arange(100)
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 9), eager=True)
    frame = pl.DataFrame({"day": days, "a": np.sin(steps), "b": steps % 7 / 2})
    layout, _ = guess(read(frame), Columns(targets=targets or ("a", "b"), limits=limits))
    return layout.limits


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (None, {}),
        ((0, None), {"a": (0, None), "b": (0, None)}),
        ([None, HALF], {"a": (None, 0.5), "b": (None, 0.5)}),
        ((None, None), {"a": (None, None), "b": (None, None)}),
        ({"b": (-1, 10**6)}, {"b": (-1, 1e6)}),
        ({}, {}),
    ],
)
def test_one_pair_is_of_all_targets_and_a_mapping_of_some(limits: Any, kept: Any) -> None:
    assert told(limits) == kept


@pytest.mark.parametrize(
    "limits",
    [
        0, "0:", (0,), (0, 1, 2), (0, "1"), (True, 2), (0, float("nan")), (float("inf"), None),
        (10**400, None), {"a": 0}, {"a": "0:"}, (1, 1), (2, 1), {"a": (3, 2)}, {"c": (0, 1)},
        {"day": (0, 1)},
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_anything_else_is_told(limits: Any) -> None:
    with pytest.raises(InputError, match="`limits`"):
        told(limits)


def test_labels_have_no_limits() -> None:
    frame = pl.DataFrame({f"x{at}": np.sin(np.arange(40) * at) for at in range(1, 7)})
    frame = frame.with_columns(y=pl.Series(["up", "down"] * 20))
    said = Columns(targets=("y",), task="classify", limits=(0, None))
    with pytest.raises(InputError, match="`limits` are for targets that are numbers, and y of"):
        guess(read(frame), said)
