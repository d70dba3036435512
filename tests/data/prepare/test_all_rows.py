"""All rows as training: of a model whose like was judged before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asked import guess, prepare
from gatewright.data.examples.windows import Windows
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.limits import EVERYTHING
from gatewright.requests import Columns, Split

ALL = Split(EVERYTHING)


def shops(*lengths: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    frames = [
        pl.DataFrame({"t": range(at * 50, at * 50 + length), "shop": f"shop {at}"}).with_columns(
            y=10 * at + random.normal(size=length)
        )
        for at, length in enumerate(lengths)
    ]
    return pl.concat(frames)


@pytest.mark.parametrize("lengths", [(60,), (60, 61, 62), (60, 200, 41)])
def test_every_window_of_every_series_trains(lengths: tuple[int, ...], tmp_path: Path) -> None:
    frame = shops(*lengths)
    columns = Columns(targets=("y",), time="t", series="shop", horizon=3, context=8)
    table = read(frame)
    layout, _ = guess(table, columns)
    data = prepare(table, layout, tmp_path / "data", split=ALL)
    assert len(Windows().of_part(data, "train")) == sum(one - 3 - 8 + 1 for one in lengths)
    assert not len(Windows().of_part(data, "validation"))
    assert not len(Windows().of_part(Windows().held_out(data), "validation"))
    assert not len(Windows().of_part(data, "test"))
    for number in range(len(lengths)):
        own = frame.filter(pl.col("shop") == f"shop {number}")["y"].to_numpy()
        assert data.center[number, 0].item() == pytest.approx(own.mean(), rel=1e-12)
        assert data.scale[number, 0].item() == pytest.approx(own.std(), rel=1e-12)
    assert not [note for note in data.preparation.notes if "cut at" in note or "judged" in note]
    training, validation, _ = data.preparation.parts
    assert training.examples == sum(one - 10 for one in lengths)
    assert validation.examples == 0


def test_categories_and_gaps_of_the_last_rows_are_known_too(tmp_path: Path) -> None:
    steps = np.arange(80)
    frame = pl.DataFrame(
        {
            "t": steps,
            "y": np.sin(steps * 0.7),
            "kind": ["late" if step > 75 else "ab"[step % 2] for step in steps],
            "x": [None if step == 77 else float(step) for step in steps],
        }
    )
    table = read(frame)
    layout, _ = guess(table, Columns(targets=("y",), time="t", horizon=3, context=8))
    data = prepare(table, layout, tmp_path / "data", split=ALL)
    (category,) = data.preparation.categories
    assert category.values == ("a", "b", "late")
    assert "x missing" in [channel.name for channel in data.preparation.channels]


def test_every_sequence_trains_also_a_label_with_one(tmp_path: Path) -> None:
    rows = [(f"s{n}", step, float(n + step), f"k{n // 20}") for n in range(45) for step in range(4)]
    frame = pl.DataFrame(rows, schema=["id", "step", "x", "label"], orient="row")
    layout, _ = guess(read(frame), Columns(targets=("label",), sequence="id", step="step"))
    data = prepare(read(frame[: 41 * 4]), layout, tmp_path / "data", split=ALL)
    assert (data.part == 0).all()
    assert data.preparation.classes == ("k0", "k1", "k2")
    assert data.preparation.class_counts == (20, 20, 1)
    assert [part.examples for part in data.preparation.parts] == [41, 0, 0]


def test_groups_train_too(tmp_path: Path) -> None:
    rows = [(f"s{n}", step, float(n), n // 4, n / 7) for n in range(24) for step in range(3)]
    names = ["id", "step", "x", "person", "y"]
    table = read(pl.DataFrame(rows, schema=names, orient="row"))
    said = Columns(targets=("y",), sequence="id", step="step", group="person", task="regress")
    layout, _ = guess(table, said)
    data = prepare(table, layout, tmp_path / "data", split=ALL)
    assert (data.part == 0).all()
    assert data.preparation.target_mean == pytest.approx((np.mean([n / 7 for n in range(24)]),))


def test_too_few_rows_are_told(tmp_path: Path) -> None:
    table = read(shops(60))
    said = Columns(targets=("y",), time="t", series="shop", horizon=3, context=8)
    layout, _ = guess(table, said)
    with pytest.raises(InputError, match="the training part has 10 steps, but a context of 8"):
        prepare(read(shops(10)), layout, tmp_path / "data", split=ALL)
