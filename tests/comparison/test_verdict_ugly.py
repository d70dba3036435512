"""Verdicts on ugly losses: none, constant, rare, endless, far apart, on hardly any units."""

from __future__ import annotations

import re

import numpy as np
import pytest

from verdicts import consistent, made, verdict_on


@pytest.mark.parametrize("kind", ["sequences", "origins"])
def test_constant_losses_and_none_at_all(kind: str) -> None:
    zero = verdict_on({"ridge": np.zeros((1, 50)), "gru": np.zeros((3, 50))}, kind)
    assert zero.best == zero.recommended == "ridge"
    assert zero.candidate("gru").skill is None
    assert [one.interval for one in zero.candidates] == [(0, 0), (0, 0)]
    alone = verdict_on({"gru": np.zeros((3, 50))}, kind).text
    assert "mean squared error is 0 (90% interval 0; 50 " in alone
    assert zero.text.startswith(
        "Ship ridge. Ridge's mean squared error is 0, and nothing is below that."
    )
    steps = {"ridge": np.full((1, 50), 2.0), "gru": np.ones((3, 50)), "lstm": np.full((2, 50), 3.0)}
    constant = verdict_on(steps, kind)
    consistent(constant)
    assert [found.name for found in constant.candidates] == ["gru", "ridge", "lstm"]
    assert [found.interval for found in constant.candidates] == [(1, 1), (2, 2), (3, 3)]
    assert all(pair.told_apart for pair in constant.against_baseline)
    assert "GRU's mean squared error lies 50% lower than ridge's" in constant.text
    perfect = verdict_on({"ridge": np.zeros((1, 50)), "gru": np.ones((3, 50))}, kind)
    assert perfect.recommended == "ridge"
    assert "lies at 1.00, where ridge's is 0 (90%" in perfect.text
    beaten = verdict_on({"ridge": np.ones((1, 50)), "gru": np.zeros((3, 50))}, kind)
    assert beaten.recommended == "gru"


def test_one_that_diverged_does_not_hide_the_others() -> None:
    losses = made({"ridge": (1, 1), "gru": (0.9, 5), "lstm": (0.9, 5)})
    losses["lstm"] = losses["lstm"] * 1e40
    verdict = verdict_on(losses)
    consistent(verdict)
    assert verdict.recommended == verdict.best == "gru"
    assert "%" in verdict.text
    assert not re.search(r"\d{4,}%", verdict.text)


def test_a_network_far_behind_is_given_in_numbers_not_percent() -> None:
    """With a cycle of a week in its losses, at a horizon of whole weeks."""
    random = np.random.default_rng(5)
    week = np.cos(2 * np.pi * np.arange(3000) / 168)
    far = 11 + 5 * week + random.normal(size=(3, 3000))
    near = 1.1 + 0.5 * week + 0.1 * random.normal(size=(1, 3000))
    verdict = verdict_on({"ridge": near, "gru": far}, "origins", 168)
    assert verdict.against_baseline[0].told_apart
    assert re.search(r"GRU's mean squared error lies between 1\d\.\d and 1\d", verdict.text)
    assert "where ridge's is 1" in verdict.text
    other = verdict_on(
        {"ridge": far[:1], "gru": near + 0.1 * random.normal(size=(3, 3000))}, "origins", 168
    )
    assert other.recommended == "gru"
    assert re.search(r"lies between (8|9)\d(\.\d)? and 9\d(\.\d)?% lower than ridge's", other.text)


def test_rare_errors() -> None:
    """Four sequences that only ridge tells wrong prove nothing, five do."""
    for count in (4, 5):
        losses = {"ridge": np.zeros((1, 60)), "gru": np.zeros((3, 60))}
        losses["ridge"][0, :count] = 1
        verdict = verdict_on(losses, metric="error rate")
        consistent(verdict)
        assert verdict.recommended == ("ridge" if count == 4 else "gru")
    few = {"ridge": np.zeros((1, 50)), "gru": np.zeros((3, 50))}
    few["ridge"][0, :2] = few["gru"][:, 5:8] = 1
    text = verdict_on(few, metric="error rate").text
    assert "GRU's error rate lies between 0 and 0." in text
    assert "where ridge's is 0.0400" in text
    assert "The test part is too small to tell even one without error from it." in text


def test_a_short_test_part_says_so() -> None:
    losses = made({"ridge": (1, 1), "gru": (0.5, 3)}, units=30)
    verdict = verdict_on(losses, "origins", 12)
    assert not verdict.comparable
    assert verdict.against_baseline == verdict.among_networks == ()
    assert verdict.recommended == "ridge"
    assert verdict.close == ("ridge",)
    assert verdict.candidates[0].interval is None
    assert (
        "too short to say anything: it holds 30 forecast origins, and at least 36 are needed for "
        "three whose forecasts share no step."
    ) in verdict.text
    for units in (12, 25, 35, 36, 60):
        part = made({"ridge": (1, 1), "gru": (1, 3)}, units=units)
        assert verdict_on(part, "origins", 12).comparable == (units >= 36)
    assert not verdict_on({name: loss[:, :1] for name, loss in losses.items()}).comparable
    some = verdict_on(made({"ridge": (1, 1), "gru": (1, 3)}, units=60), "origins", 12)
    assert "rests on 5 stretches of the horizon: with fewer than ten, take it w" in some.text


def test_three_units_prove_nothing_however_alike() -> None:
    """By chance a coin falls the same way three times: no finite interval leaves out zero."""
    losses = {"ridge": np.full((1, 3), 2.0), "gru": np.ones((3, 3))}
    verdict = verdict_on(losses, groups=[0, 1, 2])
    consistent(verdict)
    assert verdict.recommended == "ridge"
    assert verdict.against_baseline[0].interval is None
    assert "with too few groups to say how far they may be from each other" in verdict.text


def test_losses_below_zero_are_not_given_as_shares() -> None:
    losses = {name: loss - 5 for name, loss in made({"ridge": (1, 1), "gru": (0.8, 5)}).items()}
    verdict = verdict_on(losses, metric="negative log-likelihood")
    assert verdict.against_baseline[0].relative is verdict.candidates[0].skill is None
    assert re.search(
        r"GRU's negative log-likelihood lies between .4\.0\d and .3\.9\d, where ridge's is .3\.\d+",
        verdict.text,
    )
