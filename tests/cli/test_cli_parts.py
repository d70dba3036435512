"""When training, validation and test are, on the terminal and in the report."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from gatewright import cli

pytestmark = pytest.mark.slow

TINY = ["--cells", "gru", "--settings", "1", "--seeds", "1", "--epochs", "1", "--jobs", "1"]


def lines(printed: str) -> list[str]:
    """With one space between words."""
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_parts_are_printed_before_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    begins = {"one": 0, "two": 500, "three": 1000}
    frame = pl.concat(
        pl.DataFrame(
            {
                "shop": shop,
                "day": [date(2024, 1, 1) + timedelta(begin + step) for step in range(60)],
                "sold": [float(step % 7 + step % 4) for step in range(60)],
            }
        )
        for shop, begin in begins.items()
    )
    frame.write_csv(tmp_path / "shops.csv")
    shops = str(tmp_path / "shops.csv")
    given = ["--target", "sold", "--series", "shop", "--horizon", "2", "--context", "4"]

    assert cli.main(["compare", shops, *given, *TINY, "--out", str(tmp_path / "run")]) == 0
    before, _ = capsys.readouterr().out.split("trying settings")
    assert "training each at its own place 3 series 111 windows" in lines(before)
    assert "test each at its own place 3 series 33 windows" in lines(before)
    assert "--cut dates cuts all at the same two times" in " ".join(lines(before))
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h3>Training, validation, test</h3>" in page
    assert '<td>each at its own place</td><td class="number">3 series</td>' in page

    given += ["--cut", "dates", "--cell", "gru", "--epochs", "1"]
    assert cli.main(["fit", shops, *given, "--out", str(tmp_path / "fit")]) == 0
    before, _ = capsys.readouterr().out.split("epoch 1")
    assert "test 2026-10-21 to 2026-11-25 1 series 35 windows" in lines(before)
    assert "cut at the same two times: all 3 series" in lines(before)
