"""The command line: what it prints, its exit codes, and that --help stays light."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import torch

from gatewright import cells, cli
from gatewright.bench import cases, measuring, running
from gatewright.bench.cases import FORWARD, TRAINING, Case, Shape
from gatewright.bench.results import Results


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    """Two tiny cases in place of the small set, and an environment that is put back."""
    shape = Shape(6, 3, 4, 5)
    found = [Case("sequence", "gru", FORWARD, shape), Case("sequence", "mgu", TRAINING, shape)]
    monkeypatch.setitem(cases.SETS, "small", lambda: found)
    monkeypatch.setattr(measuring, "SMALL_PACE", measuring.Pace(0, 1e-5, 0, 2, 2))
    for name in ("NPROC", "XLA_FLAGS", "JAX_PLATFORMS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.chdir(tmp_path)


def bench(*options):
    return cli.main(["bench", "--peers", "torch", "--threads", "1", *options])


# The whole program ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["cells", "--help"], ["bench", "--help"], ["cells"]]
)
def test_does_not_import_torch(arguments):
    program = (
        "import sys; from gatewright.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules and 'torch was imported'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "gatewright", "cells", "lstn"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "did you mean 'lstm'" in done.stderr


def test_help_shows_examples(capsys):
    for command in ("cells", "bench"):
        assert cli.main([command, "--help"]) == 0
        assert f"gatewright {command} " in capsys.readouterr().out


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gatewright ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cells", "lsmt"], "did you mean 'lstm'"),
        (["cells", "--hidden-size", "0"], "--hidden-size is to be a whole number from 1 to"),
        (["cells", "--hidden-size", "many"], "65,536, not 'many'"),
        (
            ["cells", "--hidden-size"],
            "lacks a value for --hidden-size: see gatewright cells --help",
        ),
        (["cells", "gru", "mgu"], "has no use for 'mgu'"),
        (["compare"], "compare lacks a value for FILE"),
        (["compare", "x.csv", "--horizn", "3"], "no flag --horizn: did you mean --horizon?"),
        (["compare", "x.csv", "--seeds", "1", "--seeds", "2"], "--seeds is given more than once"),
        (
            ["fit", "x.csv", "--cell", "gru", "--dropout", "x"],
            "--dropout is to be a number from 0 to below 1, not 'x'",
        ),
        (["report", "runs/x", "--open=x"], "--open takes no value: give it alone"),
        (["bench", "--cells", "gru,lstn"], "no cell is called 'lstn': did you mean 'lstm'"),
        (["bench", "--cases", "smal"], "did you mean 'small'"),
        (["bench", "--peers", "torhc"], "did you mean 'torch'"),
        (["bench", "--threads", "0"], "--threads is to be a whole number from 1 to 1,024, not 0"),
        (["bench", "--cases", "step", "--backward"], "no case is left"),
        (["bench", "--treads", "2"], "--threads"),
        (["bench", "--out", __file__], "is to be a folder"),
        (["bnech"], "no command is called 'bnech': did you mean bench?"),
    ],
)
def test_errors_are_one_sentence(arguments, sentence, capsys):
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert sentence in shown.err


# gatewright cells -----------------------------------------------------------------------------


def test_cells_lists_every_cell(capsys):
    assert cli.main(["cells"]) == 0
    text = capsys.readouterr().out
    for name in cells.names():
        assert name in text
        assert cells.get(name).source.split(",")[0] in text
    assert "c'     = forget * state.c + input * cell" in text
    assert "99,328" in text  # 4 * 128 * (64 + 128 + 2), the LSTM


@pytest.mark.parametrize("name", cells.names())
def test_one_cell_in_full(name, capsys):
    assert cli.main(["cells", name, "--input-size", "5", "--hidden-size", "7"]) == 0
    text = capsys.readouterr().out
    cell = cells.get(name)
    for part in (
        cell.summary,
        cell.source,
        r"\begin{aligned}",
        "runs on",
        *cell.gates,
        *cell.states,
    ):
        assert part in text
    assert f"weight_ih_l0 ({7 * len(cell.x_projections)}, 5)" in text
    # The count is that of the shapes shown.
    shapes = re.findall(r"^  \w+ \((\d+),(?: (\d+))?\)$", text, re.MULTILINE)
    count = sum(int(rows) * int(columns or 1) for rows, columns in shapes)
    assert f"  {count:,} = " in text
    formula = re.search(r"= (\d*HI.*)$", text, re.MULTILINE).group(1)
    terms = formula.replace("H²", "*49").replace("HI", "*35").replace("H", "*7").split(" + ")
    assert sum(int(head or 1) * int(size) for head, size in (t.split("*") for t in terms)) == count


# gatewright bench -----------------------------------------------------------------------------


def test_bench_shows_a_table_and_writes_both_files(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    assert bench() == 0
    shown = capsys.readouterr()
    assert re.search(r"\(6, 3, 4, 5\).*gru.*forward", shown.out)
    assert re.search(r"mgu.*training step", shown.out)
    assert "[2/2] mgu, training step, (6, 3, 4, 5)" in shown.err
    folder = tmp_path / "runs" / "bench"
    results = Results.from_json((folder / "bench.json").read_text())
    assert results.complete
    assert [set(found.timings) for found in results.measurements] == [
        {"gatewright", "torch"},
        {"gatewright", "reference"},
    ]
    assert results.machine.threads == 1
    assert sorted(path.name for path in folder.iterdir()) == ["bench.json", "bench.png"]


def test_bench_prints_json_alone(capsys, tmp_path):
    assert bench("--json", "--quiet", "--forward", "--out", "here") == 0
    shown = capsys.readouterr()
    assert [entry["case"]["cell"] for entry in json.loads(shown.out)["measurements"]] == ["gru"]
    assert shown.err.startswith("Written: here")
    assert (tmp_path / "here" / "bench.json").exists()


def test_bench_takes_only_some_cells(capsys):
    assert bench("--cells", "mgu", "--backward", "--json") == 0
    entries = json.loads(capsys.readouterr().out)["measurements"]
    assert [entry["case"]["cell"] for entry in entries] == ["mgu"]


def test_bench_refuses_a_wrong_layer(capsys, monkeypatch):
    from gatewright import layers

    class Wrong(layers.Recurrent):
        def forward(self, *arguments, **named):
            output, state = super().forward(*arguments, **named)
            return (output if self._asked else output + 1e-3), state

    monkeypatch.setattr(layers, "Recurrent", Wrong)
    assert bench("--forward") == 1
    shown = capsys.readouterr()
    assert re.search(r"gru.*forward.*refused", shown.out)
    assert "Refused, no speed is shown: gru, forward, (6, 3, 4, 5) by gatewright" in shown.err


def test_bench_interrupted_writes_what_it_has(capsys, monkeypatch, tmp_path):
    compare, seen = running.compare, []

    def interrupted(case, *further):
        if seen:
            raise KeyboardInterrupt
        seen.append(case)
        return compare(case, *further)

    monkeypatch.setattr(running, "compare", interrupted)
    assert bench() == 130
    assert "Interrupted: 1 of 2 were measured" in capsys.readouterr().err
    results = Results.from_json((tmp_path / "runs" / "bench" / "bench.json").read_text())
    assert len(results.measurements) == 1
    assert not results.complete


def test_bench_without_matplotlib_says_how_to_get_it(capsys, monkeypatch, tmp_path):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert bench("--forward") == 0
    assert "pip install 'gatewright[plot]'" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "runs" / "bench").iterdir()] == ["bench.json"]


def test_threads_default_to_those_of_torch(capsys):
    assert cli.main(["bench", "--peers", "torch", "--forward", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"]["threads"] == torch.get_num_threads()


@pytest.mark.slow
def test_bench_answers_at_once_where_nothing_can_be_written() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "gatewright", "bench", "--out", "/dev/null/runs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "/dev/null/runs cannot be written" in result.stderr
