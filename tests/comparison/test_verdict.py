"""The verdict: what is told apart, what is recommended, and how it is put into words."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from gatewright.comparison.deciding import decide
from gatewright.comparison.verdict import Pair, Verdict
from verdicts import BASELINES, TITLES, Array, consistent, made, verdict_on


def test_a_network_that_is_better_is_recommended() -> None:
    losses = made({"ridge": (1, 1), "naive": (1.3, 1), "gru": (0.9, 5), "lstm": (1.0, 5)})
    verdict = verdict_on(losses)
    consistent(verdict)
    assert verdict.recommended == verdict.best == verdict.best_recurrent == "gru"
    assert verdict.best_baseline == "ridge"
    assert verdict.close == ("gru",)
    assert [found.rank for found in verdict.candidates] == [1, 2, 3, 4]
    pair = verdict.pair("ridge", "gru")
    assert (pair.candidate, pair.other, pair.better) == ("gru", "ridge", True)
    assert pair.difference == pytest.approx(losses["ridge"].mean() - losses["gru"].mean())
    assert pair.relative == pytest.approx(pair.difference / losses["ridge"].mean())
    assert pair.interval is not None
    assert pair.interval[0] < pair.difference < pair.interval[1]
    gru = verdict.candidate("gru")
    assert gru.skill == pytest.approx(pair.relative)
    assert gru.skill_interval == pair.relative_interval
    assert verdict.candidate("ridge").skill == 0
    assert verdict.candidate("naive").skill_interval is None  # it was not tested
    assert verdict.text.startswith(
        "Ship GRU. It was shown to be better than ridge, the best baseline: GRU's mean squared "
        "error lies between 6.3 and 8.9% lower than ridge's (90%, for both networks together; 400 "
        "test sequences). It was told from LSTM: GRU's mean squared error would lie between "
    )
    assert "% lower than LSTM's (95%; 5 seeds)." in verdict.text
    assert "leave out what another split of the data and another round of tuning" in verdict.text


def test_a_baseline_that_is_better_is_recommended() -> None:
    verdict = verdict_on(made({"ridge": (0.8, 1), "gru": (0.9, 5), "lstm": (0.95, 5)}))
    consistent(verdict)
    assert verdict.recommended == verdict.best == "ridge"
    assert verdict.close == ("ridge",)
    assert verdict.among_networks == ()  # which network is asked only after a yes
    start = "Ship ridge. No network was shown to be better: GRU's mean squared error lies between"
    assert verdict.text.startswith(f"{start} 8 and 11% higher than ridge's (90%, ")
    assert "would have been seen" not in verdict.text


def test_the_baseline_is_recommended_where_nothing_is_told_apart() -> None:
    means = {"ridge": (1.0, 1), "gru": (1.0, 5), "lstm": (1.0, 5), "mgu": (1.05, 3)}
    verdict = verdict_on(made(means, noise=0.4), "origins", 12)
    consistent(verdict)
    assert verdict.recommended == "ridge"
    assert verdict.close[0] == "ridge"
    assert re.match(
        r"Ship ridge\. No network was shown to be better: LSTM's mean squared error lies between "
        r"\d+% higher and \d+% lower than ridge's \(90%, for all three networks together; 400 "
        r"forecast origins\)\. A difference above \d+% would have been seen\. To see 5% would take "
        r"about [\d,]+ forecast origins\. The intervals leave out",
        verdict.text,
    )
    assert "2%" not in verdict.text
    pair = verdict.against_baseline[0]
    assert pair.units is not None
    assert 400 < pair.units <= 20 * 400
    assert pair.seeds is None  # these networks are not trained anew


@pytest.mark.parametrize("kind", ["sequences", "origins"])
def test_intervals_and_decisions_agree_whatever_the_difference(kind: str) -> None:
    apart = set()
    for ahead in np.linspace(-0.06, 0.06, 25):
        losses = made({"ridge": (1, 1), "gru": (1 - ahead, 3), "lstm": (1, 3)}, noise=0.2)
        verdict = verdict_on(losses, kind, 4)
        consistent(verdict)
        apart.add(verdict.recommended)
        assert (verdict.recommended == "ridge") == (not verdict.among_networks)
    assert apart == {"ridge", "gru"}


def test_one_seeds_luck_does_not_hide_what_is_shipped() -> None:
    """Seeds vary more than networks differ: the first question is of these models, and is a yes."""
    losses = made({"ridge": (1, 1), "gru": (0.9, 3), "lstm": (0.9, 3)}, noise=0.05)
    for name in ("gru", "lstm"):
        losses[name] = losses[name] + np.array([[-0.3], [0.0], [0.3]])
    verdict = verdict_on(losses)
    consistent(verdict)
    assert all(pair.better for pair in verdict.against_baseline)
    pair = verdict.pair("gru", "lstm")
    assert not pair.told_apart
    assert "Trained anew with one seed, " in verdict.text
    assert "may be no better than" in verdict.text
    assert set(verdict.close) == {"gru", "lstm"}
    assert re.search(r"A difference above \d+% would have been seen", verdict.text)


def test_networks_of_lower_loss_that_may_be_lower_by_chance() -> None:
    losses = made({"ridge": (1, 1), "lstm": (0.95, 5)})
    random = np.random.default_rng(0)
    losses["gru"] = losses["lstm"] - 0.05 + 2 * random.normal(size=(1, 400))
    verdict = verdict_on(losses)
    if verdict.best != "gru":
        pytest.skip("the noise went the other way")
    assert not verdict.pair("gru", "ridge").told_apart
    assert verdict.recommended == "lstm"
    assert "The mean of GRU is lower still, but may be so by chance." in verdict.text


@pytest.mark.parametrize("kind", ["sequences", "origins"])
def test_identical_candidates_count_once(kind: str) -> None:
    losses = made({"ridge": (1.0, 1), "gru": (0.985, 3)})
    alone = verdict_on(losses, kind, 3).pair("gru", "ridge")
    twin = {"naive": losses["ridge"].copy(), "lstm": losses["gru"] + 1e-15}
    both = verdict_on({**losses, **twin}, kind, 3)
    consistent(both)
    widths = [
        pair.interval[1] - pair.interval[0]
        for pair in (alone, both.pair("gru", str(both.best_baseline)))
        if pair.interval
    ]
    assert widths[0] == pytest.approx(widths[1], rel=0.03)
    if both.among_networks:
        same: Pair = both.pair("gru", "lstm")
        assert (same.difference, same.interval, same.told_apart) == (0, (0, 0), False)


def test_groups_are_units() -> None:
    """Sequences of a group vary together: their number does not count."""
    losses = made({"ridge": (1, 1), "gru": (1, 5)})
    groups = [unit // 50 for unit in range(400)]
    shift = 0.2 * np.random.default_rng(0).normal(size=8)[groups]
    losses["gru"] = losses["gru"] - 0.08 + shift - shift.mean()
    assert verdict_on(losses).against_baseline[0].told_apart
    verdict = verdict_on(losses, groups=groups)
    assert not verdict.against_baseline[0].told_apart
    assert verdict.groups == 8
    assert "400 test sequences in 8 groups" in verdict.text
    assert "All of this rests on 8 groups: with fewer than ten, take it with care." in verdict.text
    assert not verdict_on(losses, groups=[0] * 400).comparable


def test_one_seed_is_said() -> None:
    verdict = verdict_on(made({"ridge": (1, 1), "gru": (0.8, 1), "lstm": (0.9, 3)}))
    assert verdict.recommended == "gru"
    assert verdict.seeds_unknown == ("gru",)
    assert verdict.among_networks == ()  # of one seed, nothing is known of another
    assert "GRU was trained with one seed: how much another would change is not known." in (
        verdict.text
    )


def test_one_candidate_and_one_sort_only() -> None:
    alone = verdict_on(made({"gru": (0.9, 3)}))
    assert alone.against_baseline == alone.among_networks == ()
    assert alone.recommended == "gru"
    assert alone.candidates[0].skill is None
    assert "There is nothing to compare it with" in alone.text
    networks = verdict_on(made({"gru": (0.9, 5), "lstm": (1.2, 5), "mgu": (1.3, 5)}))
    consistent(networks)
    assert networks.best_baseline is None
    assert len(networks.among_networks) == 3
    assert "No baseline was run" in networks.text
    assert "It was told from LSTM and MGU: " in networks.text
    assert "(95%, for all three pairs together; 5 seeds, " in networks.text
    baselines = verdict_on(made({"ridge": (0.9, 1), "naive": (1.2, 1)}))
    assert baselines.best_recurrent is None
    assert baselines.text.endswith("No recurrent network was compared.")
    assert baselines.recommended == "ridge"


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({}, "at least one candidate"),
        ({"ridge": np.ones((1, 5)), "gru": np.full((2, 5), np.nan)}, "'gru' are not all finite"),
        ({"ridge": np.full((1, 5), np.inf), "gru": np.ones((2, 5))}, "'ridge' are not all finite"),
        ({"ridge": np.ones((1, 5)), "gru": np.ones((2, 6))}, "'gru' are for 6 units"),
        ({"ridge": np.ones(5)}, "'ridge' have shape"),
        ({"ridge": np.ones((1, 0))}, "'ridge' have shape"),
        ({"ridge": np.array(1.0)}, "'ridge' have shape"),
    ],
)
def test_what_cannot_be_compared_is_refused(losses: dict[str, Array], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        verdict_on(losses)


def test_other_arguments_are_refused() -> None:
    losses = {"ridge": np.ones((1, 5)), "gru": np.ones((2, 5))}
    with pytest.raises(ValueError, match="groups has 4 entries for 5 test sequences"):
        verdict_on(losses, groups=[0] * 4)
    with pytest.raises(ValueError, match="none where they overlap"):
        verdict_on(losses, "origins", groups=[0] * 5)
    with pytest.raises(ValueError, match="horizon is 0"):
        verdict_on(losses, "origins", 0)


@pytest.mark.parametrize("kind", ["sequences", "origins"])
def test_it_repeats_and_goes_through_json(kind: str) -> None:
    losses = made({"ridge": (1, 1), "gru": (0.9, 5), "lstm": (0.9, 5)})
    verdict = verdict_on(losses, kind, 6)
    assert verdict == verdict_on(dict(reversed(losses.items())), kind, 6)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "horizon"), [("sequences", 1), ("origins", 24)])
def test_ten_candidates_are_compared_at_once(kind: str, horizon: int) -> None:
    losses = made({f"cell{number}": (1.0, 5) for number in range(10)}, 3000)
    verdict_on(losses, kind, horizon)  # imports
    start = time.process_time()
    verdict_on(losses, kind, horizon)
    assert time.process_time() - start < 4


@pytest.mark.slow
def test_winners_among_equals_are_rare() -> None:
    """Five candidates that are alike, through the whole verdict."""
    recommended = 0
    for trial in range(100):
        kind = "origins" if trial % 2 else "sequences"
        names = {"ridge": (1.0, 1), "naive": (1.0, 1)}
        networks = {"gru": (1.0, 5), "lstm": (1.0, 5), "mgu": (1.0, 5)}
        verdict = verdict_on(made(names | networks, 100, seed_effect=0, seed=trial), kind)
        recommended += verdict.recommended not in BASELINES
    assert recommended <= 7


@pytest.mark.slow
def test_many_sequences_are_taken_together() -> None:
    verdict = verdict_on(made({"ridge": (1, 1), "gru": (0.99, 3)}, 20_000))
    assert verdict.units == 20_000
    assert verdict.groups is None


@pytest.mark.slow
def test_what_is_said_to_be_needed_is_enough() -> None:
    """A test part of the size that is asked for tells a difference of 5% apart, in most cases."""
    means = {"ridge": (1.0, 1), "gru": (1.0, 5)}
    needed = verdict_on(made(means, 50, seed_effect=0, noise=0.15)).against_baseline[0].units
    assert needed is not None
    lower = {"ridge": (1.0, 1), "gru": (0.95 - 0.05 * 0.24, 5)}
    found = [
        verdict_on(made(lower, needed, seed_effect=0, noise=0.15, seed=seed)).recommended == "gru"
        for seed in range(60)
    ]
    assert 0.6 <= np.mean(found) <= 0.98


def test_what_is_shipped_answers_the_first_question_and_seeds_the_second() -> None:
    """Joined, the seeds of one network gain more than those of the other; alone they are alike."""
    losses = made({"ridge": (1, 1), "gru": (1, 3), "lstm": (1, 3)}, noise=0.02)
    shipped = {"gru": losses["gru"].mean(0) - 0.2, "lstm": losses["lstm"].mean(0) - 0.1}
    verdict = decide(
        losses,
        shipped,
        unit="test sequence",
        overlapping=False,
        baselines=BASELINES,
        metric="mean squared error",
        titles=TITLES,
    )
    assert verdict.recommended == "gru"
    assert verdict.candidate("gru").loss == pytest.approx(shipped["gru"].mean())
    assert verdict.pair("gru", "ridge").difference > 0.15
    pair = verdict.pair("gru", "lstm")
    assert abs(pair.difference) < 0.03
    assert not pair.told_apart
