"""Folders to write to: nothing of others is touched, and nothing is left of a refusal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import report_worlds
import small
from damages import contents
from gatewright import Forecaster, SequenceClassifier, api, cli, load, report
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.result import Result
from gatewright.data.prepare.storage import written_aside
from gatewright.data.prepared import FILES
from gatewright.errors import InputError
from gatewright.folders import claimed, made, remove
from here import Here

pytestmark = pytest.mark.slow

SHORT = ["--horizon", "2", "--context", "6", "--epochs", "1", "--quiet"]
COMPARE = ["--cells", "mgu", "--settings", "1", "--seeds", "1", "--jobs", "1"]
COMMANDS = {
    "compare": ["compare", "waves.csv", *SHORT, *COMPARE],
    "restart": ["compare", "waves.csv", *SHORT, *COMPARE, "--restart"],
    "fit": ["fit", "waves.csv", "--cell", "mgu", "--hidden-size", "4", *SHORT],
}
# What stands in a person's folder, under names that a run writes too.
MINE = (
    "notes.json",
    "fits.jsonl",
    "events.jsonl",
    "history.arrow",
    "report.html",
    "model.safetensors",
    "models/mine.safetensors",
    "scores/final.txt",
    "plots/plot.png",
    "checkpoints/best.pt",
    "data/values.npy",
)

each_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "Processes", Here)
    monkeypatch.setattr(report, "draw", lambda outcome, folder: None)
    small.write_waves(tmp_path)


def fill(folder: Path, names: tuple[str, ...] = MINE) -> dict[str, bytes]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    return contents(folder)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("gatewright: ")
    assert error.count("\n") == 1
    return error


# Whose a folder is ------------------------------------------------------------------------------


@each_command
def test_a_folder_of_something_else_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fill(Path("mine"))
    text = refused([*COMMANDS[command], "--out", "mine"], capsys)
    assert "mine holds something else than a " in text
    assert "choose another folder (--out)" in text
    assert contents(Path("mine")) == before


@each_command
@pytest.mark.parametrize("text", ['{"budget": "mine"}', "", "null", '{"digest": "0"}'])
def test_so_is_one_with_a_file_of_the_same_name(
    command: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(Path("mine"))
    for name in ("plan.json", "fit.json"):
        Path("mine", name).write_text(text)
    before = contents(Path("mine"))
    told = refused([*COMMANDS[command], "--out", "mine"], capsys)
    name = "fit.json" if command == "fit" else "plan.json"
    assert f"mine/{name} is " in told
    left = {found: text for found, text in contents(Path("mine")).items() if found != ".lock"}
    assert left == before


@each_command
@pytest.mark.parametrize("name", ["data/values.npy", "models/a.safetensors", ".lock"])
def test_one_file_is_enough(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where it is what may stand there, or even is written, before there is a record."""
    before = fill(Path("mine"), (name,))
    if name == ".lock":  # then the folder is as good as empty, and the rest is refused
        refused([*COMMANDS[command], "--out", "mine", "--shares", "0.9,0.5,0.1"], capsys)
    else:
        refused([*COMMANDS[command], "--out", "mine"], capsys)
    assert contents(Path("mine")) == before


def test_a_restart_removes_what_the_run_wrote_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = report_worlds.one_target().write(Path("run"))
    written = contents(Path("run"))
    mine = ("notes.json", "events.jsonl", "models/mine.safetensors", "plots/mine.png", "scores/a")
    before = fill(Path("run"), mine)
    Path("run/models").mkdir(exist_ok=True)
    for fit in folder.fits():
        folder.model_path(fit).write_text("a model")
    fill(Path("run"), ("plots/forecasts.png", "worker.log", "report.html"))
    folder.checkpoint_path("gru-0-1").with_suffix(".safetensors.4711.part").write_text("half")
    assert cli.main([*COMMANDS["restart"], "--out", "run"]) == 0
    capsys.readouterr()
    after = contents(Path("run"))
    assert {name: after[name] for name in mine} == {name: before[name] for name in mine}
    plan = Result(RunFolder(Path("run"))).plan
    assert {one.name for one in plan.candidates} > {"mgu"}
    kept = {name for name in after if name in written and after[name] == written[name]}
    assert not kept
    assert not any("gru" in name or "part" in name for name in after)
    assert "plots/forecasts.png" not in after


def test_links_lead_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    report_worlds.one_target().write(Path("run"))
    before = fill(Path("elsewhere"), ("gru-0-0.safetensors",))
    for name in ("models", "checkpoints"):
        if Path("run", name).exists():
            Path("run", name).rmdir()
        Path("run", name).symlink_to(Path("elsewhere").resolve())
    assert "is a link to elsewhere" in refused([*COMMANDS["restart"], "--out", "run"], capsys)
    assert contents(Path("elsewhere")) == before
    remove(Path("run"), ["models/gru-0-0.safetensors"])
    assert contents(Path("elsewhere")) == before
    # A run folder may be a link itself.
    Path("empty").mkdir()
    Path("linked").symlink_to(Path("empty").resolve())
    assert cli.main([*COMMANDS["fit"], "--out", "linked"]) == 0
    assert Path("empty/fit.json").exists()


def test_another_command_does_not_cost_an_unfinished_run_its_checkpoints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = report_worlds.one_target().write(Path("run"))
    folder.checkpoint_path("gru-0-1").write_text("an hour of training")
    before = contents(Path("run"))
    assert "holds another comparison" in refused([*COMMANDS["compare"], "--out", "run"], capsys)
    assert {name: text for name, text in contents(Path("run")).items() if name in before} == before


# Where nothing comes of it ----------------------------------------------------------------------


@each_command
@pytest.mark.parametrize("out", ["new", "far/below/new", "empty"])
@pytest.mark.parametrize(
    "wrong", [["--rows", "80,1,1"], ["--target", "z"], ["--shares", "0.9,0.5,0.1"]]
)
def test_a_refusal_leaves_nothing(
    command: str, out: str, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    refused([*COMMANDS[command], "--out", out, *wrong], capsys)
    assert sorted(str(path) for path in Path().rglob("*")) == ["empty", "waves.csv"]


@each_command
def test_an_unknown_cell_leaves_nothing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["lstn" if word == "mgu" else word for word in COMMANDS[command]]
    refused([*arguments, "--out", "far/below"], capsys)
    assert sorted(str(path) for path in Path().rglob("*")) == ["waves.csv"]


def test_a_training_that_fails_leaves_the_folder_for_another_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [*COMMANDS["fit"], "--out", "run"]
    assert "--learning-rate" in refused([*command, "--learning-rate", "1e30"], capsys)
    assert not Path("run").exists()
    assert cli.main(command) == 0


def test_a_benchmark_that_is_refused_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    refused(["bench", "--peers", "nobody", "--out", "far/bench"], capsys)
    assert not Path("far").exists()


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        *([*command, "--out", ""] for command in COMMANDS.values()),
        [*COMMANDS["compare"], "--out="],
        ["compare", ""],
        ["fit", " ", "--cell", "gru"],
        ["report", ""],
        ["predict", ""],
        ["predict", "run", "-o", ""],
        ["predict", "run", "--plot", ""],
        ["bench", "--out", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_no_folder(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "an empty name is not a path" in refused(arguments, capsys)
    assert [path.name for path in Path().iterdir()] == ["waves.csv"]


def test_nor_is_it_in_python(tmp_path: Path) -> None:
    forecaster, classifier = small.forecaster(), small.classifier()
    for use in (
        lambda: api.compare("waves.csv", out=""),
        lambda: forecaster.save(""),
        lambda: classifier.save(""),
        lambda: Forecaster.load(""),
        lambda: SequenceClassifier.load(""),
        lambda: load(""),
    ):
        with pytest.raises(InputError, match="the name of the folder is empty"):
            use()
    assert [path.name for path in Path().iterdir()] == ["waves.csv"]


@each_command
def test_a_file_is_no_folder(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("waves.csv").read_bytes()
    text = refused([*COMMANDS[command], "--out", "waves.csv"], capsys)
    assert "waves.csv is to be a folder, and is a file" in text
    assert Path("waves.csv").read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may become another user")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    (tmp_path / "closed").mkdir()
    os.seteuid(65534)
    try:
        for name in ("closed", "closed/below"):
            with (
                pytest.raises(InputError, match=rf"{name} cannot be written \(Permission denied\)"),
                claimed(tmp_path / name, "fit.json", "a fit"),
            ):
                pass
    finally:
        os.seteuid(0)


# Estimators and results -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.safetensors", "fit.json", "estimator.json", "a/b.txt"])
def test_an_estimator_overwrites_nothing_of_others(name: str) -> None:
    forecaster, classifier = small.forecaster(), small.classifier()
    before = fill(Path("mine"), (name,))
    for estimator in (forecaster, classifier):
        with pytest.raises(InputError, match=r"^mine"):
            estimator.save("mine")
        assert contents(Path("mine")) == before


def test_an_estimator_is_saved_over_itself_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forecaster, classifier = small.forecaster(), small.classifier()

    def save(room: int) -> None:
        """With a disk that is full after so many files."""
        written = iter(range(room))

        def sync(descriptor: int) -> None:
            if next(written, None) is None:
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", sync)
            estimator.save(folder)

    for estimator in (classifier, forecaster):
        folder = Path(type(estimator).__name__)
        for room in range(3):
            with pytest.raises(OSError, match="No space"):
                save(room)
            assert not folder.exists()
        save(10)
        save(10)
        type(estimator).load(folder)
        with pytest.raises(OSError, match="No space"):
            save(2)
        with pytest.raises(InputError, match=r"is not finished|is not saved whole"):
            type(estimator).load(folder)


def test_a_result_is_copied_by_name(tmp_path: Path) -> None:
    result = Result(report_worlds.one_target().write(Path("run")))
    before = contents(Path("run"))
    fill(Path("run"), ("mine.txt", "models/mine.txt"))
    assert contents(result.save("copies/one")) == before
    assert contents(result.save("run/inside")) == before
    file = Path("waves.csv")
    for target, why in ((file, "is to be a folder"), (Path("run"), "is not empty")):
        with pytest.raises(InputError, match=why):
            result.save(target)
    fill(Path("mine"), ("mine.txt",))
    with pytest.raises(InputError, match="mine holds something else"):
        result.save("mine")


# The parts --------------------------------------------------------------------------------------


def test_arrays_take_the_place_of_arrays_alone(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        with written_aside(folder) as aside:
            (aside / "prepared.json").write_text('{"preparation": 0}')

    (tmp_path / "new").mkdir()
    write(tmp_path / "new")
    for name in (*FILES, "mine.txt"):
        before = fill(tmp_path / "mine", (name,))
        with pytest.raises(InputError, match="holds something else than prepared data"):
            write(tmp_path / "mine")
        assert contents(tmp_path / "mine") == before
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(InputError, match="holds something else than prepared data"):
        write(tmp_path / "link")


def test_folders_that_stay_empty_go_again(tmp_path: Path) -> None:
    with made(tmp_path / "a" / "b" / "c"):
        pass
    assert not (tmp_path / "a").exists()
    with made(tmp_path / "a" / "b" / "c"):
        (tmp_path / "a" / "mine").write_text("mine")
    assert contents(tmp_path / "a") == {"mine": b"mine"}
    assert not (tmp_path / "a" / "b").exists()


def test_a_name_of_a_folder_is_told_before_anything_is_removed(tmp_path: Path) -> None:
    fill(tmp_path / "run", ("a.json", "b.json/mine.txt", "c/d.json", "c/mine.txt"))
    with pytest.raises(InputError, match=r"b\.json is a folder"):
        remove(tmp_path / "run", ["a.json", "b.json"])
    remove(tmp_path / "run", ["a.json", "c/d.json", "nothing", "no/thing"])
    assert sorted(contents(tmp_path / "run")) == ["b.json/mine.txt", "c/mine.txt"]
