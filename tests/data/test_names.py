"""Names of columns, files and folders are names: no pattern, no mark-up, none of our own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from asked import guess, prepare
from gatewright import cli
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns

pytestmark = pytest.mark.slow

ROWS = 120
RANDOM = np.random.default_rng(0)
DAYS = [date(2024, 1, 1) + timedelta(days=day) for day in range(ROWS)]
WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    "csv": lambda frame, path: frame.write_csv(path),
    "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "ndjson": lambda frame, path: frame.write_ndjson(path),
    "parquet": lambda frame, path: frame.write_parquet(path),
    "arrow": lambda frame, path: frame.write_ipc(path),
}


def sales(name: str = "sales") -> pl.DataFrame:
    walk = np.random.default_rng(1).normal(size=(2, ROWS)).cumsum(axis=1).round(3)
    kind = np.random.default_rng(2).choice(["a", "b"], ROWS)
    return pl.DataFrame({"day": DAYS, name: walk[0], "other": walk[1], "kind": kind})


def prepared(source: Any, folder: Path, target: str, **flags: Any) -> Prepared:
    table = read(source)
    layout, _ = guess(table, Columns(targets=[target], **flags))
    return prepare(table, layout, folder / "data")


@pytest.mark.parametrize("name", ["^.*$", "^x$", "^$", "*", "^other$"])
@pytest.mark.parametrize("form", [*WRITERS, "polars", "pandas", "pyarrow"])
def test_a_pattern_is_no_name_of_a_column(name: str, form: str, tmp_path: Path) -> None:
    frame = sales(name)
    source: Any = {"polars": frame, "pandas": frame.to_pandas(), "pyarrow": frame.to_arrow()}.get(
        form, tmp_path / f"sales.{form}"
    )
    if form in WRITERS:
        WRITERS[form](frame, source)
    with pytest.raises(InputError, match=r"column 2 is named .* is a pattern of names; give it"):
        read(source)


# What queries of our own call their columns, and what means something elsewhere.
NAMES = [
    "len", "rows", "row", "item", "item:", "label", "series", "number", "cut", "count", "all",
    "train", "test", "key 0", "value 0", "value 0 count", "text:kind", "text", "where", "time",
    "literal", "^a", "a$", "a*", "[red]", "{}", "%s", r"\d+", "a\tb", 'say "so"', " ", "é",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_any_other_name_may_be_given_to_any_column(name: str, tmp_path: Path) -> None:
    frame = sales(name)
    part = ["train"] * 80 + ["test"] * 40
    frame = frame.with_columns(split=pl.Series(part))
    data = prepared(frame, tmp_path, name, categories=["kind"])
    assert data.layout.targets == (name,)
    data = prepared(frame, tmp_path, "other", known=[name])
    assert data.layout.known == (name,)
    both = pl.concat([sales().with_columns(pl.lit(shop).alias(name)) for shop in ("one", "two")])
    both = both.with_columns(split=pl.Series(part * 2))
    data = prepared(both, tmp_path, "sales", series=name)
    assert data.items == ("one", "two")
    place = pl.int_range(pl.len())
    words = pl.when(place // 4 % 2 == 0).then(pl.lit("up")).otherwise(pl.lit("down"))
    long = sales("x").drop("day").with_columns(id=pl.format("s{}", place // 4), k=words)
    for target, sequence in (("k", name), (name, "id")):
        renamed = long.rename({"id" if sequence == name else "k": name})
        data = prepared(renamed, tmp_path, target, sequence=sequence)
        assert (data.preparation.classes, len(data.items)) == (("down", "up"), 30)


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    frame = sales("").with_columns(pl.lit(1.5).alias("column 2"))
    assert list(read(frame).schema) == ["day", "column 2'", "other", "kind", "column 2"]
    frame.drop("column 2").write_csv(tmp_path / "sales.csv")
    frame.drop("column 2").write_parquet(tmp_path / "sales.parquet")
    for source in ("sales.csv", "sales.parquet"):
        assert list(read(tmp_path / source).schema) == ["day", "column 2", "other", "kind"]


@pytest.mark.slow
@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", ["[1]", "*", "a?", "[!a]", "a[b-d]e", "]a[", "{a,b}"])
def test_a_pattern_may_be_the_name_of_a_file(name: str, form: str, tmp_path: Path) -> None:
    for other in ("1", "b", "ab", "abe", "ace", "a"):
        WRITERS[form](sales("another"), tmp_path / f"{other}.{form}")
    folder = tmp_path / "runs [a-z]*"
    folder.mkdir()
    for path in (tmp_path / f"{name}.{form}", folder / f"sales.{form}"):
        WRITERS[form](sales(), path)
        table = read(path)
        assert (list(table.schema)[1], table.rows) == ("sales", ROWS)


def test_a_pattern_may_be_the_name_of_a_run(tmp_path: Path) -> None:
    sales().write_csv(tmp_path / "sales.csv")
    run = tmp_path / "run [1]*"
    file = str(tmp_path / "sales.csv")
    flags = ["--target", "sales", "--horizon", "2", "--epochs", "1", "--quiet", "--out", str(run)]
    assert cli.main(["fit", file, "--cell", "gru", *flags]) == 0
    told = tmp_path / "told.csv"
    assert cli.main(["predict", str(run), "-o", str(told)]) == 0
    assert len(pl.read_csv(told)) == 2


def test_dollars_in_names_are_no_formulas(tmp_path: Path) -> None:
    name = r"US$ in \foo{ of A$"
    sales(name).write_csv(tmp_path / "sales.csv")
    run, file = str(tmp_path / "run"), str(tmp_path / "sales.csv")
    flags = ["--target", name, "--horizon", "2", "--epochs", "1", "--quiet", "--out", run]
    assert cli.main(["fit", file, "--cell", "gru", *flags]) == 0
    assert cli.main(["predict", run, "--plot", str(tmp_path / "plot.png")]) == 0
    assert (tmp_path / "plot.png").stat().st_size > 1000


# Numbers and words in one column

MIXED: dict[str, list[Any]] = {
    "a third are words": [(1, 2, "a")[row % 3] for row in range(ROWS)],
    "a tenth are words": [row % 4 if row % 10 else "x" for row in range(ROWS)],
    "of all kinds": [(1.5, 2, "a", None, True)[row % 5] for row in range(ROWS)],
    "of numpy's kinds": [(np.int64(3), np.float32(2.5), "a", np.True_)[row % 4]
                         for row in range(ROWS)],
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("form", ["csv", "object", "category", "a number for a name"])
def test_a_category_of_numbers_and_words(name: str, form: str, tmp_path: Path) -> None:
    frame = sales().to_pandas().assign(mixed=pd.Series(MIXED[name], dtype=object))
    values = tuple(sorted({str(each) for each in MIXED[name] if each is not None}))
    source: Any = frame
    if form == "csv":
        source = tmp_path / "sales.csv"
        frame.to_csv(source, index=False)
    elif form == "category":
        source = frame.assign(mixed=frame["mixed"].astype("category"))
    column = "mixed"
    if form == "a number for a name":
        source, column = frame.rename(columns={"mixed": 7}), "7"
    before = source.copy() if isinstance(source, pd.DataFrame) else None
    data = prepared(source, tmp_path, "sales", categories=[column])
    (found,) = (each for each in data.preparation.categories if each.column == column)
    assert found.values == values
    if before is not None:
        pd.testing.assert_frame_equal(source, before)


def test_labels_and_names_of_sequences_of_numbers_and_words(tmp_path: Path) -> None:
    label = [("a", *range(1, 10))[row // 4 % 10] for row in range(ROWS)]
    frame = sales().to_pandas().assign(label=pd.Series(label, dtype=object))
    frame["id"] = pd.Series([row // 4 if row > 3 else "first" for row in range(ROWS)], dtype=object)
    frame = frame.drop(columns="day")
    frame.to_csv(tmp_path / "words.csv", index=False)
    for source in (frame, tmp_path / "words.csv"):
        data = prepared(source, tmp_path, "label", sequence="id", task="classify")
        assert data.preparation.classes == (*map(str, range(1, 10)), "a")
        with pytest.raises(InputError, match="`task='classify'` if they are the target") as caught:
            prepared(source, tmp_path, "label", sequence="id")
        assert "it holds 'a'" in str(caught.value)


def test_a_period_in_a_column_with_a_number_for_a_name() -> None:
    frame = pd.DataFrame({0: pd.period_range("2024-01", periods=24, freq="M"), 1: range(24)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(frame).schema["0"].is_temporal()
