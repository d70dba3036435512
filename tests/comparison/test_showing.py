"""How a result and its models look at a prompt and in a notebook, and of which kind tables are."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from rich.console import Console

import gatewright as gw
import report_worlds
import small
from gatewright.api import load
from gatewright.cli.tables import show_result
from gatewright.comparison.result import Result
from gatewright.comparison.showing import MOST
from gatewright.setting import Options

TINY: dict[str, Any] = {"cells": "mgu", "settings": 1, "seeds": 1, "epochs": 1, "jobs": 1}


class Elements(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", report_worlds.WORLDS)
def test_a_result_is_its_verdict_and_a_short_table(name: str, tmp_path: Path) -> None:
    result = Result(report_worlds.WORLDS[name]().write(tmp_path))
    shown = repr(result)
    text = " ".join(shown.split())
    assert " ".join(result.verdict.text.split()) in text
    judged = [row for row in result.rows if not row.failed]
    lines = shown.split("\n\n")[-1].splitlines()
    assert lines[0].startswith("candidate")
    for line, row in zip(lines[1:], judged, strict=False):
        assert line.startswith(row.title)
    assert len(lines) <= MOST + 2
    page = Elements(result._repr_html_())
    assert set(page.tags) == {"p", "table", "thead", "tbody", "tr", "th", "td"}
    for row in judged:
        assert row.title in page.text  # as text, whatever it looks like


def test_of_many_candidates_the_first_are_shown(tmp_path: Path) -> None:
    world = report_worlds.one_target()
    world.baselines |= {f"more_{n}": (f"more {n}", 2.0 + n) for n in range(20)}
    shown = repr(Result(world.write(tmp_path)))
    assert shown.endswith("and 16 more; 1 failed")


def test_the_leaderboard_of_the_terminal_fits_100_columns(tmp_path: Path) -> None:
    """Whatever decides, with as many measures beside it as there are."""
    result = Result(report_worlds.panel().write(tmp_path))
    longest = "symmetric mean absolute percentage error"
    options = Options(metric="smape")
    result.plan = result.plan.model_copy(update={"options": options})
    result.verdict = result.verdict.model_copy(update={"metric": longest})
    screen = Console(width=100, record=True, force_terminal=True, no_color=True)
    with screen.capture() as capture:
        show_result(result, screen)
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capture.get())
    assert "MAE" in printed
    assert "MASE" in printed
    table = printed[printed.index("candidate") :]
    assert all(len(line) <= 100 for line in table.split("skill:")[0].splitlines())
    for row in result.rows:
        for word in row.title.split():
            assert word in table


@pytest.mark.slow
def test_pandas_in_pandas_out(tmp_path: Path) -> None:
    frame = small.noisy_waves().to_pandas().drop(columns="step")
    frame.index = pd.date_range("2024-01-01", periods=len(frame), freq="h")
    result = gw.compare(frame, horizon=3, context=6, out=tmp_path / "run", **TINY)
    assert isinstance(result.leaderboard, pd.DataFrame)
    assert isinstance(result.measures("step"), pd.DataFrame)
    own = result.best.predict()
    assert isinstance(own, pd.DataFrame)
    after = pd.date_range(frame.index[-1], periods=4, freq="h")[1:]
    assert own.index.equals(after)
    # What is loaded answers in the kind of what it is given.
    loaded = load(tmp_path / "run")
    assert isinstance(loaded.predict(), pl.DataFrame)
    early = loaded.predict(frame.iloc[:100])
    assert early.index.tolist() == list(frame.index[100:103])
    given = frame.rename_axis("time").reset_index()
    as_polars = loaded.predict(pl.from_pandas(given.iloc[:100]))
    assert isinstance(as_polars, pl.DataFrame)
    assert as_polars["y"].to_list() == early["y"].tolist()
    assert isinstance(Result(result.folder).leaderboard, pl.DataFrame)


@pytest.mark.slow
def test_a_forecaster_answers_in_kind() -> None:
    frame = small.noisy_waves()
    model = gw.Forecaster("mgu", 3, 6, target="y", time="step", hidden_size=3, epochs=1)
    assert isinstance(model.fit(frame).predict(), pl.DataFrame)
    assert isinstance(model.predict(frame.to_pandas()), pd.DataFrame)
    assert isinstance(model.fit(frame.to_pandas()).predict(), pd.DataFrame)
    assert isinstance(model.score(frame.to_pandas()), float)


def test_a_model_shows_what_it_predicts_from_what() -> None:
    names = ("<script>alert(1)</script>", "load")
    frame = pl.DataFrame({names[0]: range(60), names[1]: [float(n % 7) for n in range(60)]})
    model = gw.Forecaster("mgu", 2, 6, target=names[1], hidden_size=3, epochs=1).fit(frame)
    text, page = repr(model.predictor_), Elements(model.predictor_._repr_html_())
    assert re.search(r"Model +mgu, [\d,]+ parameters", text)
    assert re.search(r"Predicts +forecast of load, 2 steps ahead", text)
    assert set(page.tags) == {"table", "tbody", "tr", "th", "td"}
    assert "forecast of load" in page.text
