"""What a comparison shows while it runs, for made-up events."""

from __future__ import annotations

import pytest
from rich.console import Console

from gatewright.cli.board import Board
from gatewright.cli.live import Terminal
from gatewright.cli.plain import Lines
from gatewright.comparison.folder import RunFolder
from gatewright.comparison.records import Candidate, Fit, Job, Plan, Rung, Score, fit_name
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepared import Preparation, PreparedRecord
from gatewright.models import files
from gatewright.setting import Setting
from gatewright.training import Epoch, Recipe, Stopping

NETWORK = Candidate(name="gru", title="gru", baseline=False, trained=True, settings=(0, 1))
RIDGE = Candidate(name="ridge_lags", title="ridge", baseline=True, trained=False, settings=(0,))
NAIVE = Candidate(
    name="last_value", title="last value", baseline=True, trained=False, settings=(0,)
)


def plan(**changes):
    given = {
        "gatewright": "1",
        "source": "sales.csv",
        "fingerprint": "",
        "layout": Layout(task="forecast", targets=("sales",)),
        "guesses": (
            Guess(what="time column", value="day", argument="time", why="[all] are dates"),
        ),
        "candidates": (RIDGE, NAIVE, NETWORK),
        "settings": (Setting(), Setting(learning_rate=0.01, num_layers=2, dropout=0.1)),
        "seeds": (0, 1),
        "stopping": Stopping(epochs=4),
        "rungs": (Rung(epochs=2, settings=2), Rung(epochs=4, settings=1)),
    }
    return Plan(**(given | changes))


def named(candidate, setting, seed, epochs):
    return fit_name(candidate, setting, seed, epochs if epochs < 4 else None)


def job(setting=0, seed=0, epochs=4):
    recipe = Recipe(candidate="gru", seed=seed)
    name = named("gru", setting, seed, epochs)
    return Job(name=name, recipe=recipe, setting=setting, epochs=epochs)


def epoch(number, seconds):
    return Epoch(
        number=number,
        train_loss=0.1234,
        validation_loss=0.2345,
        gradient_norm=1,
        clipped=0,
        seconds=seconds,
    )


def fit(candidate, loss, setting=0, seed=0, asked=4, **changes):
    given = {"validation_loss": loss, "validation_metric": loss, "seconds": 2.5, "asked": asked}
    name = named(candidate, setting, seed, asked)
    return Fit(name=name, candidate=candidate, setting=setting, seed=seed, **(given | changes))


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path / "run")
    found.path.mkdir()
    preparation = Preparation(layout=plan().layout, channels=())
    files.write_beside(found.path, PreparedRecord(preparation=preparation, items=()), None)
    return found


def terminal(folder, *, width=100, height=40, **changes):
    """A terminal that has begun, and what gives its screen as text."""
    screen = Console(width=width, height=height, force_terminal=True)
    clock = Clock()
    shown = Terminal(screen, clock=clock)
    shown.begin(plan(**changes), folder)
    shown.end()  # nothing is to be written to the test's own output

    def text():
        page = Console(width=width, height=height)
        with page.capture() as captured:
            page.print(shown.render())
        return captured.get()

    return shown, clock, text


def row(text, start):
    """The cells of the line that starts so."""
    line = next(line for line in text.splitlines() if line.strip().startswith(start))
    return line.split()


# The table in a terminal -----------------------------------------------------------------------


def test_it_begins_with_the_guesses_and_their_flags(folder, capsys):
    terminal(folder)
    shown = capsys.readouterr().out
    for part in ("time column", "day", "--time", "[all] are dates"):
        assert part in shown


def test_a_fit_in_progress_shows_epoch_loss_and_time_left(folder):
    shown, _, text = terminal(folder)
    shown.stage("trying settings", 4, 0)
    shown.epoch(job(setting=1), epoch(1, 3.0))
    line = text()
    assert "setting 2 of 2" in line
    assert "1/4" in line
    assert "0.123" in line
    assert "0.234" in line or "0.235" in line
    assert "9.0 s" in line  # three more epochs like the first
    assert "trying settings 0/4" in line


def test_a_fit_of_a_search_ends_with_its_own_length(folder):
    shown, _, text = terminal(folder)
    shown.stage("trying settings", 4, 0)
    shown.epoch(job(setting=1, epochs=2), epoch(1, 3.0))
    line = text()
    assert "1/2" in line
    assert "3.0 s" in line  # one more epoch like the first


def test_a_later_seed_is_called_one(folder):
    shown, _, text = terminal(folder)
    shown.stage("more seeds", 1, 0)
    shown.epoch(job(seed=1), epoch(2, 3.0))
    assert "seed 2 of 2" in text()


def test_candidates_stand_by_their_best_score_beside_the_best_baseline(folder):
    shown, _, text = terminal(folder)
    shown.stage("trying settings", 4, 0)
    shown.fitted(fit("ridge_lags", 0.5))
    shown.fitted(fit("last_value", 2.0))
    shown.fitted(fit("gru", 0.8, asked=2))
    shown.fitted(fit("gru", 0.4, setting=1, asked=2))
    page = text()
    assert page.index(" gru ") < page.index(" ridge ") < page.index(" last value ")
    assert row(page, "gru") == ["gru", "0.4000", "+20%", "2/4"]
    assert row(page, "ridge") == ["ridge", "0.5000", "best", "baseline", "1/1"]
    assert row(page, "last value") == ["last", "value", "2.000", "\N{MINUS SIGN}300%", "1/1"]


def test_another_seed_does_not_change_the_score(folder):
    shown, _, text = terminal(folder)
    shown.fitted(fit("gru", 0.4))
    shown.fitted(fit("gru", 0.1, seed=1))
    assert "0.4000" in row(text(), "gru")


def test_failures_are_counted(folder):
    shown, _, text = terminal(folder)
    shown.fitted(fit("gru", None, failed="diverged", validation_metric=None))
    assert row(text(), "gru") == ["gru", "\N{EM DASH}", "\N{EM DASH}", "1", "failed,", "1/4"]


def test_a_finished_fit_is_no_longer_in_progress(folder):
    shown, _, text = terminal(folder)
    shown.stage("trying settings", 4, 0)
    shown.epoch(job(), epoch(1, 1.0))
    shown.fitted(fit("gru", 0.4))
    assert "setting 1 of 2" not in text()


def test_time_left_follows_the_pace(folder):
    shown, clock, text = terminal(folder)
    shown.stage("trying settings", 4, 0)
    assert "left" not in text().splitlines()[0]
    clock.now = 15.0
    shown.fitted(fit("gru", 0.4, asked=2))  # 2 of 12 epochs, and little else
    assert "15%" in text()
    clock.now = 30.0
    shown.fitted(fit("gru", 0.5, setting=1, asked=2))
    assert "31%" in text()
    assert "about 1 min" in text()


def test_what_an_earlier_run_did_counts_as_done(folder):
    folder.add_fit(fit("gru", 0.4))
    folder.add_score(Score(name="ridge_lags", fits=("ridge_lags-0-0",), loss=1.0))
    board = Board(plan(), folder)
    assert board.standings["gru"].fits == 1
    assert board.share() == pytest.approx(1.05 / 3.25)
    assert board.time_left() is None


def test_the_end_is_the_whole(folder):
    board = Board(plan(), folder)
    for found in (fit("ridge_lags", 1), fit("last_value", 1)):
        board.fitted(found)
    for setting in range(2):
        board.fitted(fit("gru", 1, setting=setting, asked=2))
    board.fitted(fit("gru", 1))
    board.fitted(fit("gru", 1, seed=1))
    for _ in range(2):
        board.scored()
    assert board.share() == pytest.approx(1 - 0.05 / 3.25)
    board.scored()
    assert board.share() == pytest.approx(1.0)


def of_seconds():
    stopping = Stopping(epochs=1_000_000, seconds=10.0)
    return {"stopping": stopping, "rungs": (Rung(epochs=1_000_000, settings=2),)}


def test_equal_time_is_told_in_seconds(folder):
    shown, _, text = terminal(folder, **of_seconds())
    shown.stage("trying settings", 4, 0)
    shown.epoch(job(epochs=1_000_000), epoch(7, 4.0))
    assert "6.0 s" in text()
    assert "1000000" not in text()


def test_many_candidates_fit_in_a_low_window(folder):
    many = [
        Candidate(
            name=f"cell {n}", title=f"cell {n}", baseline=False, trained=True, settings=(0, 1)
        )
        for n in range(30)
    ]
    shown, _, text = terminal(folder, width=80, height=24, candidates=tuple(many))
    shown.stage("trying settings", 60, 0)
    page = text()
    assert len(page.splitlines()) <= 24
    assert "more" in page
    assert max(map(len, page.splitlines())) <= 80


def test_nothing_is_shown_before_the_plan():
    assert str(Terminal(Console()).render()) == ""


# Lines where there is no terminal --------------------------------------------------------------


def test_a_line_for_each_stage_and_fit(folder, capsys):
    shown = Lines(Console(width=160, force_terminal=False))
    shown.begin(plan(), folder)
    shown.stage("trying settings", 4, 1)
    shown.epoch(job(), epoch(1, 1.0))
    shown.fitted(fit("ridge_lags", 0.5))
    shown.fitted(fit("gru", 0.25, setting=1, epochs=[epoch(1, 1.0)]))
    shown.fitted(fit("gru", None, failed="diverged: [the loss] is nan", validation_metric=None))
    shown.stage("judging on test", 1, 0)
    shown.scored(Score(name="gru", fits=("gru-1-0", "gru-1-1"), loss=0.3))
    shown.end()
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line][2:] == [
        "trying settings: 4 fits, 1 of them done before",
        "  [2/4] ridge: mean squared error 0.5000 on validation after 2.5 s",
        "  [3/4] gru, learning rate 0.01, 2 layers, dropout 0.1, seed 0: "
        "mean squared error 0.2500 on validation after 2.5 s (1 epoch)",
        "  [4/4] gru, learning rate 0.003, 1 layer, seed 0: failed: diverged: [the loss] is nan",
        "judging on test: 1 candidate",
        "  [1/1] gru: mean squared error 0.3000 on test",
    ]
