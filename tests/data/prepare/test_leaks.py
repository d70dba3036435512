"""Inputs that hold the answer are told of, on all rows; ordinary columns are not."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.datasets

from asked import guess, prepare
from gatewright import cli
from gatewright.data.prepared import PreparedRecord
from gatewright.data.table.reading import read
from gatewright.requests import Columns
from places import data_set

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(0)
ROWS = 300


def notes(source: Any, target: str, folder: Path, **flags: Any) -> list[str]:
    """What is noticed of columns that hold the answer."""
    table = read(source)
    layout, _ = guess(table, Columns(targets=[target], **flags))
    found = prepare(table, layout, folder / "data").preparation.notes
    return [note for note in found if "answer" in note]


def series() -> pl.DataFrame:
    times = [date(2020, 1, 1) + timedelta(days=day) for day in range(ROWS)]
    walk = np.random.default_rng(1).normal(size=(2, ROWS)).cumsum(axis=1)
    return pl.DataFrame({"day": times, "sold": walk[0], "other": walk[1]})


def long(labels: list[Any]) -> pl.DataFrame:
    """Six rows a sequence."""
    random = np.random.default_rng(2)
    rows = len(labels) * 6
    return pl.DataFrame({
        "id": [f"s{row // 6}" for row in range(rows)], "step": [row % 6 for row in range(rows)],
        "label": [labels[row // 6] for row in range(rows)],
        "x": random.normal(size=rows), "kind": random.choice(["a", "b", "c"], rows),
    })  # fmt: skip


NUMBERS = np.random.default_rng(3).normal(size=60).round(6).tolist()
WORDS = [["walk", "run", "sit"][number * number % 7 % 3] for number in range(60)]
Y = pl.col("label")

MAPS = {
    "the target itself": pl.col("sold"),
    "another unit": pl.col("sold") * 1.8 + 32,
    "its negative": -pl.col("sold"),
    "far from zero": pl.col("sold") + 1e6,
    "rounded": (pl.col("sold") * 1.8 + 32).round(1),
    "as numbers of 32 bits": pl.col("sold").cast(pl.Float32),
    "with missing values": pl.when(pl.int_range(pl.len()) % 7 != 3).then(pl.col("sold")),
}


@pytest.mark.parametrize("name", MAPS)
def test_an_input_known_ahead_that_is_the_target(name: str, tmp_path: Path) -> None:
    frame = series().with_columns(MAPS[name].alias("copy"))
    (note,) = notes(frame, "sold", tmp_path, known=["copy"])
    assert note.startswith("copy seems to hold the answer: on all rows it is a linear map of sold;")
    assert "with `ignore='copy'` instead of `known`" in note
    # What is known only up to now tells nothing of the future.
    assert not notes(frame, "sold", tmp_path)


def test_a_target_rounded_to_whole_numbers(tmp_path: Path) -> None:
    fine = series().with_columns(fine=pl.col("sold") * 9)
    frame = fine.with_columns(sold=pl.col("fine").round(), fine=pl.col("fine").round(3))
    assert notes(frame, "sold", tmp_path, known=["fine"])


ORDINARY = {
    "another walk": pl.col("other"),
    "the target of the day before": pl.col("sold").shift(1).fill_null(0.0),
    "the target and noise": pl.col("sold") + 0.2 * pl.Series(RANDOM.normal(size=ROWS)),
    "the target but for one row": pl.when(pl.int_range(pl.len()) != 200).then(pl.col("sold"))
    .otherwise(9.0),
    "its square": pl.col("sold") ** 2,
    "whether it is high": pl.col("sold") > 0,
    "its rank": pl.col("sold").rank().cast(pl.Int64),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_inputs_known_ahead(name: str, tmp_path: Path) -> None:
    frame = series().with_columns(ORDINARY[name].alias("other"))
    assert not notes(frame, "sold", tmp_path, known=["other"])


def test_a_copy_that_changes_seldom_is_no_evidence(tmp_path: Path) -> None:
    place = pl.int_range(pl.len())
    frame = series().with_columns(sold=(place > 150).cast(pl.Int64))
    frame = frame.with_columns(copy=pl.col("sold"))
    assert not notes(frame, "sold", tmp_path, known=["copy"])
    frame = frame.with_columns(sold=(place // 7 % 2), copy=3 - 2 * (place // 7 % 2))
    assert notes(frame, "sold", tmp_path, known=["copy"])


LEAKS = {
    "a number": (NUMBERS, Y * -3 + 7),
    "a rounded number": (NUMBERS, (Y * 1000).round(1)),
    "many whole numbers": ([number * number for number in range(60)], Y / 4),
    "a word": (WORDS, Y.str.to_uppercase()),
    "a number for a word": (WORDS, Y.replace_strict(dict(walk=5, run=2, sit=9))),
    "a word for a number": ([number % 2 for number in range(60)], pl.format("c{}", Y)),
    "yes and no": ([number % 2 for number in range(60)], Y == 1),
    "in order of the label": ([number // 20 for number in range(60)], 7 - Y),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_of_sequences_that_gives_the_label(name: str, tmp_path: Path) -> None:
    labels, leak = LEAKS[name]
    (note,) = notes(long(labels).with_columns(leak.alias("same")), "label", tmp_path)
    assert note.startswith("same seems to hold the answer")
    assert "leave it out with `ignore='same'`, unless" in note
    ignored = long(labels).with_columns(leak.alias("same"))
    assert not notes(ignored, "label", tmp_path, ignore=["same"])


def test_columns_of_sequences_that_only_go_along_with_the_label(tmp_path: Path) -> None:
    place = pl.int_range(pl.len())
    frame = long(WORDS).with_columns(
        subject=place // 12,  # many for each label
        coarse=(Y == "walk").cast(pl.Int64),  # two labels share a value
        nearly=pl.when(place == 100).then(pl.lit("other")).otherwise(Y),
        often=pl.when(place < 30).then(Y.str.len_chars()),  # of five sequences only
    )
    assert not notes(frame, "label", tmp_path, categories=["subject"])
    few = long(["walk", "run"] * 8).with_columns(same=Y.str.len_chars())
    assert not notes(few, "label", tmp_path)
    numbers = long(NUMBERS).with_columns(
        near=Y + 0.1 * pl.Series(RANDOM.normal(size=360)), square=Y**2, first=(Y > 0)
    )
    assert not notes(numbers, "label", tmp_path)


@pytest.mark.parametrize("classes", [0, 3])
def test_a_step_of_a_wide_table_that_gives_the_label(classes: int, tmp_path: Path) -> None:
    values = np.random.default_rng(4).normal(size=(200, 12))
    label = np.arange(200) ** 2 % 7 % classes if classes else np.random.default_rng(5).random(200)
    frame = pl.DataFrame(values, schema=[f"t{step}" for step in range(12)])
    frame = frame.with_columns(label=pl.Series(label))
    assert not notes(frame, "label", tmp_path)
    leaked = frame.with_columns(t5=4 - 2 * Y)
    (note,) = notes(leaked, "label", tmp_path)
    assert note.startswith("t5 seems to hold the answer")
    assert not notes(leaked, "label", tmp_path, ignore=["t5"])


def test_a_wide_table_whose_last_step_is_missing_in_most_rows(tmp_path: Path) -> None:
    values = np.random.default_rng(4).normal(size=(200, 6))
    frame = pl.DataFrame(values, schema=[f"t{step}" for step in range(6)])
    frame = frame.with_columns(label=pl.int_range(pl.len()) % 2)
    few = frame.with_columns(t5=pl.when(pl.int_range(pl.len()) < 12).then(Y))
    assert not notes(few, "label", tmp_path)
    many = frame.with_columns(t5=pl.when(pl.int_range(pl.len()) < 60).then(Y))
    assert len(notes(many, "label", tmp_path)) == 1


def test_blocks_one_after_another_tell_the_same(tmp_path: Path, monkeypatch: Any) -> None:
    for module in ("axis", "blocks", "keys"):
        monkeypatch.setattr(f"gatewright.data.prepare.{module}.BATCH", 7)
    monkeypatch.setattr("gatewright.data.prepare.keys.batches.__defaults__", (7,))
    test_a_column_of_sequences_that_gives_the_label("a number for a word", tmp_path)
    test_a_column_of_sequences_that_gives_the_label("a rounded number", tmp_path)
    test_an_input_known_ahead_that_is_the_target("far from zero", tmp_path)
    test_columns_of_sequences_that_only_go_along_with_the_label(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["fit", "compare"])
def test_it_is_told_and_kept(command: str, tmp_path: Path, capsys: Any) -> None:
    series().with_columns(copy=2 * pl.col("sold")).write_csv(tmp_path / "sales.csv")
    flags = {"fit": ["--cell", "gru"], "compare": ["--cells", "gru", "--settings", "1"]}[command]
    flags += ["--seeds", "1", "--jobs", "1"] if command == "compare" else []
    run = tmp_path / "run"
    file = str(tmp_path / "sales.csv")
    flags += ["--epochs", "1", "--target", "sold", "--known", "copy", "--horizon", "3"]
    assert cli.main([command, file, *flags, "--out", str(run)]) == 0
    told = "copy seems to hold the answer"
    assert told in capsys.readouterr().out
    assert (
        told
        in PreparedRecord.model_validate_json(
            (run / "prepared.json").read_text("utf-8")
        ).preparation.notes[0]
    )
    assert told in (run / ("fit.json" if command == "fit" else "report.html")).read_text("utf-8")


REAL: list[tuple[str, str, dict[str, Any]]] = [
    ("gunpoint.csv", "label", {}),
    ("japanese-vowels.csv", "speaker", {}),
    ("airline-passengers.csv", "Passengers", {}),
    ("ETTh1.csv", "OT", {"known": ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL"]}),
    ("ETTh1.csv", "HUFL", {"known": ["MUFL"]}),
    ("beijing-pm25.csv", "pm2.5", {"known": ["DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"]}),
    ("beijing-pm25.csv", "TEMP", {"known": ["DEWP", "PRES", "year", "month", "No"]}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "target", "flags"), REAL)
def test_no_false_alarm_on_real_tables(
    name: str, target: str, flags: dict[str, Any], tmp_path: Path
) -> None:
    assert not notes(data_set(name), target, tmp_path, **flags)


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_no_false_alarm_on_wide_tables(name: str, tmp_path: Path) -> None:
    values, label = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    frame = pl.DataFrame(values, schema=[f"x{number}" for number in range(values.shape[1])])
    assert not notes(frame.with_columns(label=pl.Series(label)), "label", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm_on_random_tables(seed: int, tmp_path: Path) -> None:
    """Columns of few values, of which some are the same within each sequence."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2 + seed % 3, 40).tolist()
    frame = long(labels)
    frame = frame.with_columns(
        pl.Series(f"c{number}", np.repeat(random.integers(0, 2 + number % 3, 40), 6))
        for number in (1, 3, 5, 7, 9, 11)
    )
    assert not notes(frame, "label", tmp_path)
