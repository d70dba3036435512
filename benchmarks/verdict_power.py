"""How often the verdict errs, and what it sees: simulated comparisons, by tables.

    python benchmarks/verdict_power.py                   # all of it, half an hour on one core
    python benchmarks/verdict_power.py --trials 200      # a rough idea

False recommendations: one baseline and three networks that lose the same in truth, as they are
shipped, so that any network that is found better is found falsely. More baselines make it rarer:
the one with the lowest error by chance is to be beaten. Where more than 5% are found in the first
trials, four times as many follow.

Sequences are told wrong where a normal margin fails: a part of it is the sequence's, a part the
candidate's, a part the seed's. Forecasts err by what comes, by the candidate and by the seed, at
each step; a loss is the mean square over the horizon. Of 100 series the mean of their losses is
taken as normal, beside a tenth that all series share.

Seeds: "none" are all alike; of "equal" the seeds' part is as large as the candidate's, of
"dominating" five times that; of "skewed" one seed in five learns badly; of "failed" one in five
learns nothing and is left out, as a comparison leaves it out by validation.
"""

from __future__ import annotations

import argparse
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gatewright.comparison import statistics

Array = NDArray[np.float64]
Losses = list[Array]  # (seeds, units) of each candidate, the baseline first
NETWORKS, LEVEL = 3, 0.05
SHARE_OF_UNIT, SHARE_OF_OWN = 0.6, 0.2  # of the variance of a margin
OWN = 0.1  # variance of a candidate's own error, where what comes has 1
PARTS_OF_SEEDS = {"none": 0.0, "equal": 1.0, "dominating": 5.0, "skewed": 1.0, "failed": 1.0}
BADLY = 5.0  # times the variance, of a seed that learns badly
STEPS = 12  # of the horizon in the tables of power
POWER_UNITS = 553


def seeds_of(random: np.random.Generator, count: int, kind: str) -> Array:
    """The variance of each seed's part, in terms of the candidate's own: (seeds that learned,)."""
    parts = np.full(count, PARTS_OF_SEEDS[kind])
    fails = random.random(count) < 0.2
    if kind == "skewed":
        parts[fails] *= BADLY
    if kind == "failed" and not fails.all():
        parts = parts[~fails]
    return parts


def told_apart(losses: Losses, horizon: int | None, sides: int) -> NDArray[np.bool_]:
    """Of the first against each other one-sided, or of every two: (pairs,)."""
    count = len(losses)
    pairs = [(one, 0) for one in range(1, count)]
    if sides == 2:
        pairs = [(one, other) for one in range(count) for other in range(one + 1, count)]
    if not pairs:
        return np.zeros(0, dtype=np.bool_)
    found = statistics.contrasts(losses, pairs, horizon, with_seeds=sides == 2)
    t = found.values / found.errors
    t = np.abs(t) if sides == 2 else t
    if not (t > statistics.quantile(1 - LEVEL / sides, found.freedom)).any():
        return np.zeros(len(pairs), dtype=np.bool_)  # no critical value is lower
    return np.asarray(t > statistics.critical_values(found, LEVEL, sides))


def sequences(
    random: np.random.Generator,
    units: int,
    error: float,
    seeds: int,
    kind: str,
    networks: int,
    *,
    anew: bool = False,
) -> Losses:
    """0 or 1 for each sequence; what is shipped has the same error rate for all.

    ``anew``: only as trained anew, with seeds that are better or worse as a whole.
    """
    shared = np.sqrt(SHARE_OF_UNIT) * random.normal(size=units)
    wrong = []
    for number in range(networks + 1):
        learned = seeds_of(random, seeds, kind) if number else np.zeros(1)
        own = np.sqrt(SHARE_OF_OWN) * random.normal(size=units)
        parts = SHARE_OF_OWN * learned
        each = np.sqrt(parts)[:, None] * random.normal(size=(len(parts), units))
        limit = -special.ndtri(error)
        if anew:
            each = each + (0.5 * np.sqrt(parts) * random.normal(size=len(parts)))[:, None]
        else:
            limit *= np.sqrt(SHARE_OF_UNIT + SHARE_OF_OWN + parts.mean() / len(parts))
        margins = shared + own + each
        alone = (margins > limit).astype(np.float64)
        joined = (margins.mean(0) > limit).astype(np.float64)
        wrong.append(alone if anew else joined[None])
    return [one for one in wrong[1:] if len(one) > 1] if anew else wrong


def overlapped(steps: Array, horizon: int) -> Array:
    """Means over the horizon: (..., steps) to (..., origins)."""
    sums = np.cumsum(steps, axis=-1)
    sums[..., horizon:] = sums[..., horizon:] - sums[..., :-horizon]
    return np.asarray(sums[..., horizon - 1 :] / horizon)


def forecasts(
    random: np.random.Generator,
    units: int,
    horizon: int,
    seeds: int,
    kind: str,
    networks: int,
    *,
    series: int = 1,
    each: bool = False,
) -> Losses:
    """Squares, the mean of 1 and the candidate's own; what is shipped loses the same in truth.

    ``each``: the losses of each seed too, and seeds that are better or worse as a whole.
    """
    steps = units + horizon - 1
    parts = [np.array([0.0]), *(OWN * seeds_of(random, seeds, kind) for _ in range(networks))]
    own = np.array([OWN + part.mean() / len(part) for part in parts])
    if series > 1:
        # The mean over many series of squares is normal: covariance 2 (1 + own)^2 and 2.
        covariance = np.full((len(own), len(own)), 2.0)
        covariance[np.diag_indices_from(covariance)] = 2 * (1 + own) ** 2
        root = np.linalg.cholesky(covariance / series)
        squares = 1 + own[:, None] + root @ random.normal(size=(len(own), steps))
        comes = random.normal(size=steps)
        errors = np.sqrt(own)[:, None] * random.normal(size=(len(own), steps))
        mean = overlapped(0.9 * squares + 0.1 * (comes + errors) ** 2, horizon)
        return list((mean - own[:, None])[:, None])
    comes = random.normal(size=steps)
    if not each:
        errors = np.sqrt(own)[:, None] * random.normal(size=(len(own), steps))
        return list((overlapped((comes + errors) ** 2, horizon) - own[:, None])[:, None])
    losses = []
    for part in parts:
        errors = np.sqrt(OWN) * random.normal(size=steps)
        alone = np.sqrt(part)[:, None] * random.normal(size=(len(part), steps))
        apart = overlapped((comes + errors + alone) ** 2, horizon)
        # Half an error of the units is what one seed is better or worse than another.
        whole = np.sqrt(0.4 * horizon / units * part / OWN) * random.normal(size=len(part))
        losses.append(apart + whole[:, None])
    return losses[1:]


def rate(
    simulate: partial[Losses],
    horizon: int | None,
    trials: int,
    *,
    sides: int = 1,
    better: float = 0.0,
    which: Sequence[int] = (),
    pair: int | None = None,
) -> float:
    """How often any pair, or one of them, is told apart, some candidates being ``better``."""
    seed = zlib.crc32(repr(sorted(simulate.keywords.items())).encode())
    random = np.random.default_rng(seed)  # each cell its own
    found = total = 0
    for _ in range(2):
        for _ in range(trials if total == 0 else 4 * trials):
            losses = simulate(random)
            for one in which:
                losses[one] = losses[one] - better
            apart = told_apart(losses, horizon, sides)
            found += bool(apart.any() if pair is None else apart[pair])
            total += 1
        if better or found <= LEVEL * total:
            break
    return found / total


def false_of_sequences(trials: int) -> Iterator[str]:
    for units, error, seeds, kind in itertools.product(
        (50, 150, 1000), (0.02, 0.2), (3, 5), PARTS_OF_SEEDS
    ):
        simulate = partial(
            sequences, units=units, error=error, seeds=seeds, kind=kind, networks=NETWORKS
        )
        first = rate(simulate, None, trials)
        second = rate(partial(simulate, anew=True), None, trials, sides=2)
        cell = f"{units:5} sequences, error {error:4.0%}, {seeds} seeds, {kind:10}"
        yield f"{cell} {first:6.1%} {second:6.1%}"


def false_of_forecasts(trials: int) -> Iterator[str]:
    for units, horizon, series, seeds, kind in itertools.product(
        (50, 500, 3000), (12, 24, 96), (1, 100), (3, 5), list(PARTS_OF_SEEDS)[:4]
    ):
        cell = f"{units:5} windows, horizon {horizon}, {series:3} series, {seeds} seeds, {kind:10}"
        if not statistics.enough(units, horizon):
            yield f"{cell} never"
            continue
        simulate = partial(
            forecasts,
            units=units,
            horizon=horizon,
            series=series,
            seeds=seeds,
            kind=kind,
            networks=NETWORKS,
        )
        yield f"{cell} {rate(simulate, horizon, trials):6.1%}"


def power_of_first(trials: int) -> Iterator[str]:
    """Networks truly better by so many true standard errors of the difference."""
    for networks in (1, 3, 5):
        simulate = partial(
            forecasts, units=POWER_UNITS, horizon=STEPS, seeds=3, kind="equal", networks=networks
        )
        error = true_error(simulate)
        for which in {(*range(1, networks + 1),): "all", (1,): "one"}.items():
            rates = [
                rate(simulate, STEPS, trials, better=many * error, which=which[0])
                for many in (2, 3)
            ]
            who = f"{networks} networks, {which[1]} better"
            yield f"{who}: {rates[0]:4.0%} at 2, {rates[1]:4.0%} at 3"


def power_of_second(trials: int) -> Iterator[str]:
    """The first network truly better than the others by three true standard errors."""
    for networks, kind, seeds in itertools.product((2, 3, 5), list(PARTS_OF_SEEDS)[:4], (3, 5)):
        simulate = partial(
            forecasts,
            units=POWER_UNITS,
            horizon=STEPS,
            seeds=seeds,
            kind=kind,
            networks=networks,
            each=True,
        )
        ahead = 3 * true_error(simulate)
        false = rate(simulate, STEPS, trials, sides=2)
        seen = rate(simulate, STEPS, trials, sides=2, better=ahead, which=(0,), pair=0)
        cell = f"{networks} networks, {seeds} seeds, {kind:10}"
        yield f"{cell}: {false:5.1%} with none, {seen:4.0%} at 3 standard errors"


def true_error(simulate: Callable[[np.random.Generator], Losses]) -> float:
    """The standard error of a difference, over simulations."""
    random = np.random.default_rng(1)
    drawn = [simulate(random) for _ in range(1000)]
    return float(np.std([losses[1].mean() - losses[0].mean() for losses in drawn]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    statistics.DRAWS, statistics.FLIPS = 4000, 1000  # noise that averages out over trials
    for title, lines in (
        (f"The first question, {POWER_UNITS} windows of {STEPS} steps", power_of_first),
        ("False: a network for forecasts", false_of_forecasts),
        ("False: a network for sequences; two networks told apart", false_of_sequences),
        (f"The second question, {POWER_UNITS} windows of {STEPS} steps", power_of_second),
    ):
        print(f"\n{title}\n")
        for line in lines(trials):
            print(line, flush=True)


if __name__ == "__main__":
    main()
