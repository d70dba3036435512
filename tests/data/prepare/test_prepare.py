"""From tables to arrays: order, splits, scaling, imputing, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from asked import prepare, transform
from gatewright.data import sets
from gatewright.data.layout import Layout
from gatewright.data.prepared import PARTS, Prepared
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Split
from places import data_set

ROWS = 40


def hourly(rows: int = ROWS, start: int = 0, **columns: Any) -> pl.DataFrame:
    """One series of hours: the target y counts up."""
    time = [datetime(2024, 1, 1) + timedelta(hours=start + row) for row in range(rows)]
    return pl.DataFrame({"time": time, "y": [float(row) for row in range(rows)], **columns})


def forecast(**changes: Any) -> Layout:
    usual = {"targets": ("y",), "time": "time", "frequency": "1h", "horizon": 2, "context": 4}
    return Layout(task="forecast", **{**usual, **changes})


def classify(**changes: Any) -> Layout:
    usual = {"targets": ("label",), "numbers": ("x",), "sequence": "id"}
    return Layout(task="classify", **{**usual, **changes})


def sequences(labels: list[Any], **columns: list[Any]) -> pl.DataFrame:
    """Sequences of 1, 2, 3, 1, 2, ... steps; ``columns`` hold one value for each."""
    rows = [
        {"id": f"s{item}", "x": float(step), "label": label}
        | {name: values[item] for name, values in columns.items()}
        for item, label in enumerate(labels)
        for step in range(item % 3 + 1)
    ]
    return pl.DataFrame(rows)


def names(data: Prepared) -> list[str]:
    return [channel.name for channel in data.preparation.channels]


def column(data: Prepared, name: str) -> torch.Tensor:
    return data.values[:, names(data).index(name)]


def test_a_series_is_cut_in_time_and_scaled_by_its_training_part(tmp_path: Path) -> None:
    data = prepare(read(hourly()), forecast(), tmp_path / "data")
    assert data.bounds.tolist() == [[0, 28, 32, 40]]
    training = np.arange(28)
    assert data.center.item() == pytest.approx(training.mean())
    assert data.scale.item() == pytest.approx(training.std())
    expected = (torch.arange(40) - training.mean()) / training.std()
    torch.testing.assert_close(data.target[:, 0], expected.float())
    torch.testing.assert_close(column(data, "y"), expected.float())
    assert names(data) == ["y"]


def test_the_cycles_that_training_holds_twice_are_told(tmp_path: Path) -> None:
    hours = ["hour of day (sine)", "hour of day (cosine)"]
    days = ["day of week (sine)", "day of week (cosine)"]
    for rows, expected in ((40, []), (80, hours), (470, hours), (490, [*hours, *days])):
        data = prepare(read(hourly(rows)), forecast(), tmp_path / f"{rows}")
        assert names(data) == ["y", *expected]
        assert all(channel.known for channel in data.preparation.channels[1:])


def test_gaps_become_missing_rows_with_a_time_of_their_own(tmp_path: Path) -> None:
    frame = hourly(c=["a"] * ROWS).filter(~pl.col("y").is_in([5.0, 6.0, 35.0]))
    data = prepare(read(frame), forecast(categories=("c",)), tmp_path / "data")
    assert data.bounds.tolist() == [[0, 28, 32, 40]]
    assert data.time.diff().unique().tolist() == [3_600_000_000]
    assert data.target[:, 0].isnan().nonzero().flatten().tolist() == [5, 6, 35]
    assert data.codes[:, 0].tolist() == [row not in (5, 6, 35) for row in range(ROWS)]
    assert torch.equal(column(data, "y missing"), data.target[:, 0].isnan().float())
    # As inputs, the last value before them.
    assert column(data, "y")[5:7].tolist() == [column(data, "y")[4].item()] * 2
    assert data.preparation.notes[0].startswith("put in as missing values: 3 of 40 steps")


def test_months_and_workdays_are_regular(tmp_path: Path) -> None:
    months = pl.date_range(date(2000, 1, 31), date(2003, 12, 31), "1mo", eager=True)
    months = months.dt.month_end()
    frame = pl.DataFrame({"time": months, "y": range(len(months))})
    data = prepare(read(frame), forecast(frequency="1mo"), tmp_path / "months")
    assert (len(data.values), data.preparation.notes) == (48, ())
    days = pl.date_range(date(2024, 1, 1), date(2024, 3, 1), "1d", eager=True)
    frame = pl.DataFrame({"time": days, "y": range(len(days))}).filter(days.dt.weekday() < 6)
    frame = frame.filter(pl.int_range(pl.len()) != 7)
    data = prepare(read(frame), forecast(frequency="1d"), tmp_path / "days")
    assert data.layout.frequency == "1bd"
    assert len(data.values) == len(frame) + 1


def test_what_is_missing_before_the_first_value_is_the_mean(tmp_path: Path) -> None:
    x = [None, None, 3.0, *range(3, ROWS)]
    later = [1.0] * 35 + [None] * 5
    layout = forecast(numbers=("x", "later"))
    data = prepare(read(hourly(x=x, later=later)), layout, tmp_path / "data")
    assert column(data, "x")[:2].tolist() == [0, 0]
    assert "x missing" in names(data)
    assert "later missing" not in names(data)
    assert (
        "missing: 2 of 40 values of x; as an input each takes the last" in data.preparation.notes[0]
    )
    assert data.preparation.notes[1].endswith(
        "none is missing in the training part, so no input says where"
    )


@pytest.mark.parametrize("interleaved", [False, True])
def test_series_are_cut_at_the_same_times(tmp_path: Path, interleaved: bool) -> None:
    frames = {"old": hourly(30), "whole": hourly(60), "new": hourly(30, start=30)}
    frame = pl.concat(each.with_columns(name=pl.lit(name)) for name, each in frames.items())
    if interleaved:
        frame = frame.sort("time", maintain_order=True)
    data = prepare(read(frame), forecast(series="name"), tmp_path / "data")
    assert data.items == ("old", "whole", "new")
    ends = [
        data.time[bounds[0]].item() + (bounds[1:] - bounds[0]) * 3_600_000_000
        for bounds in data.bounds
    ]
    assert torch.equal(ends[1][:2], ends[2][:2])
    assert data.bounds[0].tolist() == [0, 30, 30, 30]
    assert data.preparation.series["whole"][0] == (data.center[1].item(), data.scale[1].item())


def test_a_series_that_does_not_vary_takes_the_scale_of_all(tmp_path: Path) -> None:
    flat = hourly().with_columns(y=pl.lit(7.1), name=pl.lit("flat"))
    frame = pl.concat([hourly().with_columns(name=pl.lit("up")), flat])
    data = prepare(read(frame), forecast(series="name"), tmp_path / "data")
    assert data.center[1].item() == pytest.approx(7.1)
    assert data.scale[1].item() == pytest.approx(data.preparation.target_scale[0])
    alone = prepare(read(flat), forecast(), tmp_path / "alone")
    assert alone.scale.item() == 1


def test_the_split_column_and_rows_cut_where_they_say(tmp_path: Path) -> None:
    split = ["train"] * 20 + ["val"] * 8 + ["test"] * 12
    layout = forecast(split="split")
    data = prepare(read(hourly(split=split)), layout, tmp_path / "data")
    assert data.bounds.tolist() == [[0, 20, 28, 40]]
    split = ["train"] * 32 + ["test"] * 8
    data = prepare(read(hourly(split=split)), layout, tmp_path / "data")
    assert data.bounds.tolist() == [[0, 28, 32, 40]]
    data = prepare(
        read(hourly(split=split)), layout, tmp_path / "data", split=Split(rows=(10, 5, 5))
    )
    assert data.bounds.tolist() == [[0, 10, 15, 20]]
    assert len(data.values) == 20
    assert data.preparation.notes == ("left out: 20 of 40 steps, beyond the 20 asked for",)


def test_rows_at_the_end_without_a_target_are_left_out(tmp_path: Path) -> None:
    frame = hourly(ROWS + 3).with_columns(y=pl.when(pl.col("y") < ROWS).then("y"))
    data = prepare(read(frame), forecast(), tmp_path / "data")
    assert data.bounds.tolist() == [[0, 28, 32, 40]]
    assert data.preparation.notes[0].startswith("left out: 3 steps at the end without a target")


SPLIT = ["train"] * 20 + ["test"] * 10 + ["train"] * 10
REFUSED = {
    "row 3 .*time stands twice": (hourly().with_columns(time=pl.col("time").shift(1)), {}),
    "row 1 .*time is earlier": (hourly().reverse(), {}),
    "'z' .* is not in": (hourly(), {"numbers": ("z",)}),
    "holds words; expected numbers": (hourly(x=["a"] * ROWS), {"numbers": ("x",)}),
    "split says train, after a row that says test": (hourly(split=SPLIT), {"split": "split"}),
    "none of train, validation": (hourly(split=["?"] * ROWS), {"split": "split"}),
    "training part has 28 steps": (hourly(), {"context": 30}),
    "validation part has 4 steps": (hourly(), {"horizon": 5}),
    "would become": (hourly(), {"frequency": "1m"}),
    "same step of": (hourly(), {"frequency": "1d"}),
    "does not fit column": (hourly(), {"frequency": "1i"}),
    "too large to square": (hourly(x=[1e200, -1e200] * 20), {"numbers": ("x",)}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_used_is_refused_and_leaves_what_was_there(
    tmp_path: Path, message: str
) -> None:
    frame, changes = REFUSED[message]
    before = prepare(read(hourly()), forecast(), tmp_path / "data")
    frame = frame.with_columns(time=pl.col("time").fill_null(datetime(2024, 1, 1)))
    if message.startswith("row 3"):
        frame = frame[1:].with_columns(pl.when(pl.int_range(pl.len()) == 2).then(
            pl.col("time").shift(1)).otherwise("time").alias("time"))  # fmt: skip
    with pytest.raises(InputError, match=message.replace("row 1 ", "row 2 ")):
        prepare(read(frame), forecast(**changes), tmp_path / "data")
    assert torch.equal(Prepared.open(tmp_path / "data").values, before.values)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something else"):
        prepare(read(hourly()), forecast(), tmp_path)


def test_a_table_is_transformed_as_it_was_prepared(tmp_path: Path) -> None:
    frame = hourly(c=["a", "b"] * 20, k=[1.0, 2.0] * 20)
    layout = forecast(categories=("c",), numbers=("k",), known=("k",))
    before = prepare(read(frame), layout, tmp_path / "data")
    after = transform(read(frame), before.preparation, tmp_path / "again")
    for name in ("values", "codes", "target", "time", "center", "scale"):
        assert torch.equal(getattr(before, name), getattr(after, name))
    assert after.bounds.tolist() == [[0, 0, 0, 40]]
    future = frame.with_columns(y=pl.when(pl.col("y") < 38).then("y"), c=pl.lit("new"))
    after = transform(read(future), before.preparation, tmp_path / "future")
    assert after.target[:, 0].isnan().sum() == 2
    assert after.codes.unique().tolist() == [0]
    assert "taken for missing: 40 of 40 values of c" in after.preparation.notes[-1]
    future = future.with_columns(k=pl.when(pl.col("y").is_not_null()).then("k"))
    with pytest.raises(InputError, match=r"row 39 .*: k is missing"):
        transform(read(future), before.preparation, tmp_path / "future")
    with pytest.raises(InputError, match=r"'y' .* is not in"):
        transform(read(frame.drop("y")), before.preparation, tmp_path / "future")


def test_an_unseen_series_is_scaled_by_its_own_rows(tmp_path: Path) -> None:
    frame = hourly().with_columns(name=pl.lit("seen"))
    before = prepare(read(frame), forecast(series="name"), tmp_path / "data")
    new = frame.with_columns(y=pl.col("y") * 100, name=pl.lit("new"))
    after = transform(read(pl.concat([new, frame])), before.preparation, tmp_path / "new")
    assert after.center[0].item() == pytest.approx(1950)
    assert after.center[1].item() == before.center.item()


def test_sequences_are_split_by_label_and_whole(tmp_path: Path) -> None:
    frame = sequences(["a", "b", "b"] * 10 + [None])
    data = prepare(read(frame), classify(), tmp_path / "data")
    assert data.preparation.classes == ("a", "b")
    assert data.lengths.tolist() == [item % 3 + 1 for item in range(30)]
    counts = [[int(((data.part == part) & (data.target[:, 0] == label)).sum()) for part in range(3)]
              for label in range(2)]  # fmt: skip
    assert counts == [[7, 1, 2], [14, 2, 4]]
    assert data.preparation.class_counts == (7, 14)
    assert data.preparation.notes == ("left out: 1 of 31 sequences, without label",)
    assert torch.equal(data.part, prepare(read(frame), classify(), tmp_path / "again").part)
    other = prepare(read(frame), classify(), tmp_path / "other", seed=1)
    assert not torch.equal(data.part, other.part)
    # Rows of many sequences in turn, and steps in any order, give the same arrays.
    steps = frame.with_columns(step=pl.col("x").cast(int))
    mixed = pl.concat([steps.unique("id", maintain_order=True), steps.sample(fraction=1.0, seed=1)])
    mixed = mixed.unique(["id", "step"], maintain_order=True)
    again = prepare(read(mixed), classify(step="step"), tmp_path / "mixed")
    assert torch.equal(data.values, again.values)


def test_a_group_stays_in_one_part(tmp_path: Path) -> None:
    frame = sequences(["a", "b"] * 20, who=[f"p{item // 4}" for item in range(40)])
    data = prepare(read(frame), classify(group="who"), tmp_path / "data")
    assert [len(data.part[data.group == group].unique()) for group in range(10)] == [1] * 10
    assert data.part.bincount().tolist() == [28, 4, 8]


def test_the_split_column_gives_the_parts_and_training_lends_validation(tmp_path: Path) -> None:
    split = ["train"] * 20 + ["test"] * 10
    frame = sequences(["a", "b"] * 15, split=split)
    data = prepare(read(frame), classify(split="split"), tmp_path / "data")
    assert data.part.bincount().tolist() == [16, 4, 10]
    assert data.part[20:].unique().tolist() == [PARTS.index("test")]


def test_wide_rows_are_sequences_as_long_as_they_have_values(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"t0": range(12), "t1": [1.0] * 12, "t2": [None] * 6 + [3.0] * 6, "age": range(12)}
        | {"label": [value / 2 for value in range(12)]}
    )
    layout = Layout(task="regress", targets=("label",), numbers=("age",), steps=("t0", "t1", "t2"))
    data = prepare(read(frame), layout, tmp_path / "data")
    assert data.lengths.tolist() == [2] * 6 + [3] * 6
    assert names(data) == ["value", "age"]
    assert data.time[:5].tolist() == [0, 1, 0, 1, 0]
    mean, scale = data.preparation.target_mean[0], data.preparation.target_scale[0]
    torch.testing.assert_close(data.target[:, 0] * scale + mean, torch.arange(12) / 2)
    after = transform(read(frame.drop("label")), data.preparation, tmp_path / "new")
    assert torch.equal(data.values, after.values)
    assert after.target.isnan().all()
    assert after.part.tolist() == [PARTS.index("test")] * 12


@pytest.mark.parametrize(
    ("frame", "changes", "message"),
    [
        (sequences(["a"] * 9 + ["b"] * 2), {}, "label b of label has 2 of the 11 sequences"),
        (
            sequences(["a"] * 6 + ["b"] * 3, split=["train"] * 6 + ["test"] * 3),
            {"split": "split"},
            "label b of label has 3 sequences, but none in training",
        ),
        (
            sequences(["a"] * 9).with_columns(label=pl.int_range(pl.len()).cast(pl.String)),
            {},
            "sequence s1 .* has 2 labels",
        ),
        (
            sequences(["a", "b"] * 5, who=["p", "q"] * 5),
            {"group": "who"},
            "there are 2 groups",
        ),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    tmp_path: Path, frame: pl.DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepare(read(frame), classify(**changes), tmp_path / "data")


@pytest.mark.parametrize("name", sets.names())
def test_the_shipped_sets_are_prepared(tmp_path: Path, name: str) -> None:
    table = read(sets.path(name))
    time, target = table.schema
    layout = forecast(targets=(target,), time=time, frequency="1mo")
    data = prepare(table, layout, tmp_path / "data")
    assert len(data.values) == table.rows
    assert data.values.isfinite().all()


@pytest.mark.slow
def test_real_sets_are_prepared(tmp_path: Path) -> None:
    table = read(data_set("ETTh1.csv"))
    layout = forecast(targets=tuple(table.schema)[1:], time="date", horizon=96, context=96)
    data = prepare(table, layout, tmp_path / "hours", split=Split(rows=(8640, 2880, 2880)))
    assert data.bounds.tolist() == [[0, 8640, 11520, 14400]]
    torch.testing.assert_close(data.values[:8640, :7].mean(0), torch.zeros(7), atol=1e-5, rtol=0)
    table = read(data_set("japanese-vowels.csv"))
    numbers = tuple(name for name in table.schema if name.startswith("lpc"))
    layout = Layout(task="classify", targets=("speaker",), numbers=numbers, sequence="sequence",
                    step="step", split="split")  # fmt: skip
    data = prepare(table, layout, tmp_path / "vowels")
    assert data.part.bincount().tolist() == [216, 54, 370]
    assert data.preparation.classes == tuple("123456789")


MEMORY = """
import resource, sys
from pathlib import Path
import polars as pl
from gatewright.data.layout import Layout
from gatewright import tasks
from gatewright.data.prepare.preparing import prepare
from gatewright.data.table.reading import Table

folder = Path(sys.argv[1])
frame = pl.scan_parquet(folder / "table.parquet")
table = Table("table", frame, dict(frame.collect_schema()), 300_000)
names = tuple(table.schema)
layout = Layout(task="forecast", targets=names[:1], numbers=names[1:], horizon=2, context=4)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
prepare(table, layout, tasks.get("forecast"), folder / "data")
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units elsewhere")
def test_a_table_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    rows, columns = 300_000, 60
    random = np.random.default_rng(0).random((columns, rows))
    frame = pl.DataFrame({f"x{at}": random[at] for at in range(columns)})
    frame.write_parquet(tmp_path / "table.parquet", row_group_size=20_000)
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    grown = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert grown < random.nbytes
