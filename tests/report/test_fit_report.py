"""The page of a fit without a comparison: the same views, of one candidate."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import torch

import small
from gatewright import api, cli, report
from gatewright.errors import InputError
from gatewright.models.folder import SHOWN, read_fit
from gatewright.report.fits import outcome_of_fit
from gatewright.training.checkpoint import load_tensors
from pages import Page

pytestmark = pytest.mark.slow

SPITEFUL = "<img src=x onerror=alert(1)>"


def fit(path: Path, *more: str) -> Path:
    folder = path.parent / "fit"
    assert cli.main(["fit", str(path), "--quiet", "--out", str(folder), *more]) == 0
    return folder


def page_of(folder: Path) -> Page:
    return Page(report.write_fit(folder).read_text("utf-8"))


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = small.write_waves(tmp_path_factory.mktemp("waves"))
    return fit(path, "--target", "y", "--cell", "mgu", "--epochs", "3", "--horizon", "3")


def labelled(path: Path, label: str = "label") -> Path:
    rows = [
        (f"s{n}", step, float((n * step) % 5 + n % 2), f"{SPITEFUL} {n % 2}")
        for n in range(60)
        for step in range(5)
    ]
    pl.DataFrame(rows, schema=["id", "step", "x", label], orient="row").write_csv(path)
    return path


def test_a_forecast_shows_itself(forecast: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.main(["report", str(forecast), "--no-open"]) == 0
    assert capsys.readouterr().out.strip() == str(forecast / "report.html")
    page = Page((forecast / "report.html").read_text("utf-8"))
    assert not page.open
    record = read_fit(forecast)
    assert record.test is not None
    for words in ("Fitted mgu", "Forecasts", "Error by step", "Learning", "Measures on test"):
        assert words in page.text
    for words in ("Leaderboard", "The verdict", "recommended", "baseline"):
        assert words not in page.text
    assert {"forecasts", "error_by_step", "learning"} <= set(page.data)
    (curves,) = page.data["learning"].values()  # type: ignore[attr-defined]
    assert len(curves[0]["epoch"]) == record.epochs
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = {str(each["href"]) for tag, each in page.tags if tag == "a"}
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert record.command.startswith("gatewright fit ")
    assert record.command in page.text


def test_what_it_shows_is_what_was_judged(forecast: Path) -> None:
    outcome, record = outcome_of_fit(forecast), read_fit(forecast)
    assert record.test is not None
    assert record.kept is not None
    tensors, _ = load_tensors(forecast / SHOWN, record.kept.file)
    assert tensors["losses"].mean().item() == pytest.approx(record.test.loss)
    assert outcome.rows[0].loss == pytest.approx(record.test.loss)
    assert outcome.rows[0].measures == record.test.measures.overall
    (shown,) = outcome.shown.values()
    # The forecasts that are drawn are those that the model gives for rows up to there.
    frame = pl.read_csv(forecast.parent / "waves.csv")
    assert shown.time is not None
    begin = int(shown.time[0, -3])
    again = api.load(forecast).predict(frame.filter(pl.col("step") < begin))
    assert again["y"].to_list() == pytest.approx(shown.prediction[0, :, 0, 0].tolist(), abs=1e-5)


def test_without_a_test_part_it_shows_validation(tmp_path: Path) -> None:
    path = small.write_waves(tmp_path)
    said = ["--target", "y", "--cell", "ridge_lags", "--horizon", "3", "--shares", "0.8,0.2,0"]
    folder = fit(path, *said)
    page = page_of(folder)
    assert "Measures on validation" in page.text
    assert "Validation also told when to stop" in page.text
    assert " test " not in page.text.split("What was read")[0].replace("test may be worse", "")
    assert "Setting" not in page.text  # it has none


def test_labels_show_their_confusion_and_no_markup(tmp_path: Path) -> None:
    path = labelled(tmp_path / "labels.csv")
    said = ["--target", "label", "--sequence", "id", "--step", "step"]
    folder = fit(path, *said, "--cell", "gru", "--epochs", "2")
    page = page_of(folder)
    assert f"{SPITEFUL} 0" in page.text
    assert "Confusion" in page.text
    assert all(tag != "img" for tag, _ in page.tags)
    record = json.loads((folder / "fit.json").read_text())
    counts = torch.tensor(record["test"]["measures"]["details"]["confusion"])
    assert counts.sum() == record["test"]["units"]


def test_the_same_fit_again_is_not_done_again(forecast: Path) -> None:
    report.write_fit(forecast)
    before = (forecast / "fit.json").read_bytes()
    path = forecast.parent / "waves.csv"
    fit(path, "--target", "y", "--cell", "mgu", "--epochs", "3", "--horizon", "3")
    assert (forecast / "fit.json").read_bytes() == before


def test_lost_predictions_are_told_and_made_anew(tmp_path: Path) -> None:
    path = small.write_waves(tmp_path)
    said = ["--target", "y", "--cell", "ridge_lags", "--horizon", "3"]
    folder = fit(path, *said)
    whole, kept = (folder / SHOWN).read_bytes(), read_fit(folder).kept
    (folder / SHOWN).write_bytes(whole[:-9] + b"corrupted")
    with pytest.raises(InputError, match=SHOWN):
        report.write_fit(folder)
    fit(path, *said)
    again = read_fit(folder).kept
    assert kept is not None
    assert again is not None
    assert again.file == kept.file
    report.write_fit(folder)


def test_what_holds_no_predictions_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.forecaster().save(tmp_path / "saved")
    assert cli.main(["report", str(tmp_path / "saved"), "--no-open"]) == 2
    assert "keeps no predictions that a report could show" in capsys.readouterr().err
    assert cli.main(["report", str(tmp_path / "nowhere"), "--no-open"]) == 2
    assert "holds no comparison" in capsys.readouterr().err
