"""Damaged files of runs and fits: one sentence, or what the whole file would have given.

Never a traceback, and never another number.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import small
from damages import DAMAGES, FEW, damaged
from gatewright import Forecaster, SequenceClassifier, api, cli, report
from gatewright.api import load
from gatewright.comparison.folder import RunFolder
from gatewright.data.prepare.written import as_written
from gatewright.errors import InputError
from here import Here

pytestmark = pytest.mark.slow

HORIZON = 2
BUDGET = ["--horizon", str(HORIZON), "--context", "6", "--epochs", "1"]
SHORT = ["--cells", "mgu", "--settings", "1", "--seeds", "2", "--jobs", "1", "--quiet"]
TIMED = ("train_seconds", "microseconds")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Any:
    """No processes, no page and no pictures: none reads a file that nothing else reads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(api, "Processes", Here)
        patched.setattr(report, "draw", lambda outcome, folder: None)
        patched.setattr(report, "render", lambda outcome, pictures: outcome.verdict.text)
        patched.setattr(os, "fsync", lambda descriptor: None)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a comparison on it, and a fit."""
    folder = tmp_path_factory.mktemp("damage")
    small.write_waves(folder)
    assert cli.main(compare(folder, "whole")) == 0
    assert cli.main(fit(folder, "fitted")) == 0
    return folder


@pytest.fixture(scope="module")
def forecasts(place: Path) -> dict[str, str]:
    """What both predict while they are whole, as it is printed."""
    loaded = {name: load(place / name) for name in ("whole", "fitted")}
    return {
        name: as_written(one.predict(), one.preparation).write_csv() for name, one in loaded.items()
    }


def compare(place: Path, out: str) -> list[str]:
    return ["compare", str(place / "waves.csv"), *BUDGET, *SHORT, "--out", str(place / out)]


def fit(place: Path, out: str) -> list[str]:
    flags = ["--cell", "mgu", "--hidden-size", "4", "--quiet", "--out", str(place / out)]
    return ["fit", str(place / "waves.csv"), *BUDGET, *flags]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str | None:
    """What a command printed, or None where it said in a sentence why it did not."""
    capsys.readouterr()
    code = cli.main(arguments)
    out, error = capsys.readouterr()
    if code == 0:
        assert error == ""
        return out
    assert code == 2
    assert error.startswith("gatewright: ")
    assert error.count("\n") == 1
    return None


def outcome(folder: Path) -> Any:
    """Verdict and leaderboard as they are written, without what is a time."""
    rows = json.loads((folder / "leaderboard.json").read_text())
    kept = [{name: row[name] for name in row if name not in TIMED} for row in rows]
    return kept, json.loads((folder / "verdict.json").read_text())


def recommended(folder: Path) -> str:
    name: str = outcome(folder)[1]["recommended"]
    return name


# Comparisons ------------------------------------------------------------------------------------

# The file, and which commands need it as it was.
FILES = {
    "plan.json": {"predict", "report", "compare"},
    "fits.jsonl": {"predict", "report"},
    "scores.jsonl": {"predict", "report"},
    "prepared.json": {"predict", "report"},
    "history.arrow": {"predict"},
    "models/BEST.safetensors": {"predict"},
    "models/mgu-0-1.safetensors": set[str](),
    "scores/BEST.safetensors": {"report"},
    "verdict.json": set[str](),
    "leaderboard.json": set[str](),
    "report.html": set[str](),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_comparison(
    file: str,
    damage: str,
    place: Path,
    forecasts: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = place / "whole"
    expected, forecast = outcome(whole), forecasts["whole"]
    name = file.replace("BEST", recommended(whole))
    run = damaged(whole, place / "run", name, damage)

    found = told(["predict", str(run)], capsys)
    assert found == (None if "predict" in FILES[file] else forecast)

    found = told(["report", str(run), "--no-open"], capsys)
    written = damage != "a folder" or "/" in name or name == "history.arrow"
    assert (found is None) == ("report" in FILES[file] or not written)
    if found is not None:
        assert outcome(run) == expected
        assert (run / "leaderboard.json").read_bytes() == (whole / "leaderboard.json").read_bytes()
        assert (run / "report.html").read_text() == expected[1]["text"]


@pytest.mark.parametrize("damage", FEW)
@pytest.mark.parametrize("file", FILES)
def test_the_command_of_a_damaged_comparison_makes_it_whole(
    file: str,
    damage: str,
    place: Path,
    forecasts: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = place / "whole"
    name = file.replace("BEST", recommended(whole))
    run = damaged(whole, place / "run", name, damage)
    found = told(compare(place, "run"), capsys)
    assert (found is None) == ("compare" in FILES[file] or damage == "a folder")
    if found is not None:
        assert outcome(run) == outcome(whole)
        assert told(["predict", str(run)], capsys) == forecasts["whole"]
    elif damage == "a folder":
        assert (run / name / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "other"),
    [
        ("models/BEST.safetensors", "wide/models/BEST.safetensors"),
        ("models/BEST.safetensors", "late/models/BEST.safetensors"),
        ("models/mgu-0-1.safetensors", "whole/models/mgu-0-0.safetensors"),
        ("scores/BEST.safetensors", "late/scores/BEST.safetensors"),
    ],
)
def test_a_sound_file_of_another_fit_is_told_and_done_again(
    file: str,
    other: str,
    place: Path,
    others: None,
    forecasts: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    best = recommended(place / "whole")
    name = file.replace("BEST", best)
    run = damaged(place / "whole", place / "run", name, "deleted")
    shutil.copy(place / other.replace("BEST", best), run / name)
    candidate = Path(name).stem.split("-")[0]
    command = ["predict", str(run), "--model", candidate]
    if name.startswith("scores"):
        command = ["report", str(run), "--no-open"]
    if name != "models/mgu-0-1.safetensors":  # of the seeds, perhaps not the one that predicts
        assert cli.main(command) == 2
        assert f"{run / name} is damaged, or was changed by hand: " in capsys.readouterr().err
    fits = (run / "fits.jsonl").read_bytes()
    assert told(compare(place, "run"), capsys) is not None
    # What was judged is judged again; of fits, only the one whose file it was.
    assert ((run / "fits.jsonl").read_bytes() == fits) == (name != "models/mgu-0-1.safetensors")
    assert outcome(run) == outcome(place / "whole")
    assert told(["predict", str(run)], capsys) == forecasts["whole"]
    folder = RunFolder(run)
    for fit in folder.fits().values():
        assert folder.fitted(fit).recipe.seed == fit.seed


@pytest.fixture(scope="module")
def others(place: Path) -> None:
    """Runs beside ``whole`` whose models have other shapes, or the same and other numbers."""
    wide, late = compare(place, "wide"), compare(place, "late")
    wide[wide.index("--context") + 1] = "8"
    assert cli.main(wide) == 0
    assert cli.main([*late, "--shares", "0.6,0.2,0.2"]) == 0


@pytest.mark.parametrize("journal", ["fits.jsonl", "scores.jsonl"])
def test_a_line_cut_by_a_crash_is_done_again(
    journal: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = place / "whole"
    content = (whole / journal).read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    for end in (last + 1, last + 100, len(content) - 1):
        run = damaged(whole, place / "run", journal, "empty")
        (run / journal).write_bytes(content[:end])
        before = (run / journal).read_bytes()
        assert cli.main(["report", str(run), "--no-open"]) == 2
        said = capsys.readouterr().err
        assert "is not finished: give its command again" in said
        assert said.count("--out") == 1
        assert f"--out {run})" in said  # where it is now, and not where it was begun
        assert (run / journal).read_bytes() == before  # reading changes nothing
        assert told(compare(place, "run"), capsys) is not None
        assert outcome(run) == outcome(whole)
        assert (run / journal).read_bytes().count(b"\n") == content.count(b"\n")


def test_a_line_in_the_middle_is_told_by_its_number(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = damaged(place / "whole", place / "run", "fits.jsonl", "empty")
    lines = (place / "whole" / "fits.jsonl").read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"validation_loss":0', b'"validation_loss":1')
    (run / "fits.jsonl").write_bytes(b"".join(lines))
    assert cli.main(["report", str(run)]) == 2
    assert "fits.jsonl, line 2, is damaged: give the command" in capsys.readouterr().err
    assert told(compare(place, "run"), capsys) is not None
    assert outcome(run) == outcome(place / "whole")


def test_a_seed_that_was_changed_is_no_other_comparison(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = damaged(place / "whole", place / "run", "report.html", "empty")
    plan = json.loads((run / "plan.json").read_text())
    plan["seeds"][1] = 7
    (run / "plan.json").write_text(json.dumps(plan))
    assert cli.main(compare(place, "run")) == 2
    assert "plan.json is damaged, or was changed by hand" in capsys.readouterr().err


@pytest.mark.parametrize("record", ["whole/plan.json", "fitted/fit.json"])
def test_the_remedy_of_a_damaged_record_fits_the_command(
    record: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, name = record.split("/")
    run = damaged(place / kind, place / "run", name, "cut in the middle")
    reading = [["predict", str(run)], ["report", str(run), "--no-open"]]
    for command in reading[: 2 if kind == "whole" else 1]:
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert f"{name} is damaged, or was changed by hand: put back a copy of it" in said
        assert "--out" not in said
    assert cli.main((compare if kind == "whole" else fit)(place, "run")) == 2
    assert "changed by hand: choose another folder (--out)" in capsys.readouterr().err


def test_a_damaged_checkpoint_begins_anew(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = damaged(place / "whole", place / "run", "fits.jsonl", "empty")
    (run / "checkpoints").mkdir(exist_ok=True)
    for name in ("mgu-0-0", "mgu-0-1"):
        (run / "checkpoints" / f"{name}.safetensors").write_bytes(b"half a checkpoint")
    assert told(compare(place, "run"), capsys) is not None
    assert outcome(run) == outcome(place / "whole")


# Fits and estimators ----------------------------------------------------------------------------


FILES_OF_A_FIT = ("fit.json", "prepared.json", "history.arrow", "model.safetensors")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES_OF_A_FIT)
def test_a_damaged_fit(
    file: str, damage: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = damaged(place / "fitted", place / "run", file, damage)
    assert told(["predict", str(run)], capsys) is None


@pytest.mark.parametrize("damage", FEW)
@pytest.mark.parametrize("file", FILES_OF_A_FIT)
def test_the_command_of_a_damaged_fit_fits_it_again(
    file: str,
    damage: str,
    place: Path,
    forecasts: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = damaged(place / "fitted", place / "run", file, damage)
    again = told(fit(place, "run"), capsys)
    if again is not None:
        assert told(["predict", str(run)], capsys) == forecasts["fitted"]
    # Without its record the folder is another's; and a folder is never removed.
    assert (again is None) == (file == "fit.json" or damage == "a folder")


@pytest.mark.parametrize("change", [["--hidden-size", "5"], ["--seed", "3"]])
def test_a_sound_model_of_another_fit_is_told_and_fitted_again(
    change: list[str],
    place: Path,
    forecasts: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = [*fit(place, "other"), *change]
    if "--hidden-size" in change:
        flags.remove("--hidden-size")
        flags.remove("4")
    assert cli.main(flags) == 0
    run = damaged(place / "fitted", place / "run", "model.safetensors", "deleted")
    shutil.move(place / "other" / "model.safetensors", run)
    shutil.rmtree(place / "other")
    assert cli.main(["predict", str(run)]) == 2
    assert "model.safetensors is damaged, or was changed by hand: " in capsys.readouterr().err
    assert told(fit(place, "run"), capsys) is not None
    assert told(["predict", str(run)], capsys) == forecasts["fitted"]


def test_a_sound_model_of_another_estimator_is_told(tmp_path: Path) -> None:
    for seed in (0, 1):
        small.forecaster(random_state=seed).save(tmp_path / f"Forecaster {seed}")
        small.classifier(random_state=seed).save(tmp_path / f"SequenceClassifier {seed}")
    for kind in (Forecaster, SequenceClassifier):
        one, other = (tmp_path / f"{kind.__name__} {seed}" for seed in (0, 1))
        shutil.copy(other / "model.safetensors", one)
        with pytest.raises(InputError, match=r"model\.safetensors is damaged, or was changed"):
            kind.load(one)


def test_damaged_estimators(tmp_path: Path) -> None:
    small.forecaster().save(tmp_path / "forecaster")
    small.classifier().save(tmp_path / "classifier")
    kinds = {"forecaster": Forecaster, "classifier": SequenceClassifier}
    for name, kind in kinds.items():
        for path in sorted((tmp_path / name).iterdir()):
            for damage in DAMAGES:
                folder = damaged(tmp_path / name, tmp_path / "damaged", path.name, damage)
                gone = damage == "deleted" and path.name in ("fit.json", "estimator.json")
                with pytest.raises(InputError, match="holds no" if gone else path.name):
                    kind.load(folder)
