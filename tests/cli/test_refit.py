"""``gatewright refit``: what it prints, where it writes, and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest

import small
from gatewright import cli
from gatewright.comparison.comparing import compare_into
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.running import Progress
from gatewright.data.table.reading import read
from gatewright.requests import Columns, Contest, Split
from gatewright.training import Model
from here import Here

pytestmark = pytest.mark.slow

NOT_JUDGED = "This model was not judged itself: it is the candidate "


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refit") / "run"
    path = small.write_waves(folder.parent)
    compare_into(
        RunFolder(folder),
        read(path),
        Columns(targets=("y",), horizon=3, context=10),
        Split(),
        Contest(cells=("mgu",), settings=1, seeds=2, epochs=2),
        source=str(path),
        crew=Here(folder),
        progress=Progress(),
    )
    return folder


def test_it_is_made_beside_the_run_and_predicts(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["refit", str(run), "--candidate", "mgu"]) == 0
    out = capsys.readouterr().out
    assert "training" in out
    assert "90 steps" in out
    assert "seed 2 of 2, epoch 1 of " in out
    assert f"Judged     {NOT_JUDGED}mgu, made anew on all 90 steps of waves.csv. " in out
    made = run.with_name("run-refit")
    assert f"Predict    gatewright predict {made} -o forecast.csv" in out
    assert cli.main(["predict", str(made)]) == 0
    told = capsys.readouterr()
    frame = pl.read_csv(io.StringIO(told.out))
    assert frame["step"].to_list() == [90, 91, 92]
    assert told.err.startswith(f"gatewright: {NOT_JUDGED}mgu")
    assert cli.main(["report", str(made), "--no-open"]) == 0
    assert cli.main(["predict", str(run), "--model", "mgu"]) == 0
    assert NOT_JUDGED not in capsys.readouterr().err


def test_json_is_one_object(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["refit", str(run), "--candidate", "drift", "--out", str(tmp_path / "a b"), "--json"]
    assert cli.main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["comparison"]["text"].startswith(f"{NOT_JUDGED}drift")
    assert record["command"] == f"gatewright refit {run} --candidate drift --out '{tmp_path}/a b'"
    assert cli.main([*words[:-1], "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_an_interruption_is_told_and_goes_on(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "anew"
    words = ["refit", str(run), "--candidate", "mgu", "--out", str(out)]

    def interrupt(*_: object) -> Model:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Model, "anew", interrupt)
        assert cli.main(words) == 130
    assert f"the same command goes on: gatewright {' '.join(words)}" in capsys.readouterr().err
    assert cli.main(["predict", str(out)]) == 2
    assert "is not finished" in capsys.readouterr().err
    assert cli.main([*words, "--quiet"]) == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--candidate", "lstmm"], "no candidate of this comparison is called 'lstmm': it has "),
        (["nowhere.csv"], "nowhere.csv does not exist"),
        (["--delimiter", "ab"], "delimiter"),
        (["--out", ""], "--out: an empty name is not a path"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    more: list[str], said: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if "--out" in more else ["--out", str(tmp_path / "anew")]
    assert cli.main(["refit", str(run), *more, *out]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_run_itself_and_what_is_no_run_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["refit", str(run), "--out", str(run)]) == 2
    assert "holds something else than a fit" in capsys.readouterr().err
    assert cli.main(["refit", str(tmp_path)]) == 2
    assert "holds no comparison" in capsys.readouterr().err
