"""The verdict: what is told apart, what is recommended, and how it is put into words."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from gatewright.comparison import statistics
from gatewright.comparison.deciding import decide
from gatewright.comparison.sentences import paragraph
from gatewright.comparison.verdict import Verdict

Array = NDArray[np.float64]
BASELINES = ("ridge", "naive", "seasonal")
TITLES = {"gru": "GRU", "lstm": "LSTM", "mgu": "MGU", "seasonal": "seasonal naive"}


def made(
    means: dict[str, tuple[float, int]],
    units: int = 400,
    *,
    seed_effect: float = 0.01,
    noise: float = 0.1,
    seed: int = 1,
) -> dict[str, Array]:
    """Losses: name -> (mean, seeds); baselines do not vary over seeds."""
    random = np.random.default_rng(seed)
    shared = 0.3 * np.abs(random.normal(size=units))
    losses = {}
    for name, (mean, seeds) in means.items():
        losses[name] = mean + shared + noise * random.normal(size=(1, units))
        if name not in BASELINES:
            effects = seed_effect * random.normal(size=(seeds, 1))
            losses[name] = losses[name] + effects + noise * random.normal(size=(seeds, units))
    return losses


def verdict_on(
    losses: dict[str, Array],
    kind: str = "sequences",
    horizon: int = 1,
    metric: str = "mean squared error",
    groups: list[int] | None = None,
    seed: int = 0,
) -> Verdict:
    return decide(
        losses,
        unit="forecast origin" if kind == "origins" else "test sequence",
        overlapping=kind == "origins",
        horizon=horizon,
        baselines=[name for name in losses if name in BASELINES],
        metric=metric,
        titles=TITLES,
        groups=groups,
        seed=seed,
    )


def test_a_network_that_is_better_is_recommended() -> None:
    losses = made({"ridge": (1, 1), "naive": (1.3, 1), "gru": (0.9, 5), "lstm": (1.0, 5)})
    verdict = verdict_on(losses)
    assert verdict.recommended == verdict.best == verdict.best_recurrent == "gru"
    assert verdict.best_baseline == "ridge"
    assert verdict.confidence_set == ("gru",)
    assert [found.rank for found in verdict.candidates] == [1, 2, 3, 4]
    pair = verdict.pair("ridge", "gru")
    assert pair is verdict.pair("gru", "ridge")
    assert (pair.lower, pair.higher, pair.told_apart) == ("gru", "ridge", True)
    assert pair.difference == pytest.approx(losses["ridge"].mean() - losses["gru"].mean())
    assert pair.relative == pytest.approx(pair.difference / losses["ridge"].mean())
    assert pair.interval is not None
    assert pair.interval[0] < pair.difference < pair.interval[1]
    gru = verdict.candidate("gru")
    assert gru.skill == pytest.approx(pair.relative)
    assert gru.skill_interval == pair.relative_interval
    assert verdict.candidate("ridge").skill == 0
    assert verdict.text.startswith(
        "GRU beats ridge, the baseline with the lowest error, by 7.6% in "
    )
    assert "95% interval 6.4 to 8.9%; 5 seeds, 400 test sequences" in verdict.text
    assert "It also beats LSTM by " in verdict.text


def test_a_baseline_that_is_better_is_recommended() -> None:
    verdict = verdict_on(made({"ridge": (0.8, 1), "gru": (0.9, 5), "lstm": (0.95, 5)}))
    assert verdict.recommended == verdict.best == "ridge"
    assert verdict.text.startswith("Ship ridge: no recurrent network did better. Ridge beats GRU, ")


def test_the_baseline_is_recommended_where_nothing_is_told_apart() -> None:
    verdict = verdict_on(made({"ridge": (1.005, 1), "gru": (1, 3)}, seed_effect=0.03))
    assert verdict.best == "gru"
    assert verdict.recommended == "ridge"
    assert verdict.confidence_set == ("gru", "ridge")
    assert verdict.text.startswith("Ship ridge: no recurrent network could be shown to do better.")
    assert "GRU and ridge cannot be told apart" in verdict.text
    assert verdict.needed is not None
    assert not verdict.needed.enough
    assert verdict.needed.seeds is not None
    assert verdict.needed.seeds > 3
    needs = r"see a difference of 2% between GRU and ridge, you would need about [\d,]+ seeds or "
    assert re.search(needs, verdict.text)


def test_what_no_further_data_would_show() -> None:
    verdict = verdict_on(made({"ridge": (1.005, 1), "gru": (1, 3)}, seed_effect=0.03))
    assert verdict.needed is not None
    hopeless = verdict.needed.model_copy(update={"seeds": None, "units": None, "times": None})
    text = paragraph(verdict.model_copy(update={"needed": hopeless}))
    assert "More seeds and test sequences would hardly show a difference of 2% between GRU" in text


def test_networks_that_cannot_be_told_apart() -> None:
    verdict = verdict_on(made({"ridge": (1.2, 1), "gru": (0.9, 5), "lstm": (0.9, 5)}))
    assert set(verdict.confidence_set) == {"gru", "lstm"}
    assert re.search(r"(GRU|LSTM) cannot be told from (GRU|LSTM)\.", verdict.text)


def test_a_network_that_surely_beats_the_baseline_goes_before_one_that_may() -> None:
    """The lowest mean belongs to a network whose seeds differ too much to say anything."""
    losses = made({"ridge": (1, 1), "lstm": (0.9, 5)})
    losses["gru"] = losses["lstm"][:2] - 0.05 + np.array([[-0.3], [0.3]])
    verdict = verdict_on(losses)
    assert verdict.best == "gru"
    assert not verdict.pair("gru", "ridge").told_apart
    assert verdict.recommended == "lstm"
    assert "The mean of GRU is lower still, but may be so by chance." in verdict.text


def test_p_is_that_of_the_tests() -> None:
    losses = made({"ridge": (1.0, 1), "gru": (1.01, 4)}, units=150)
    averages = np.stack([losses[name].mean(0) for name in ("ridge", "gru")], axis=1)
    differences = averages @ np.array([[-1.0], [1]])
    weights = np.array([[-1.0, 1]])
    for kind, horizon in (("sequences", 1), ("origins", 12)):
        verdict = verdict_on(losses, kind, horizon)  # type: ignore[arg-type]
        overlapping = kind == "origins"
        freedom = statistics.smooth_parts(150, horizon, differences) if overlapping else 149
        means = statistics.estimate(list(losses.values()), freedom, overlapping=overlapping)
        contrast = statistics.contrasts(means, weights)
        if overlapping:
            other = statistics.diebold_mariano(differences, horizon)[1]
            assert verdict.pairs[0].p_diebold_mariano == pytest.approx(other[0])
        else:
            observed = contrast.values / contrast.errors
            other = statistics.sign_flips(differences, observed, 0.05, 0)[0]
            assert verdict.pairs[0].p_diebold_mariano is None
        assert verdict.pairs[0].p == pytest.approx(max(contrast.p[0], other[0]))
        assert verdict.pairs[0].p_adjusted == verdict.pairs[0].p


@pytest.mark.slow
def test_winners_among_equals_are_rare() -> None:
    """Five candidates that are alike: none is told from another, and a baseline is recommended."""
    found = recommended = 0
    for trial in range(100):
        kind = "origins" if trial % 2 else "sequences"
        names = {"ridge": (1.0, 1), "naive": (1.0, 1)}
        networks = {"gru": (1.0, 5), "lstm": (1.0, 5), "mgu": (1.0, 5)}
        verdict = verdict_on(made(names | networks, 100, seed_effect=0.02, seed=trial), kind)
        found += any(pair.told_apart for pair in verdict.pairs)
        recommended += verdict.recommended not in BASELINES
    assert found <= 7
    assert recommended <= 7


@pytest.mark.slow
def test_the_confidence_set_costs_no_power() -> None:
    """Three standard errors are found in three of four cases by the whole verdict too."""
    found = 0
    for trial in range(100):
        losses = made({"ridge": (1.0, 1), "gru": (1.0, 5)}, 100, seed=trial, seed_effect=0.01)
        error = np.sqrt(2 * 0.1**2 / 100 + 0.1**2 / 5 / 100 + 0.01**2 / 5)
        losses["gru"] -= 3 * error
        found += verdict_on(losses).pairs[0].told_apart
    assert found >= 75


@pytest.mark.parametrize("kind", ["sequences", "origins"])
def test_identical_and_constant_losses(kind: str) -> None:
    losses = made({"ridge": (1, 1), "gru": (1, 3)})
    verdict = verdict_on({**losses, "naive": losses["ridge"].copy()}, kind)
    same = verdict.pair("ridge", "naive")
    assert (same.difference, same.p, same.told_apart) == (0, 1, False)
    zero = verdict_on({"ridge": np.zeros((1, 50)), "gru": np.zeros((3, 50))}, kind)
    assert zero.best == zero.recommended == "ridge"
    assert zero.candidate("gru").skill is None
    assert [one.interval for one in zero.candidates] == [(0, 0), (0, 0)]
    alone = verdict_on({"gru": np.zeros((3, 50))}, kind).text
    assert "mean squared error is 0 (95% interval 0; 3 seeds, 50 " in alone
    assert zero.text == (
        "Ship ridge: no recurrent network did better. Ridge and GRU have the same mean squared "
        "error."
    )
    steps = {"ridge": np.full((1, 50), 2.0), "gru": np.ones((3, 50)), "lstm": np.full((2, 50), 3.0)}
    constant = verdict_on(steps, kind)
    assert [found.name for found in constant.candidates] == ["gru", "ridge", "lstm"]
    assert [found.interval for found in constant.candidates] == [(1, 1), (2, 2), (3, 3)]
    assert all(pair.told_apart for pair in constant.pairs)
    perfect = verdict_on({"ridge": np.zeros((1, 50)), "gru": np.ones((3, 50))}, kind)
    assert perfect.recommended == "ridge"


def test_one_that_diverged_does_not_hide_the_others() -> None:
    losses = made({"ridge": (1, 1), "gru": (0.9, 5), "lstm": (0.9, 5)})
    losses["lstm"] = losses["lstm"] * 1e40
    verdict = verdict_on(losses)
    assert verdict.pair("gru", "ridge").told_apart
    assert verdict.best == "gru"


def test_a_short_test_part_says_so() -> None:
    losses = made({"ridge": (1, 1), "gru": (0.5, 3)}, units=18)
    verdict = verdict_on(losses, "origins", 12)
    assert not verdict.comparable
    assert not any(pair.told_apart for pair in verdict.pairs)
    assert verdict.recommended == "ridge"
    assert verdict.confidence_set == ("gru", "ridge")
    assert verdict.pairs[0].interval is verdict.candidates[0].interval is None
    short = "too short to tell anything apart: it holds 18 forecast origins, and at least 24 are "
    assert short in verdict.text
    for units in (12, 13, 24, 25, 40):
        part = {
            name: loss[:, :units] for name, loss in made({"ridge": (1, 1), "gru": (1, 3)}).items()
        }
        assert verdict_on(part, "origins", 12).comparable == (units >= 24)
    assert not verdict_on({name: loss[:, :1] for name, loss in losses.items()}).comparable


def test_groups_are_units() -> None:
    """Sequences of a group vary together: their number does not count."""
    losses = made({"ridge": (1, 1), "gru": (1, 5)})
    groups = [unit // 50 for unit in range(400)]
    shift = 0.2 * np.random.default_rng(0).normal(size=8)[groups]
    losses["gru"] = losses["gru"] - 0.08 + shift - shift.mean()
    assert verdict_on(losses).pairs[0].told_apart
    verdict = verdict_on(losses, groups=groups)
    assert not verdict.pairs[0].told_apart
    assert verdict.groups == 8
    assert "400 test sequences in 8 groups" in verdict.text
    assert not verdict_on(losses, groups=[0] * 400).comparable


def test_one_seed_is_said() -> None:
    verdict = verdict_on(made({"ridge": (1, 1), "gru": (0.8, 1), "lstm": (0.9, 3)}))
    assert verdict.seeds_unknown == ("gru",)
    assert "GRU was trained with one seed: how much another seed would change is not known" in (
        verdict.text
    )
    assert "one seed, 400 test sequences" in verdict.text


def test_one_candidate_and_one_sort_only() -> None:
    alone = verdict_on(made({"gru": (0.9, 3)}))
    assert alone.pairs == ()
    assert alone.recommended == "gru"
    assert alone.candidates[0].skill is None
    assert "There is nothing to compare it with" in alone.text
    networks = verdict_on(made({"gru": (0.9, 5), "lstm": (1.2, 5), "mgu": (1.3, 5)}))
    assert networks.best_baseline is None
    assert "No baseline was run" in networks.text
    baselines = verdict_on(made({"ridge": (0.9, 1), "naive": (1.2, 1)}))
    assert baselines.best_recurrent is None
    assert baselines.text.endswith("No recurrent network was compared.")
    assert baselines.recommended == "ridge"


def test_losses_below_zero_are_not_given_as_shares() -> None:
    losses = {name: loss - 5 for name, loss in made({"ridge": (1, 1), "gru": (0.8, 5)}).items()}
    verdict = verdict_on(losses, metric="negative log-likelihood")
    assert verdict.pairs[0].relative is verdict.candidates[0].skill is verdict.needed is None
    assert re.match(r"GRU beats ridge by 0\.\d+ in negative log-likelihood \(95% i", verdict.text)


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
    losses = made({"ridge": (1, 1), "gru": (0.99, 5), "lstm": (1, 5)})
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
def test_many_sequences_are_taken_together() -> None:
    verdict = verdict_on(made({"ridge": (1, 1), "gru": (0.99, 3)}, 20_000))
    assert verdict.units == 20_000
    assert verdict.groups is None


@pytest.mark.slow
def test_what_is_said_to_be_needed_is_enough() -> None:
    """A test part of the size that is asked for tells a difference of 2% apart, in most cases."""
    means = {"ridge": (1.0, 1), "gru": (1.0, 5)}
    needed = verdict_on(made(means, 100, seed_effect=0)).needed
    assert needed is not None
    assert needed.units is not None
    lower = {"ridge": (1.0, 1), "gru": (0.98 - 0.02 * 0.24, 5)}
    found = [
        verdict_on(made(lower, 100 + needed.units, seed_effect=0, seed=seed)).pairs[0].told_apart
        for seed in range(40)
    ]
    assert 0.6 <= np.mean(found) <= 0.98
