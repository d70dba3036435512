"""Inputs that hold the target ahead of time are left out, unless they were asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess
from gatewright.data.layout import Layout
from gatewright.data.table.reading import read
from gatewright.requests import Columns

RANDOM = np.random.default_rng(5)
LENGTH = 300
WALK = np.cumsum(RANDOM.normal(size=LENGTH)).round(2)


def ahead(values: Any, steps: int) -> pl.Series:
    return pl.Series(values).shift(-steps)


def guessed(target: Any, **columns: Any) -> tuple[Layout, dict[str, str]]:
    said = {name: columns.pop(name) for name in ("known", "series") if name in columns}
    frame = pl.DataFrame({"y": target, **columns})
    layout, guesses = guess(read(frame), Columns(targets=("y",), horizon=7, **said))
    return layout, {each.value: each.why for each in guesses if each.what == "left out"}


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_copies_and_linear_maps_of_what_comes(steps: int, scale: float) -> None:
    walk = WALK * scale
    layout, left = guessed(
        walk,
        copy=ahead(walk, steps),
        filled=ahead(walk, steps).fill_null(0.0),
        mapped=(ahead(WALK, steps) * -2.54 + 3).fill_null(99.0),
        noise=RANDOM.normal(size=LENGTH),
    )
    words = "1 step" if steps == 1 else f"{steps} steps"
    assert left["copy"] == left["filled"] == f"on nearly all rows it is y {words} ahead"
    assert left["mapped"] == f"on nearly all rows it is a linear map of y {words} ahead"
    assert layout.inputs == ("noise",)
    assert layout.ignored["copy"] == left["copy"]


def test_what_is_asked_for_stays() -> None:
    layout, left = guessed(WALK, copy=ahead(WALK, 1).fill_null(0.0), known=("copy",))
    assert (layout.inputs, left) == (("copy",), {})


def test_what_holds_the_target_of_now_or_before_stays() -> None:
    wave = np.sin(np.arange(LENGTH) / 60)  # alike at every shift
    layout, left = guessed(WALK, now=WALK, late=ahead(WALK, -1), part=0.5 * WALK)
    assert (len(layout.inputs), left) == (3, {})
    layout, left = guessed(wave, now=wave, part=0.5 * wave + 1, year=np.tile(np.arange(10.0), 30))
    assert (len(layout.inputs), left) == (3, {})
    season = np.tile(RANDOM.normal(size=12), 25)  # repeats: what comes is what was
    layout, left = guessed(season, again=ahead(season, 5))
    assert left == {}


def test_what_is_nearly_always_the_same_is_not_told_by_that() -> None:
    rare = (RANDOM.random(LENGTH) < 0.1) * RANDOM.integers(1, 4, LENGTH)
    other = (RANDOM.random(LENGTH) < 0.1) * RANDOM.integers(1, 4, LENGTH)
    layout, left = guessed(rare, other=other, coming=ahead(rare, 2).fill_null(0))
    assert (layout.inputs, list(left)) == (("other",), ["coming"])
    few = np.zeros(LENGTH)
    few[200:] = 5.0  # one change says nothing
    assert guessed(few, step=ahead(few, 1).fill_null(5.0))[1] == {}
    spikes, follow = WALK.copy(), RANDOM.normal(size=LENGTH)
    spikes[100], follow[99] = 1e6, 1e6  # one large change neither
    assert guessed(spikes, follow=follow)[1] == {}


def test_in_many_series_with_missing_values() -> None:
    names = np.repeat(["a", "b", "c"], 100)
    coming = pl.concat([ahead(WALK[at : at + 100], 1) for at in (0, 100, 200)])
    target = pl.Series(WALK).set(pl.Series(np.arange(LENGTH) % 17 == 3), None)
    layout, left = guessed(target, coming=coming, shop=names, series="shop")
    assert (layout.inputs, list(left)) == ((), ["coming"])
