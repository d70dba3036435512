"""The report as a file: what it says, what it must not contain, its pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import report_worlds
import worlds
from gatewright import api, report, tasks
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Fit
from gatewright.comparison.result import Result
from gatewright.data.calendar import step_in_words
from gatewright.data.examples.windows import Windows
from gatewright.errors import InputError
from gatewright.report import facts, figures, tables, views
from gatewright.report.outcome import Outcome
from gatewright.report.page import embedded
from gatewright.report.shown import Shown
from gatewright.report.views import confusion, forecasts
from gatewright.training import Epoch
from here import Here
from pages import Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RunFolder, Page]]:
    found = {}
    for name, world in report_worlds.WORLDS.items():
        folder = world().write(tmp_path_factory.mktemp("report") / name)
        path = report.write(folder)
        assert path == folder.path / "report.html"
        found[name] = folder, Page(path.read_text("utf-8"))
    return found


each_world = pytest.mark.parametrize("name", report_worlds.WORLDS)


@each_world
def test_page_is_well_formed_and_told_in_words(
    pages: dict[str, tuple[RunFolder, Page]], name: str
) -> None:
    folder, page = pages[name]
    result = Result(folder)
    assert not page.open
    assert result.verdict.text in page.text
    for row in result.rows:
        assert row.title in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)


@each_world
def test_page_fetches_nothing(pages: dict[str, tuple[RunFolder, Page]], name: str) -> None:
    _, page = pages[name]
    for tag, attributes in page.tags:
        assert "src" not in attributes
        if "href" in attributes:
            assert str(attributes["href"]).startswith(("#", "data:")), tag
    policy = [one for _, one in page.tags if one.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy[0]["content"]).startswith("default-src 'none'")


@each_world
def test_headings_do_not_skip_a_level(pages: dict[str, tuple[RunFolder, Page]], name: str) -> None:
    levels = [int(tag[1]) for tag, _ in pages[name][1].tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert (np.diff(levels) <= 1).all()


def test_names_stay_names(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    folder, page = pages["spiteful"]
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert len(page.scripts) == 4
    for name in report_worlds.SPITEFUL:
        assert name in page.text
    assert page.data["forecasts"]["targets"] == list(folder.plan().layout.targets)  # type: ignore[index, union-attr]


def test_embedded_data_cannot_leave_its_script() -> None:
    data = {"a": "</script><!--<script>&\u2028"}
    text = embedded(data)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == data
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded([float("nan")])


def test_missing_targets_are_gaps(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    forecasts = pages["one_target"][1].data["forecasts"]
    assert forecasts["truth"][0][0][3] is None  # type: ignore[index]


def test_units_are_those_of_the_data(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    forecasts = pages["one_target"][1].data["forecasts"]
    truth = [value for value in forecasts["truth"][0][0] if value is not None]  # type: ignore[index]
    assert 1200 - 3 * 340 < min(truth) < 1200 < max(truth) < 1200 + 3 * 340


def test_failures_are_told_with_their_reason(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    page = pages["one_target"][1]
    assert "diverged: the loss is nan at step 17" in page.text
    assert "rnn" not in {one["name"] for one in page.data["candidates"]}  # type: ignore[attr-defined]


def test_one_seed_and_no_command(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    page = pages["panel"][1]
    assert "Trained with one seed" in page.text
    assert "made from Python" in page.text
    assert pages["one_target"][0].plan().command in pages["one_target"][1].text  # type: ignore[union-attr]


def test_no_baseline_leaves_out_skill(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    assert "skill over" in pages["classes"][1].text
    assert "skill over" not in pages["numbers"][1].text


def test_many_classes_are_gathered(pages: dict[str, tuple[RunFolder, Page]]) -> None:
    folder, page = pages["many_classes"]
    assert confusion.OTHERS in page.text
    outcome = Outcome.read(folder, Result(folder).plan)
    given = outcome.scores["lstm"].measures.details["confusion"]
    content = views.get("confusion").content(outcome)
    assert content is not None
    matrix = content["lstm"]
    assert len(matrix.rows) == len(matrix.classes) == confusion.MOST_CLASSES
    assert sum(square.count for row in matrix.rows for square in row) == np.sum(given)


@each_world
def test_a_task_may_have_no_view_of_its_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = report_worlds.WORLDS[name]().write(tmp_path)
    plan = Result(folder).plan
    monkeypatch.setattr(tasks.get(plan.layout.task), "views", ())
    page = Page(report.write(folder).read_text("utf-8"))
    assert not page.open
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {str(attributes["href"]) for tag, attributes in page.tags if tag == "a"}
    assert {link.removeprefix("#") for link in links} <= ids
    assert ids.isdisjoint({"predictions", "steps"})
    assert {"leaderboard", "learning", "pairs", "data", "budget"} <= ids
    assert page.data.keys().isdisjoint(views.names())
    plots = {path.name for path in (tmp_path / "plots").iterdir()}
    assert plots == {"leaderboard.png", "learning.png"}


@pytest.mark.parametrize("name", views.names())
def test_a_view_is_named_as_its_file_and_has_a_template(name: str) -> None:
    view = views.get(name)
    assert view.name == name
    assert (Path(report.__file__).parent / view.template).is_file()


@pytest.mark.parametrize("task", tasks.names())
def test_views_of_a_task_stand_beside_each_other(task: str) -> None:
    found = views.of_task(tasks.get(task))
    assert [view.name for view in found] == list(tasks.get(task).views)
    for what in ("section", "link"):
        each = [getattr(view, what) for view in found]
        assert len(set(each)) == len(each)


def test_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no comparison"):
        report.write(RunFolder(tmp_path))
    folder = report_worlds.one_target().write(tmp_path)
    journal = tmp_path / "scores.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="is not finished: give its command again"):
        report.write(folder)


@pytest.mark.slow
def test_series_without_a_test_part_are_not_counted_as_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "Processes", Here)
    days = {"shop0": 60, "shop1": 100, "shop2": 100, "shop3": 62}
    panel = pl.concat(
        pl.DataFrame({"shop": shop, "day": range(count), "y": np.sin(np.arange(count) / 3)})
        for shop, count in days.items()
    )
    given = {"target": "y", "series": "shop", "time": "day", "horizon": 3, "context": 6}
    small = {"cells": ["mgu"], "seeds": 1, "settings": 1, "epochs": 1, "jobs": 1}
    result = api.compare(panel, **given, **small, out=tmp_path / "run")
    read = Outcome.read(result.folder, result.plan)
    parts = facts.data_line(read)
    assert "2 of 4 series" in parts
    assert "4 series" not in parts
    assert (
        "not judged: 2 of 4 series, with fewer than 3 steps (a horizon) in the test part: shop0, "
        "shop3"
    ) in read.preparation.notes
    whole = api.compare(panel.filter(pl.col("day") < 60), **given, **small, out=tmp_path / "whole")
    read = Outcome.read(whole.folder, whole.plan)
    assert "4 series" in facts.data_line(read)
    assert not any("judged" in note for note in read.preparation.notes)


@pytest.mark.slow
def test_report_replaces_the_one_before_it(tmp_path: Path) -> None:
    folder = report_worlds.numbers().write(tmp_path)
    (tmp_path / "report.html").write_text("old")
    first = report.write(folder).read_bytes()
    assert report.write(folder).read_bytes() == first
    assert not list(tmp_path.rglob("*.part"))


@each_world
def test_pictures_can_be_printed(pages: dict[str, tuple[RunFolder, Page]], name: str) -> None:
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    folder, page = pages[name]
    found = sorted((folder.path / "plots").iterdir())
    assert len(found) >= 3
    for path in found:
        assert f"plots/{path.name}" in page.text
        with image.open(path) as picture:
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert picture.convert("L").getextrema()[0] < 100  # something is drawn


def test_without_matplotlib_the_page_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    folder = report_worlds.numbers().write(tmp_path)
    page = Page(report.write(folder).read_text("utf-8"))
    assert "pip install 'gatewright[plot]'" in page.text
    assert not (tmp_path / "plots").exists()


def test_long_trainings_are_thinned_but_keep_their_best_and_last_epoch() -> None:
    plan = report_worlds.one_target().plan()
    losses = [1.0] * 5000
    losses[1234] = 0.5
    epochs = [
        Epoch(
            number=number,
            train_loss=loss,
            validation_loss=loss,
            gradient_norm=1,
            clipped=0,
            seconds=number,
        )
        for number, loss in enumerate(losses, 1)
    ]
    fit = Fit(
        name="gru-0-0",
        candidate="gru",
        setting=0,
        seed=0,
        asked=report_worlds.EPOCHS,
        validation_loss=0.5,
        best_epoch=1235,
        epochs=epochs,
    )
    row = tables.Row(name="gru", title="gru", baseline=False)
    (curve,) = figures.learning(plan, {fit.name: fit}, [row])["gru"]
    assert len(curve["epoch"]) <= figures.MOST_EPOCHS + 2
    assert {1, 1235, 5000} <= set(curve["epoch"])
    assert curve["chosen"]


def test_of_each_setting_and_seed_the_longest_training_is_drawn(
    pages: dict[str, tuple[RunFolder, Page]],
) -> None:
    found = pages["one_target"][1].data["learning"]
    assert isinstance(found, dict)
    assert "rnn" not in found  # it diverged
    for name in ("lstm", "gru", "mingru"):
        curves = {(one["setting"], one["seed"]): one for one in found[name]}
        assert len(curves) == len(found[name])
        assert {at: len(one["epoch"]) for at, one in curves.items()} == {
            (1, 0): report_worlds.EPOCHS,
            (1, 1): report_worlds.EPOCHS,
            (1, 2): report_worlds.EPOCHS,
            (2, 0): report_worlds.EARLY,  # not among the better ones
        }
        assert [at for at, one in curves.items() if one["chosen"]] == [(1, 0), (1, 1), (1, 2)]


def test_targets_are_limited_by_what_a_page_carries() -> None:
    world = report_worlds.one_target()
    names = tuple(f"sensor {number}" for number in range(300))
    world.layout = world.layout.model_copy(update={"targets": names, "horizon": 96})
    shown = Shown((), np.zeros((6, 96, 300, 12)), np.zeros((6, 96, 300)), np.zeros((6, 192, 300)))
    found = forecasts.on_page(world.plan(), dict.fromkeys("abcdef", shown))
    assert 1 <= len(found["targets"]) <= figures.MOST_TARGETS
    assert found["all_targets"] == 300
    assert len(json.dumps(found)) < 4_000_000


def test_what_lies_before_an_origin() -> None:
    values = torch.arange(40.0)[:, None]
    data = worlds.series(values, horizon=3, context=30, bounds=[[0, 10, 15, 20], [20, 30, 35, 40]])
    found = Windows().beside(data, torch.tensor([12, 37]))
    before = found["before"][..., 0]
    assert before.shape == (2, 24)
    # Nothing of the series that stands before it in the arrays.
    assert before[1].isnan().tolist() == [True] * 7 + [False] * 17
    assert before[1, -17:].equal(data.target[20:37, 0])
    assert before[0, -12:].equal(data.target[:12, 0])
    assert found["time"].shape == (2, 27)
    assert found["time"][0, -3:].equal(data.time[12:15])


def test_steps_for_people() -> None:
    steps = {"1mo": "1 month", "15m": "15 minutes", "1h": "1 hour", "1h30m": "1h30m"}
    assert {given: step_in_words(given) for given in steps} == steps


def test_a_hopeless_candidate_does_not_squeeze_the_others() -> None:
    def row(name: str, loss: float, baseline: bool = False) -> tables.Row:
        return tables.Row(name=name, title=name, baseline=baseline, loss=loss, low=loss, high=loss)

    low, high = tables.reach([row("a", 1.0), row("b", 1.2, True), row("c", 100.0)])
    assert low < 1.0
    assert 1.2 < high < 2
    low, high = tables.reach([row("a", 1.0), row("b", 50.0, True)])
    assert high > 50
    low, high = tables.reach([row("a", 0.0)])
    assert low == 0 < high
