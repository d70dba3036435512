"""What a person may get wrong: one sentence that says where, exit code 2, nothing left."""

from __future__ import annotations

import errno
import math
import os
import re
import subprocess
from datetime import date, timedelta

import pytest

import report_worlds
from gatewright import cli

pytestmark = pytest.mark.slow

SHORT = ("--cells", "gru", "--settings", "1", "--seeds", "1", "--epochs", "1", "--jobs", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def days(count, start=date(2024, 1, 1)):
    return [start + timedelta(days=day) for day in range(count)]


def wave(count):
    """A series with a week in it."""
    return [
        f"{day},{10 + math.sin(number * 6.283 / 7) + number * 0.01:.4f}"
        for number, day in enumerate(days(count))
    ]


def csv(*rows, header="day,sales"):
    return "\n".join([header, *rows, ""])


def gestures(labels):
    """Sequences of five steps, one for each label."""
    rows = [
        f"g{number},{step},{(number * 7 + step) % 11},{label}"
        for number, label in enumerate(labels)
        for step in range(5)
    ]
    return csv(*rows, header="gesture,step,x,label")


def changed(rows, place, row):
    return [*rows[:place], row, *rows[place + 1 :]]


ROWS = wave(120)

# name: (content, flags, what the sentence says)
FILES = {
    "an empty file": ("", [], ["bad.csv is empty"]),
    "only empty lines": ("\n\n\n", [], ["bad.csv is empty"]),
    "a header only": (csv(), [], ["bad.csv", "no rows"]),
    "no header": ("\n".join(ROWS) + "\n", [], ["bad.csv, line 1", "names of columns"]),
    "a row too short": (
        csv(*changed(ROWS, 50, "2024-02-20")),
        [],
        ["bad.csv, line 52", "found 1 field, expected 2"],
    ),
    "a row too long": (
        csv(*changed(ROWS, 7, ROWS[7] + ",1")),
        [],
        ["bad.csv, line 9", "found 3 fields, expected 2"],
    ),
    "another delimiter": (
        csv(*ROWS).replace(",", ";"),
        ["--delimiter", "comma", "--target", "sales"],
        ["--target", "sales", "bad.csv"],
    ),
    "a delimiter that none reads": (csv(*ROWS).replace(",", "~"), [], ["bad.csv", "tilde"]),
    "a delimiter of two characters": (csv(*ROWS), ["--delimiter", "::"], ["--delimiter", "'::'"]),
    "a word among numbers": (
        csv(*changed(ROWS, 60, "2024-03-01,many")),
        ["--target", "sales"],
        ["'sales'", "row 61 (line 62) of bad.csv", "'many'"],
    ),
    "a word among times": (
        csv(*changed(ROWS, 60, "soon,11.5")),
        ["--target", "sales", "--time", "day"],
        ["'day'", "row 61 (line 62) of bad.csv", "'soon'"],
    ),
    "the same time twice": (
        csv(*changed(ROWS, 40, ROWS[39])),
        ["--target", "sales"],
        ["2024-02-09", "bad.csv"],
    ),
    "a target that is constant": (
        csv(*[f"{day},5" for day in days(120)]),
        ["--target", "sales"],
        ["--target sales", "bad.csv", "the same"],
    ),
    "a target without values": (
        csv(
            *[f"{day},{number % 7}," for number, day in enumerate(days(120))], header="day,x,sales"
        ),
        ["--target", "sales"],
        ["--target sales", "bad.csv", "missing"],
    ),
    "fewer rows than context and horizon": (
        csv(*ROWS),
        ["--context", "100", "--horizon", "10"],
        ["bad.csv has 120 rows", "context plus horizon", "100 + 10"],
    ),
    "a horizon longer than test": (csv(*ROWS), ["--horizon", "60"], ["--horizon 60", "bad.csv"]),
    "times that are not in order": (
        csv(*ROWS[60:], *ROWS[:60]),
        [],
        ["row 61 (line 62) of bad.csv", "2024-01-01 after 2024-04-29", "sort"],
    ),
    "too few rows for anything": (csv(*ROWS[:6]), [], ["bad.csv"]),
    "a label with one example": (
        gestures(["wave", "point"] * 20 + ["nod"]),
        ["--target", "label", "--sequence", "gesture"],
        ["nod"],
    ),
    "a sequence column that is none": (
        csv(*ROWS),
        ["--target", "sales", "--sequence", "day"],
        ["--sequence", "day"],
    ),
    "labels that change within a sequence": (
        gestures(["wave", "point"] * 20).replace("g3,4,3,point", "g3,4,3,wave"),
        ["--target", "label", "--sequence", "gesture"],
        ["g3"],
    ),
    "a target that is not there": (
        csv(*ROWS),
        ["--target", "saless"],
        ["--target", "saless", "'sales'", "bad.csv"],
    ),
    "a time column that is not there": (csv(*ROWS), ["--time", "dya"], ["--time", "dya", "'day'"]),
    "bytes that are no text": (
        csv(*ROWS).encode() + b"\xff\xfe\n",
        [],
        ["bad.csv, line 122", "0xff"],
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), [], ["bad.csv, line 1"]),
    "an unknown cell": (csv(*ROWS), ["--cells", "gru,lstn"], ["'lstn'", "did you mean 'lstm'"]),
    "an unknown baseline": (csv(*ROWS), ["--baselines", "arima"], ["'arima'", "auto_arima"]),
    "an unknown budget": (csv(*ROWS), ["--budget", "fast"], ["'fast'", "quick"]),
    "an unknown task": (csv(*ROWS), ["--task", "guess"], ["'guess'", "forecast"]),
    "shares beyond the whole": (csv(*ROWS), ["--shares", "0.9,0.5,0.1"], ["share"]),
    "two shares": (csv(*ROWS), ["--shares", "0.9,0.1"], ["--shares", "0.7,0.1,0.2"]),
}


def sentence(arguments, capsys):
    """What is printed to stderr where a command refuses."""
    assert cli.main([str(part) for part in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("gatewright: ")
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err
    # One sentence: what stands after a full stop would be a second one.
    assert not re.search(r"[a-z)']\. [A-Z]", shown.err)
    return shown.err


def refused(content, flags, told, capsys, tmp_path, command=("compare",)):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = sentence([*command, bad, *flags], capsys)
    for part in told:
        assert part in text
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


# What a file holds, and what is asked of it -----------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_compare_says_what_is_wrong(name, capsys, tmp_path):
    refused(*FILES[name], capsys, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "a row too short",
        "a word among numbers",
        "a label with one example",
        "a target that is not there",
        "fewer rows than context and horizon",
        "an unknown budget",
    ],
)
def test_fit_says_the_same(name, capsys, tmp_path):
    refused(*FILES[name], capsys, tmp_path, ("fit", "--cell", "gru"))


def test_fit_of_an_unknown_cell(capsys, tmp_path):
    told = ["'lstn'", "did you mean 'lstm'"]
    refused(csv(*ROWS), [], told, capsys, tmp_path, ("fit", "--cell", "lstn"))


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--hidden-size", "0"),
        ("--num-layers", "0"),
        ("--learning-rate", "-1"),
        ("--learning-rate", "nan"),
        ("--dropout", "1"),
        ("--epochs", "0"),
        ("--seed", "-1"),
    ],
)
def test_numbers_of_a_fit_that_cannot_be(flag, value, capsys, tmp_path):
    told = [flag, "is to be"]
    refused(csv(*ROWS), [flag, value], told, capsys, tmp_path, ("fit", "--cell", "gru"))


def test_a_file_that_is_not_there(capsys):
    assert "nowhere.csv does not exist" in sentence(["compare", "nowhere.csv"], capsys)


def test_a_data_set_that_is_not_there(capsys):
    assert "did you mean the data set 'airline'" in sentence(["compare", "airlin"], capsys)


def test_a_folder_as_a_file(capsys, tmp_path):
    assert "is a folder" in sentence(["compare", tmp_path], capsys)


def test_a_file_of_another_kind(capsys, tmp_path):
    (tmp_path / "sales.xlsx").write_bytes(b"PK")
    assert "sales.xlsx" in sentence(["compare", "sales.xlsx"], capsys)


# Where results go -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["compare"], ["fit", "--cell", "gru"]])
def test_a_folder_that_cannot_be_made(command, capsys, tmp_path):
    (tmp_path / "sales.csv").write_text(csv(*ROWS))
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    text = sentence([*command, "sales.csv", "--out", out], capsys)
    assert f"{out} cannot be written (Not a directory)" in text
    assert "--out" in text


@pytest.mark.slow
def test_a_wrong_word_with_restart_leaves_the_run_alone(capsys, tmp_path):
    (tmp_path / "sales.csv").write_text(csv(*ROWS))
    report_worlds.one_target().write(tmp_path / "run")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    flags = ["--restart", "--out", "run", "--cells", "lstn"]
    assert "'lstn'" in sentence(["compare", "sales.csv", *flags], capsys)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_a_disk_that_is_full_when_a_fit_ends(capsys, monkeypatch, tmp_path):
    from gatewright.comparison import folder as folders

    append, kept = folders.append_record, []

    def full(path, record):
        if len(kept) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(path, record)
        kept.append(record)

    monkeypatch.setattr(folders, "append_record", full)
    (tmp_path / "sales.csv").write_text(csv(*ROWS))
    command = ["compare", "sales.csv", *SHORT, "--quiet"]
    text = sentence(command, capsys)
    assert "runs/sales cannot be written any more" in text
    assert "No space left on device" in text
    assert (tmp_path / "runs" / "sales" / "fits.jsonl").read_text().count("\n") == 2
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert cli.main(command) == 0
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("size", ["16k", "200k"])
def test_a_disk_that_is_full(size, capsys, tmp_path):
    (tmp_path / "sales.csv").write_text(csv(*ROWS))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        text = sentence(["compare", "sales.csv", *SHORT, "--out", disk / "run"], capsys)
        left = list(disk.rglob("*.part"))
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    assert f"{disk / 'run'}" in text
    assert "No space left on device" in text
    assert not left


# Prediction -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A fit that knows holidays ahead, three steps of them."""
    folder = tmp_path_factory.mktemp("shop")
    rows = [f"{row},{number % 2}" for number, row in enumerate(ROWS)]
    (folder / "shop.csv").write_text(csv(*rows, header="day,sales,holiday"))
    flags = ["--known", "holiday", "--target", "sales", "--horizon", "3", "--context", "7"]
    fit = ["fit", str(folder / "shop.csv"), "--cell", "gru", "--hidden-size", "4", "--epochs", "1"]
    assert cli.main([*fit, *flags, "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def future(count, tmp_path, header="day,sales,holiday"):
    rows = [f"{day},,0" for day in days(count, date(2024, 4, 30))]
    path = tmp_path / "future.csv"
    path.write_text(csv(*rows, header=header))
    return path


def test_what_is_known_ahead_is_used(shop, capsys, tmp_path):
    assert cli.main(["predict", str(shop), str(future(3, tmp_path))]) == 0
    assert capsys.readouterr().out.count("\n") == 4


def test_what_is_known_ahead_ends_too_early(shop, capsys, tmp_path):
    text = sentence(["predict", shop, future(2, tmp_path), "-o", "forecast.csv"], capsys)
    assert "holiday is known ahead" in text
    assert "future.csv" in text
    assert "2 of the 3 steps" in text
    assert not (tmp_path / "forecast.csv").exists()


def test_a_row_of_the_file_is_told_by_its_own_line(shop, capsys, tmp_path):
    path = future(3, tmp_path)
    path.write_text(path.read_text().replace("2024-05-01,,0", "2024-05-01,,"))
    text = sentence(["predict", shop, path], capsys)
    assert "row 2 (line 3) of future.csv: holiday is missing" in text
    rows = [f"{day},10,0" for day in days(27, date(2024, 5, 1))]
    rows += [f"{day},,0" for day in days(3, date(2024, 5, 28))]
    path.write_text(csv(*changed(rows, 20, "2024-05-21,1e300,0"), header="day,sales,holiday"))
    text = sentence(["predict", shop, path], capsys)
    assert "row 21 (line 22) of future.csv: sales is 1e+300" in text


def test_what_is_known_ahead_is_not_given(shop, capsys):
    assert "holiday is known ahead" in sentence(["predict", shop], capsys)


def test_a_column_that_the_model_needs_is_not_there(shop, capsys, tmp_path):
    path = future(3, tmp_path, header="day,sales,closed")
    assert "future.csv has no column 'holiday'" in sentence(["predict", shop, path], capsys)


def test_a_run_that_is_none(capsys, tmp_path):
    assert "nowhere does not exist" in sentence(["predict", "nowhere"], capsys)
    assert "holds no model" in sentence(["predict", tmp_path], capsys)
    assert "holds no comparison" in sentence(["report", tmp_path], capsys)


def test_a_model_that_is_not_there(shop, capsys):
    assert "'lstm'" in sentence(["predict", shop, "--model", "lstm"], capsys)


@pytest.mark.parametrize(
    ("flag", "name"), [("-o", "forecast.xlsx"), ("-o", "forecast"), ("--plot", "forecast.gif")]
)
def test_an_ending_that_none_writes(flag, name, shop, capsys, tmp_path):
    assert "is to end in one of" in sentence(["predict", shop, flag, name], capsys)
    assert not any(tmp_path.iterdir())


def test_a_prediction_that_cannot_be_written(shop, capsys, tmp_path):
    path = future(3, tmp_path)
    out = path / "forecast.csv"
    text = sentence(["predict", shop, path, "-o", out], capsys)
    assert f"{path} is to be a folder, and is a file" in text


def test_a_prediction_is_written_whole_or_not_at_all(shop, capsys, monkeypatch, tmp_path):
    path, out = future(3, tmp_path), tmp_path / "forecast.csv"
    out.write_text("what was there")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    text = sentence(["predict", shop, path, "-o", out], capsys)
    assert "No space left on device" in text
    assert out.read_text() == "what was there"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["forecast.csv", "future.csv"]
