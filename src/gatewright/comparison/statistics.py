"""What the losses of some models on a test part say of others like it: errors, critical values.

A difference of mean losses varies with the units it was measured on, sequences or forecast origins,
and, where the claim is about networks that are trained anew, with their seeds:

    variance(difference of means) = units + seeds - interaction

``units``: of the seed-averaged difference over units; ``seeds``: of the seeds' means, each
candidate its own, as one seed number gives two candidates the same order of the data but unrelated
weights; ``interaction``: what both contain (two-way random effects: Searle, Casella and McCulloch
1992, Variance Components). Each is estimated without bias; the degrees of freedom are those of
Satterthwaite 1946, An approximate distribution of estimates of variance components.

Several differences are tested at once by the largest of their t (Dunnett 1955, A multiple
comparison procedure for comparing several treatments with a control; Hothorn, Bretz and Westfall
2008, Simultaneous inference in general parametric models). docs/compare.md derives all of it, and
benchmarks/verdict_power.py shows by simulation what it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

DRAWS = 10_000  # of the differences, for the critical value of the largest
FLIPS = 2000  # patterns of signs
LEAST_PARTS = 3  # of a long-run variance
ALLOWED = 0.9  # of a level, by Student's distribution: the means of skewed losses are not normal
LEAST_STRETCHES = 3  # of the horizon: fewer leave no cosine that the losses' overlap does not hide
POWER = 0.8  # with which a difference is to be seen
SMALLEST = 1e-12  # of a loss: differences below are those of rounding


@dataclass(frozen=True)
class Contrasts:
    """Differences of two mean losses, the second less the first.

    ``values``, standard ``errors``, degrees of ``freedom``: (contrasts,); ``correlation`` of the
    values: (contrasts, contrasts). ``of_units``, ``of_seeds``: (contrasts,), the parts of the
    variance that more units and more seeds make less. ``varies``: (contrasts,), false where two
    candidates lose the same, or one more by the same, everywhere. ``independent``: (units,
    contrasts), the differences of units, where these are independent.
    """

    values: Array
    errors: Array
    freedom: Array
    correlation: Array
    of_units: Array
    of_seeds: Array
    varies: NDArray[np.bool_]
    independent: Array | None


def _special() -> ModuleType:
    from scipy import special

    functions: ModuleType = special
    return functions


def quantile(probability: Array | float, freedom: Array | float) -> Array:
    """Of Student's distribution."""
    return np.asarray(_special().stdtrit(freedom, probability), dtype=np.float64)


def group_sums(values: Array, groups: Integers) -> Array:
    """Sums over the units of each group: (..., units) to (..., groups).

    ``groups``: (units,), numbers from 0 that leave none out.
    """
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(groups.max() + 1))
    return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1), dtype=np.float64)


def grouped(candidate: Array, groups: Integers) -> Array:
    """(seeds, units) to (seeds, groups), with the same means over the last.

    Each group's sum is taken from the mean for its size, so that sizes add no variance.
    """
    mean = candidate.mean()
    share = (groups.max() + 1) / candidate.shape[1]
    return np.asarray(group_sums(candidate - mean, groups) * share + mean, dtype=np.float64)


def enough(units: int, horizon: int | None) -> bool:
    """Whether there are units to test anything with; ``horizon``: None for independent ones."""
    least = 2 if horizon is None else max(LEAST_STRETCHES * horizon, LEAST_PARTS + 1)
    return units >= least


def memory(differences: Array, horizon: int) -> Array:
    """How much a stretch of ``horizon`` origins resembles the next beyond overlap: (pairs,).

    ``differences``: (units, pairs). The autocorrelation of an autoregression at a lag of
    ``horizon`` that has the mean of those seen at as many lags from there on. At one lag a cycle
    of losses looks like memory; over whole cycles its autocorrelations cancel, as it does not make
    a mean over them less certain. Less one standard error: chance should cost no freedom.
    """
    units = len(differences)
    window = max(horizon, int(np.ceil(units ** (1 / 3))))
    centred = differences - differences.mean(0)
    spectrum = np.abs(np.fft.rfft(centred, 2 * units, axis=0)) ** 2
    sums = np.fft.irfft(spectrum, axis=0)[: min(horizon + window, units)]
    scale = np.where(sums[0] > 0, sums[0], 1)
    seen = (sums[horizon:] / scale).mean(0) - horizon / np.sqrt(window * units)
    possible = np.linspace(0, 0.98, 99)
    lags = np.arange(horizon, min(horizon + window, units)) / horizon
    return np.asarray(np.interp(seen, (possible[:, None] ** lags).mean(1), possible))


def part_counts(differences: Array, horizon: int) -> Integers:
    """How many slow cosines measure the variance of each difference of means: (pairs,).

    ``differences``: (units, pairs), units being origins. As many as Lazarus, Lewis, Stock and
    Watson 2018, HAR Inference: Recommendations for Practice, advise, but at most half a cosine for
    each stretch of ``horizon``: losses of so many steps overlap, and faster ones tell little of the
    mean. Where losses have a ``memory`` beyond, stretches are longer.
    """
    units = len(differences)
    advised = max(2 * int(units ** (1 / 3)), int(0.4 * units ** (2 / 3)))
    again = memory(differences, horizon)
    stretches = horizon * np.sqrt(1 + 12 * again / (1 - again) ** 2)
    counts = np.minimum(advised, (units / (2 * stretches)).astype(np.int64))
    return np.maximum(counts, LEAST_PARTS)


def unit_parts(losses: Array, horizon: int | None, count: int) -> Array:
    """(..., units) to (..., parts): independent, of mean zero, squares like the mean's variance.

    For independent units (``horizon`` None) they are the centred losses, whose squares add up to
    the variance times units - 1. For forecast origins, the first ``count`` cosine transforms, each
    of whose squares estimates the variance (Mueller 2007, A theory of robust long-run variance
    estimation; for forecasts Coroneo and Iacone 2020, Comparing predictive accuracy in small
    samples using fixed-smoothing asymptotics). Each is divided by what the overlap of ``horizon``
    losses leaves of it, so that without other memory the variance has no bias.
    """
    units = losses.shape[-1]
    if horizon is None:
        return np.asarray((losses - losses.mean(-1, keepdims=True)) / np.sqrt(units))
    return np.asarray(losses @ _cosines(units, horizon, count))


@lru_cache(maxsize=8)
def _cosines(units: int, horizon: int, count: int) -> Array:
    """(units, count): what makes parts of losses."""
    steps = np.arange(units) + 0.5
    cosines = np.cos(np.pi * np.outer(steps, np.arange(count + 1)) / units)
    # What is left of each in losses that sum over a horizon of independent steps; of a mean, all.
    sums = np.cumsum(np.pad(cosines, ((0, horizon - 1), (0, 0))), axis=0)
    sums[horizon:] -= sums[:-horizon].copy()
    left = (sums**2).sum(0)
    return np.asarray(cosines[:, 1:] * np.sqrt(left[0] / left[1:]) / units)


def contrasts(
    losses: Sequence[Array],
    pairs: Sequence[tuple[int, int]],
    horizon: int | None,
    *,
    with_seeds: bool,
) -> Contrasts:
    """The difference of each pair's mean losses, and how well it is known.

    ``losses``: (seeds, units) of each candidate, the mean over seeds being of what is shipped.
    ``horizon``: how many units in a row share a step, None for independent units. ``with_seeds``:
    whether the networks are to be trained anew, or these alone are spoken of.

    The seeds' variance enters the degrees of freedom at 1 + 2 / (seeds - 1) times its estimate:
    that is its relative variance more. Where few seeds by chance agree, their share is
    underestimated together with the standard error.
    """
    averages = np.stack([candidate.mean(0) for candidate in losses], axis=1)
    units = len(averages)
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    differences = averages[:, second] - averages[:, first]
    counts, fewer = np.full(len(pairs), units), 1
    if horizon is not None:
        counts, fewer = part_counts(differences, horizon), 0
    most = int(counts.max())
    parts = [unit_parts(candidate, horizon, most) for candidate in losses]
    means = np.stack([part.mean(0) for part in parts])
    of_units, of_seeds, freedom = np.empty((3, len(pairs)))
    for number, (pair, count) in enumerate(zip(pairs, counts, strict=True)):
        known = int(count) - fewer
        units_variance = ((means[pair[1]] - means[pair[0]])[:count] ** 2).sum() / known
        found = [_seeds(losses[one], parts[one][:, :count], known) for one in pair if with_seeds]
        of_units[number], of_seeds[number] = units_variance, sum(alone for alone, _, _ in found)
        likely = units_variance + sum(larger for _, larger, _ in found)
        unsure = units_variance**2 / known + sum(square for _, _, square in found)
        freedom[number] = max(1.0, likely**2 / unsure) if unsure > 0 else known
    values = differences.mean(0)
    largest = np.array([np.abs(candidate).max() for candidate in losses])
    rounding = SMALLEST * (largest[first] + largest[second]) + 1e-150
    values[np.abs(values) <= rounding] = 0
    variances = of_units + of_seeds
    # Few parts say little of correlations; those of single units are many.
    centred = differences - differences.mean(0)
    together = centred.T @ centred
    together *= np.sqrt(np.outer(of_units, of_units)) / _scales(together)
    if with_seeds:
        every = zip(losses, parts, strict=True)
        alone = np.array([_seeds(one, part, most - fewer)[0] for one, part in every])
        weights = np.eye(len(losses))[second] - np.eye(len(losses))[first]
        together += weights * alone @ weights.T
    return Contrasts(
        values=values,
        errors=np.sqrt(np.maximum(variances, rounding**2)),
        freedom=freedom,
        correlation=together / _scales(together),
        of_units=of_units,
        of_seeds=of_seeds,
        varies=variances > rounding**2,
        independent=differences if horizon is None else None,
    )


def _scales(covariance: Array) -> Array:
    """What turns covariances into correlations."""
    deviations = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    return np.outer(deviations, deviations)


def _seeds(candidate: Array, parts: Array, known: int) -> tuple[float, float, float]:
    """The variance that seeds alone add to a mean loss; the same where they agree by chance; the
    square of how unsure it is."""
    seeds = len(candidate)
    repeats = seeds - 1
    if not repeats:
        return 0.0, 0.0, 0.0
    spread = float(((candidate.mean(1) - candidate.mean()) ** 2).sum() / repeats / seeds)
    mixed = float(((parts - parts.mean(0)) ** 2).sum() / (repeats * known * seeds))
    larger = spread * (1 + 2 / repeats)
    unsure = larger**2 / repeats + mixed**2 / (repeats * known)
    return max(spread - mixed, 0.0), max(larger - mixed, 0.0), unsure


def critical_values(found: Contrasts, level: float, sides: int, seed: int = 0) -> Array:
    """How many standard errors each difference has to exceed, so that none does by chance.

    (contrasts,): Student's quantile of one probability for all, which the least likely of their t
    falls short of in a share ``level`` of draws with their correlation and degrees of freedom, or
    nine tenths of that, as losses are skewed; of independent units no less than
    ``flipped_critical``. Variances that are estimated from values with a correlation are
    correlated by its square. ``sides``: 1, only differences above zero count; or 2. Differences
    that do not vary count for nothing.
    """
    chance, several = ALLOWED * level, found.varies
    if several.sum() > 1:
        freedom, correlation = found.freedom[several], found.correlation[np.ix_(several, several)]
        random = np.random.default_rng(seed)
        normal = random.normal(size=(DRAWS, len(freedom))) @ _root(correlation)
        other = random.normal(size=(DRAWS, len(freedom))) @ _root(correlation**2)
        special = _special()
        variances = special.gammaincinv(freedom / 2, special.ndtr(other)) * 2 / freedom
        drawn = normal / np.sqrt(variances)
        if sides == 2:
            drawn = np.abs(drawn)
        chance = float(np.quantile((sides * special.stdtr(freedom, -drawn)).min(1), chance))
    critical = quantile(1 - chance / sides, found.freedom)
    if found.independent is not None:
        critical = np.maximum(critical, flipped_critical(found.independent, level, sides, seed))
    return critical


def _root(correlation: Array) -> Array:
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def visible(
    found: Contrasts,
    number: int,
    critical: float,
    *,
    units: Array | float = 1.0,
    seeds: Array | float = 1.0,
) -> Array:
    """The least true difference that is told apart with a chance of ``POWER``.

    ``number``: which contrast; ``critical``: its critical value now; ``units``, ``seeds``: how many
    times as many as now, either of any shape, which the result has. More of either is taken to
    bring as many degrees of freedom.
    """
    variance = found.of_units[number] / units + found.of_seeds[number] / seeds
    freedom = found.freedom[number]
    more = freedom * units * seeds
    chance = float(_special().stdtr(freedom, -critical))
    return np.asarray((quantile(POWER, more) - quantile(chance, more)) * np.sqrt(variance))


def flipped_critical(differences: Array, level: float, sides: int, seed: int = 0) -> float:
    """What the largest t of ``differences`` (units, contrasts) exceeds by chance at most so often.

    The wild bootstrap: if no candidate is better, the sign of each unit's differences is a coin.
    Signs are drawn and each t computed anew: exact for one symmetric difference however few units
    (or groups) there are, and for rare ones, such as two error rates that differ on four sequences,
    where Student's distribution is not (McNemar 1947; Cameron, Gelbach and Miller 2008,
    Bootstrap-based improvements for inference with clustered errors; Canay, Romano and Shaikh 2017,
    Randomization tests under an approximate symmetry assumption).
    """
    units = len(differences)
    lengths = np.sqrt((differences**2).sum(0))
    directions = (differences / np.where(lengths > 0, lengths, 1)).T
    random = np.random.default_rng(seed)
    drawn = np.frombuffer(random.bytes(FLIPS * ((units + 7) // 8)), np.uint8).reshape(FLIPS, -1)
    heads = np.unpackbits(drawn, axis=1, count=units).astype(np.float32)
    # einsum keeps to one thread: on a busy machine a pool of them takes fifty times as long.
    sums = np.einsum("fu,pu->fp", heads, np.ascontiguousarray(directions, dtype=np.float32))
    sums = 2 * sums - directions.sum(1)
    left = units - sums**2
    some = left > 1e-5 * units  # of 32-bit sums; nothing is left where all units have one sign
    flipped = np.where(sums > 0, np.inf, -np.inf)
    flipped[some] = sums[some] * np.sqrt((units - 1) / left[some])
    largest = (np.abs(flipped) if sides == 2 else flipped).max(1)
    # An observed t is among those that flips can give, but for rounding.
    return float(np.quantile(largest, 1 - level, method="higher")) * (1 + 1e-5)
