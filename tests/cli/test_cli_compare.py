"""The commands compare, fit, predict and report, end to end on tiny files."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import math
import shlex
import signal
import subprocess
import sys
import webbrowser
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from gatewright import api, cli, tasks
from gatewright.data import sets
from gatewright.models.predictor import Predictor

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.slow

TINY = ["--cells", "gru", "--settings", "1", "--seeds", "2", "--epochs", "1", "--jobs", "1"]
HORIZON = 3


def run(folder, *arguments):
    """The command in a process of its own, as a person gives it."""
    return subprocess.run(
        [sys.executable, "-m", "gatewright", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def write_sales(path, count=150):
    rows = ["day,sales"]
    for number in range(count):
        day = date(2024, 1, 1) + timedelta(days=number)
        rows.append(f"{day},{50 + 10 * math.sin(number * 6.283 / 7) + number % 5:.3f}")
    path.write_text("\n".join(rows) + "\n")


def write_gestures(path, count=60):
    rows = ["gesture,step,x,label"]
    for number in range(count):
        kind = number % 2
        rows += [f"g{number},{at},{kind + (number * at) % 5},kind {kind}" for at in range(6)]
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def here(monkeypatch, capsys):
    """The command in this process, which has loaded everything: what it ends with and prints."""

    def run_here(folder, *arguments):
        monkeypatch.chdir(folder)
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run_here


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a file of sales, and the output of a comparison on it."""
    folder = tmp_path_factory.mktemp("place")
    write_sales(folder / "sales.csv")
    done = run(folder, "compare", "sales.csv", "--horizon", HORIZON, *TINY)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


@pytest.fixture(scope="module")
def gestures(tmp_path_factory):
    """A folder with labelled sequences and a comparison on them."""
    folder = tmp_path_factory.mktemp("gestures")
    write_gestures(folder / "gestures.csv")
    done = run(folder, "compare", "gestures.csv", "--target", "label", "--quiet", *TINY)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


# compare ----------------------------------------------------------------------------------------


def test_it_prints_guesses_fits_verdict_and_leaderboard(place):
    folder, text = place
    verdict = json.loads((folder / "runs/sales/verdict.json").read_text())
    assert "\x1b" not in text
    assert [line.split()[0] for line in text.splitlines() if "--" in line][:2] == ["target", "time"]
    assert "trying settings: " in text
    assert "judging on test: " in text
    assert f"\n{verdict['text']}\n" in text
    for candidate in verdict["candidates"]:
        assert text.count(f" {candidate['title']}") >= 2
    assert "Report   runs/sales/report.html" in text
    assert "Predict  gatewright predict runs/sales -o forecast.csv" in text
    assert (folder / "runs/sales/report.html").exists()


def test_the_command_it_keeps_gives_the_result_at_once(place, here):
    folder, _ = place
    kept = shlex.split(json.loads((folder / "runs/sales/plan.json").read_text())["command"])
    assert kept[:3] == ["gatewright", "compare", "sales.csv"]
    assert "--horizon" in kept
    fits = (folder / "runs/sales/fits.jsonl").read_text()
    code, out, _ = here(folder, *kept[1:])
    assert code == 0
    assert "trying settings" not in out
    assert "Verdict" in out
    assert (folder / "runs/sales/fits.jsonl").read_text() == fits


def test_json_alone(place, here):
    folder, _ = place
    _, out, told = here(folder, "compare", "sales.csv", "--horizon", HORIZON, *TINY, "--json")
    found = json.loads(out)
    assert set(found) == {"verdict", "leaderboard", "paths", "predict"}
    assert found["verdict"]["candidates"][0]["name"] == found["leaderboard"][0]["name"]
    for path in found["paths"].values():
        assert (folder / path).exists()
    assert "time column" in told


def test_quiet_is_the_verdict_alone(gestures):
    folder, text = gestures
    assert text == json.loads((folder / "runs/gestures/verdict.json").read_text())["text"] + "\n"


def test_other_arguments_are_another_comparison(place, here):
    folder, _ = place
    code, _, told = here(folder, "compare", "sales.csv", "--horizon", 4, *TINY)
    assert code == 2
    assert "holds another comparison" in told
    assert "--restart" in told


def test_interrupted_it_goes_on(tmp_path, here):
    write_sales(tmp_path / "sales.csv")
    command = ["compare", "sales.csv", *TINY, "--out", "here"]
    first = subprocess.Popen(
        [sys.executable, "-m", "gatewright", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("  [1/"):
            first.send_signal(signal.SIGINT)
            break
    _, told = first.communicate(timeout=60)
    assert first.returncode == 130
    assert told.count("\n") == 1
    assert "the same command goes on: gatewright compare sales.csv" in told
    assert not workers_of(tmp_path / "here")
    code, shown, told = here(tmp_path, *command)
    assert (code, told) == (0, "")
    assert "of them done before" in shown
    assert "Verdict" in shown


def workers_of(folder):
    """The processes that were started for a run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
            if "gatewright.comparison.worker" in words and path.parent.joinpath(
                "cwd"
            ).resolve() in (folder, folder.parent):
                found.append(words)
        except OSError:
            continue
    return found


def test_every_argument_of_the_function_is_a_flag(capsys):
    assert cli.main(["compare", "--help"]) == 0
    text = capsys.readouterr().out
    names = set(inspect.signature(api.compare).parameters) - {"source", "command", "progress"}
    assert [name for name in names if f"--{name.replace('_', '-')}" not in text] == []


@pytest.mark.parametrize("command", ["compare", "fit", "predict", "report"])
def test_help_is_light_and_shows_examples(command):
    program = (
        "import sys; from gatewright.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'polars', 'pydantic', 'sklearn'} & {*sys.modules}; "
        "sys.exit(code or ', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"• gatewright {command} " in done.stdout


# fit --------------------------------------------------------------------------------------------


def test_a_data_set_that_comes_along(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    name = sets.names()[0]
    flags = ["--cell", "gru", "--hidden-size", "4", "--epochs", "1"]
    assert cli.main(["fit", name, *flags]) == 0
    text = capsys.readouterr().out
    assert f"{name} is the data set that comes with Gatewright" in text
    assert "epoch 1: loss " in text
    assert "On test" in text
    assert f"gatewright predict runs/{name}-gru -o forecast.csv" in text
    assert cli.main(["predict", f"runs/{name}-gru"]) == 0
    assert capsys.readouterr().out.count("\n") > 2
    # Once more: it is not trained again.
    assert cli.main(["fit", name, *flags]) == 0
    assert "epoch 1" not in capsys.readouterr().out


def test_a_fit_as_json(capsys, tmp_path):
    write_gestures(tmp_path / "gestures.csv")
    command = ["fit", tmp_path / "gestures.csv", "--cell", "mgu", "--target", "label"]
    flags = ["--epochs", "1", "--num-layers", "2", "--out", tmp_path / "run", "--json"]
    assert cli.main([str(word) for word in [*command, *flags]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recipe"]["candidate"] == "mgu"
    assert found["recipe"]["setting"]["num_layers"] == 2
    assert found["test"]["metric"] == "error rate"


# predict and report -----------------------------------------------------------------------------

READERS = {
    ".csv": lambda path: pl.read_csv(path, try_parse_dates=True),
    ".tsv": lambda path: pl.read_csv(path, separator="\t", try_parse_dates=True),
    ".parquet": pl.read_parquet,
    ".ndjson": lambda path: pl.read_ndjson(path).with_columns(pl.col("day").str.to_date()),
    ".arrow": pl.read_ipc,
}


@pytest.fixture(scope="module")
def forecast(place):
    """What is printed where no file is named."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert cli.main(["predict", str(place[0] / "runs/sales")]) == 0
    return pl.read_csv(shown.getvalue().encode(), try_parse_dates=True)


def test_a_forecast_goes_on_where_the_file_ended(forecast):
    last = date(2024, 1, 1) + timedelta(days=149)
    assert forecast["day"].to_list() == [last + timedelta(days=n + 1) for n in range(HORIZON)]
    assert forecast.columns[:3] == ["day", "sales", "sales 0.05"]
    assert (forecast["sales 0.05"] <= forecast["sales 0.95"]).all()


@pytest.mark.parametrize("ending", READERS)
def test_every_kind_of_file_holds_the_same(ending, place, forecast, capsys, tmp_path):
    out = tmp_path / "new" / f"forecast{ending}"
    assert cli.main(["predict", str(place[0] / "runs/sales"), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: {HORIZON} rows\n"
    found = READERS[ending](out)
    assert found.columns == forecast.columns
    assert found["day"].to_list() == forecast["day"].to_list()
    assert found["sales"].to_list() == pytest.approx(forecast["sales"].to_list())
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_forecast_goes_on_from_newer_rows(place, forecast, capsys, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("day,sales\n2024-05-30,55\n2024-05-31,60\n")
    assert cli.main(["predict", str(place[0] / "runs/sales"), str(new)]) == 0
    found = pl.read_csv(capsys.readouterr().out.encode(), try_parse_dates=True)
    assert found["day"].to_list() == [date(2024, 6, 1), date(2024, 6, 2), date(2024, 6, 3)]


def test_another_candidate_predicts_otherwise(place, forecast, capsys):
    best = json.loads((place[0] / "runs/sales/verdict.json").read_text())["recommended"]
    other = "last_value" if best != "last_value" else "seasonal_naive"
    assert cli.main(["predict", str(place[0] / "runs/sales"), "--model", other]) == 0
    found = pl.read_csv(capsys.readouterr().out.encode())
    assert found["sales"].to_list() != forecast["sales"].to_list()


def test_labels_come_with_the_probability_of_each(gestures, capsys):
    folder, _ = gestures
    arguments = ["predict", str(folder / "runs/gestures"), str(folder / "gestures.csv")]
    assert cli.main(arguments) == 0
    found = pl.read_csv(capsys.readouterr().out.encode())
    assert found.columns == ["gesture", "label", "label=kind 0", "label=kind 1"]
    assert len(found) == 60
    both = (found["label=kind 0"] + found["label=kind 1"]).to_list()
    assert both == pytest.approx([1.0] * 60, abs=1e-6)
    likely = found["label=kind 1"] > found["label=kind 0"]
    assert (found["label"] == "kind 1").to_list() == likely.to_list()


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_forecast_as_a_picture(ending, place, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"forecast{ending}"
    assert cli.main(["predict", str(place[0] / "runs/sales"), "--plot", str(picture)]) == 0
    assert capsys.readouterr().out == f"{picture}\n"
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize("count", [60, 8])
def test_labels_as_a_picture(count, gestures, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    write_gestures(tmp_path / "new.csv", count)
    arguments = [str(gestures[0] / "runs/gestures"), str(tmp_path / "new.csv")]
    picture = tmp_path / "labels.svg"
    assert cli.main(["predict", *arguments, "--plot", str(picture)]) == 0
    told = "60 in all" if count == 60 else "probability of each class"
    assert told in picture.read_text()


def test_a_task_without_a_picture_is_refused_at_once(gestures, capsys, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(tasks.get("classify"), "views", ())
    monkeypatch.setattr(Predictor, "predict", lambda *_: pytest.fail("it predicted"))
    folder, _ = gestures
    arguments = ["predict", str(folder / "runs/gestures"), str(folder / "gestures.csv")]
    files = ["-o", str(tmp_path / "out/labels.csv"), "--plot", str(tmp_path / "out/labels.png")]
    assert cli.main([*arguments, *files]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "there is no picture of what the task classify predicts" in shown.err
    assert not (tmp_path / "out").exists()


def test_a_picture_without_matplotlib(place, capsys, monkeypatch):
    module = sys.modules["gatewright.cli.predict"]  # the package has a function of that name
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert cli.main(["predict", str(place[0] / "runs/sales"), "--plot", "forecast.png"]) == 2
    assert "pip install 'gatewright[plot]'" in capsys.readouterr().err


def test_the_report_is_written_anew_and_opened(place, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = place[0] / "runs/sales/report.html"
    page.unlink()
    assert cli.main(["report", str(place[0] / "runs/sales")]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert opened == [page.resolve().as_uri()]
    assert "<html" in page.read_text()[:200]
    assert cli.main(["report", str(place[0] / "runs/sales"), "--no-open"]) == 0
    assert len(opened) == 1


def test_a_reader_that_stops_early_is_no_error(place):
    program = f"{sys.executable} -m gatewright predict runs/sales | head -n 1"
    done = subprocess.run(
        ["bash", "-c", program], cwd=place[0], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith("day,sales")
