"""``--limits``: how it is written, and what is said where it is written in another way."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from gatewright import cli
from gatewright.cli.asking import TableFlags, repeating
from gatewright.errors import InputError

WRITTEN: dict[str, Any] = {
    "0:": (0, None),
    ":100": (None, 100),
    "0:100": (0, 100),
    "-5.5:1e3": (-5.5, 1000),
    "none": (None, None),
    " 0 : 1 ": (0, 1),
    "sales=0:": {"sales": (0, None)},
    "sales=0:,share=0:1": {"sales": (0, None), "share": (0, 1)},
    "net result = none, a=b=:0": {"net result": (None, None), "a=b": (None, 0)},
}
WRONG = [
    "", " ", ",", "0", ":", "0:1:2", "x", "x:", "0:y", "nan:", "inf:", ":-inf", "sales", "sales=",
    "sales=0", "0:,sales=0:", "0:,1:", "sales=0:,share", "None:", "1e999:",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_limits_are_read_as_they_are_written(text: str) -> None:
    columns, _, _ = TableFlags(limits=text).asked()
    assert columns.limits == WRITTEN[text]
    line = repeating("compare", Path("sales.csv"), TableFlags(limits=text))
    assert shlex.split(line) == ["gatewright", "compare", "sales.csv", "--limits", text]


@pytest.mark.parametrize("text", WRONG)
def test_anything_else_is_told_with_how_to_write_it(text: str) -> None:
    with pytest.raises(InputError) as error:
        TableFlags(limits=text).asked()
    assert str(error.value).startswith("--limits is the least and the greatest value, as 0: or")
    assert str(error.value).endswith(f"not {text!r}")


FILE = "month,sales,word\n" + "\n".join(
    f"{2000 + step // 12}-{step % 12 + 1:02},{step * 7 % 12},{'ab'[step % 2]}"
    for step in range(120)
)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--target", "sales", "--limits", "5:5"], "which is not below the greatest, 5"),
        (
            ["--target", "sales", "--limits", "price=0:"],
            "--limits names 'price', which is no target",
        ),
        (["--target", "sales", "--limits", "-5"], "none, or of each target by its name"),
    ],
)
def test_limits_that_do_not_fit_the_table(
    flags: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.csv").write_text(FILE)
    command = ["fit", str(tmp_path / "shop.csv"), "--cell", "last_value", *flags]
    assert cli.main([*command, "--out", str(tmp_path / "run")]) == 2
    shown = capsys.readouterr().err
    assert told in " ".join(shown.split())
    assert not (tmp_path / "run").exists()


def test_a_guess_is_shown_with_its_flag_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.csv").write_text(FILE)
    fit = ["fit", str(tmp_path / "shop.csv"), "--cell", "drift", "--target", "sales"]
    assert cli.main([*fit, "--ignore", "word", "--out", str(tmp_path / "guessed")]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "--limits" in line)
    assert line.split()[:6] == ["limits", "sales:", "0", "or", "more", "--limits"]
    told = ["--ignore", "word", "--limits", "-2.5:8", "--out", str(tmp_path / "told")]
    assert cli.main([*fit, *told]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "beyond the limits given (-2.5 to 8): 30 values of sales; predictions stay within" in shown
    )
    record = json.loads((tmp_path / "told" / "fit.json").read_text())
    assert record["layout"]["limits"] == {"sales": [-2.5, 8.0]}
    for folder, floor in (("guessed", 0), ("told", -2.5)):
        assert cli.main(["predict", str(tmp_path / folder)]) == 0
        rows = capsys.readouterr().out.splitlines()[1:]
        numbers = [float(number) for row in rows for number in row.split(",")[1:]]
        assert min(numbers) == floor
        assert folder == "guessed" or max(numbers) == 8
