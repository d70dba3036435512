"""A fit that keeps nothing back for a test; a comparison that cannot do so."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import small
from asked import guess, prepare
from gatewright import cli
from gatewright.data.table.reading import read
from gatewright.requests import Columns, Split

ALL = "0.9,0.1,0"


def labelled(count: int = 40) -> pl.DataFrame:
    rows = [
        (f"s{n}", t, float((n * t) % 5 + n % 2), f"kind {n % 2}")
        for n in range(count)
        for t in range(5)
    ]
    return pl.DataFrame(rows, schema=["id", "step", "x", "label"], orient="row")


def fit(path: Path, *more: str) -> int:
    return cli.main(["fit", str(path), "--shares", ALL, "--out", str(path.parent / "fit"), *more])


def test_a_forecast_uses_all_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = small.write_waves(tmp_path)
    assert fit(path, "--target", "y", "--cell", "ridge_lags", "--horizon", "3") == 0
    printed = capsys.readouterr().out
    assert "On validation" in printed
    assert "nothing was kept back for it" in printed
    record = json.loads((tmp_path / "fit" / "fit.json").read_text())
    assert record["test"] is None
    assert record["validation"]["units"] == 9 - 3 + 1
    assert cli.main(["predict", str(tmp_path / "fit"), "-o", str(tmp_path / "y.csv")]) == 0
    assert pl.read_csv(tmp_path / "y.csv")["step"].to_list() == [90, 91, 92]


def test_labels_use_all_sequences(tmp_path: Path) -> None:
    path = tmp_path / "labelled.csv"
    labelled().write_csv(path)
    said = ["--target", "label", "--sequence", "id", "--step", "step", "--cell", "majority"]
    assert fit(path, *said) == 0
    record = json.loads((tmp_path / "fit" / "fit.json").read_text())
    assert record["test"] is None
    assert record["validation"]["units"] == 4


@pytest.mark.parametrize("together", [True, False])
def test_every_row_of_many_series_is_in_training_or_validation(
    tmp_path: Path, together: bool
) -> None:
    begin = [0, 0, 0] if together else [0, 40, 90]
    frames = [
        pl.DataFrame({"t": range(at, at + 60 + at % 7), "shop": f"shop {number}"})
        for number, at in enumerate(begin)
    ]
    frame = pl.concat(frames).with_columns(y=(pl.col("t") * 0.7).sin())
    table = read(frame)
    columns = Columns(targets=("y",), time="t", series="shop", horizon=2, context=4)
    layout, _ = guess(table, columns)
    data = prepare(table, layout, tmp_path / "data", split=Split((0.8, 0.2, 0)))
    assert (data.bounds[:, 2] == data.bounds[:, 3]).all()
    assert data.bounds[:, 2].sum() - data.bounds[:, 0].sum() == len(frame)


def test_groups_stay_whole_in_two_parts(tmp_path: Path) -> None:
    frame = labelled(42).with_columns(person=pl.col("id").str.slice(1).cast(pl.Int64) // 6)
    columns = Columns(targets=("label",), sequence="id", step="step", group="person")
    table = read(frame)
    layout, _ = guess(table, columns)
    data = prepare(table, layout, tmp_path / "data", split=Split((0.7, 0.3, 0)))
    assert set(data.part.tolist()) == {0, 1}
    for part in (0, 1):
        assert not set(data.group[data.part == part].tolist()) & set(
            data.group[data.part == 1 - part].tolist()
        )


@pytest.mark.parametrize(
    ("command", "shares", "said"),
    [
        ("compare", "0.9,0.1,0", "--shares leaves nothing for test, by which candidates are"),
        ("fit", "1,0,0", "--shares leaves nothing for validation, which tells when training"),
        ("fit", "0.8,0,0.2", "--shares leaves nothing for validation"),
        ("fit", "0,0.5,0.5", "above 0 and below 1, not 0"),
        ("fit", "0.9,0.05,0", "have the sum 0.95"),
        ("fit", "0.9,0.2,-0.1", "from 0 to below 1, not -0.1"),
    ],
)
def test_other_shares_are_refused_in_a_sentence(
    command: str, shares: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small.write_waves(tmp_path)
    more = ["--cell", "gru"] if command == "fit" else []
    out = tmp_path / "out"
    words = [command, str(path), "--target", "y", "--shares", shares, "--out", str(out), *more]
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
