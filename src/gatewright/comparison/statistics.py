"""What the losses of a few trained networks say about others: tests, intervals, confidence sets.

A loss depends on what the network was tested on and on the seed it was trained with, so that the
mean loss of a candidate varies with both:

    variance(difference of means) = units + seeds - interaction

``units``: of the seed-averaged difference over test sequences or forecast origins; ``seeds``: of
the seeds' means, each candidate its own, as one seed number gives two candidates the same order of
the data but unrelated weights; ``interaction``: what both contain (two-way random effects: Searle,
Casella and McCulloch 1992, Variance Components). A percentile bootstrap over rows and columns
(Owen 2007, The pigeonhole bootstrap) has neither the right variance nor the right tails with three
to five seeds: it shrinks the seeds' variance by (seeds - 1) / seeds, counts the interaction more
than once, and has normal tails where Student's are due. The parts are therefore estimated without
bias, and the degrees of freedom come from Satterthwaite 1946, An approximate distribution of
estimates of variance components.

Units are made independent first, by a linear map (``unit_parts``), so that both kinds of test parts
go through the same formulas. A second test, which knows nothing of seeds but assumes less, has to
agree: signs flipped for sequences, Diebold and Mariano's for forecast origins.

What this cannot do: few seeds and few stretches of the horizon are few degrees of freedom. A
difference of three standard errors is found in at least three of four cases where there are ten or
more of them. A network of three seeds against a baseline without any, seeds being the larger part,
has two: four of ten cases; five seeds, two of three; ten seeds, eight of ten. 200 origins of 24
steps: two of three; 60 origins of 12 steps: half. Where there is no difference, one is found in 2
to 7% of cases at a level of 5% (tests/comparison/test_statistics.py simulates all this).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLIPS = 2000  # patterns of signs
BOOTSTRAPS = 1000  # resamples for the model confidence set
POWER = 0.8  # with which a difference is to be seen
SMALLEST = 1e-12  # of a loss: differences below are those of rounding
FAR = 1e8  # times another loss: what has diverged


@dataclass(frozen=True)
class Means:
    """The mean losses of the candidates and where their variance comes from.

    ``values``, ``seeds_variance``, ``interaction``, ``seeds``, ``rounding``: (candidates,);
    ``units_covariance``: (candidates, candidates), of the means, with ``freedom`` degrees of
    freedom. Variances are zero for a candidate of one seed.
    """

    values: Array
    units_covariance: Array
    seeds_variance: Array
    interaction: Array
    seeds: Array
    rounding: Array
    freedom: int

    @property
    def covariance(self) -> Array:
        """(candidates, candidates): of the mean losses, with units and seeds both drawn anew."""
        alone = np.maximum(self.seeds_variance - self.interaction, 0)
        return np.asarray(self.units_covariance + np.diag(alone), dtype=np.float64)


@dataclass(frozen=True)
class Contrasts:
    """Weighted sums of mean losses: ``values``, their standard ``errors``, degrees of ``freedom``.

    All of shape (contrasts,).
    """

    values: Array
    errors: Array
    freedom: Array

    @property
    def p(self) -> Array:
        """(contrasts,): two-sided, for a true value of zero."""
        return two_sided(self.values / self.errors, self.freedom)


def _special() -> ModuleType:
    from scipy import special

    functions: ModuleType = special
    return functions


def two_sided(statistic: Array, freedom: Array | int) -> Array:
    """The share of Student's distribution at least as far from zero as ``statistic``."""
    return np.asarray(2 * _special().stdtr(freedom, -np.abs(statistic)), dtype=np.float64)


def quantile(probability: Array | float, freedom: Array | float) -> Array:
    """Of Student's distribution."""
    return np.asarray(_special().stdtrit(freedom, probability), dtype=np.float64)


def group_sums(values: Array, groups: NDArray[np.int64]) -> Array:
    """Sums over the units of each group: (..., units) to (..., groups).

    ``groups``: (units,), numbers from 0 that leave none out.
    """
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(groups.max() + 1))
    return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1), dtype=np.float64)


def grouped(candidate: Array, groups: NDArray[np.int64]) -> Array:
    """(seeds, units) to (seeds, groups), with the same means over the last.

    Each group's sum is taken from the mean for its size, so that sizes add no variance.
    """
    mean = candidate.mean()
    share = (groups.max() + 1) / candidate.shape[1]
    return np.asarray(group_sums(candidate - mean, groups) * share + mean, dtype=np.float64)


def smooth_parts(units: int, horizon: int, differences: Array) -> int:
    """How many slow cosines measure the variance of a mean over forecast origins; 0: too few units.

    ``differences``: (units, pairs). As many as Lazarus, Lewis, Stock and Watson 2018, HAR
    Inference: Recommendations for Practice, advise, but none so fast that the losses' overlap
    hides it: losses of ``horizon`` steps each overlap, so their spectrum, 1 - (horizon *
    frequency)^2 / 12 and so on, is flat only below; half a cosine per stretch of ``horizon`` keeps
    the variance's bias under 7%. Losses that resemble the next stretch's without sharing a step
    have a steeper spectrum, like that of an autoregression, and get fewer.
    """
    if units < 2 * horizon:
        return 0
    advised = max(2 * int(units ** (1 / 3)), int(0.4 * units ** (2 / 3)))
    centred = differences - differences.mean(0)
    squares = (centred**2).sum(0)
    products = (centred[horizon:] * centred[:-horizon]).sum(0)
    repeated = products[squares > 0] / squares[squares > 0]
    # Less one standard error: chance alone should not cost degrees of freedom.
    memory = float(np.clip(np.max(repeated, initial=0) - np.sqrt(horizon / units), 0, 0.98))
    stretch = horizon * np.sqrt(1 + 12 * memory / (1 - memory) ** 2)
    return max(1, min(advised, int(units / (2 * stretch))))


def unit_parts(losses: Array, freedom: int, *, overlapping: bool) -> Array:
    """(..., units) to (..., parts): independent, of mean zero, squares adding up to the variance.

    The sum of their squares over ``freedom`` estimates the variance of the mean over units. For
    independent units they are the centred losses; for forecast origins, whose losses ``overlap``,
    the first ``freedom`` cosine transforms (Mueller 2007, A theory of robust long-run variance
    estimation; for forecasts Coroneo and Iacone 2020, Comparing predictive accuracy in small
    samples using fixed-smoothing asymptotics), which never give a negative variance.
    """
    units = losses.shape[-1]
    if not overlapping:
        centred: Array = losses - losses.mean(-1, keepdims=True)
        return np.asarray(centred / np.sqrt(units), dtype=np.float64)
    steps = np.arange(units) + 0.5
    cosines = np.cos(np.pi * np.outer(steps, np.arange(1, freedom + 1)) / units)
    return np.asarray(losses @ cosines * (np.sqrt(2) / units), dtype=np.float64)


def estimate(losses: Sequence[Array], freedom: int, *, overlapping: bool) -> Means:
    """Means and variances from ``losses``, one (seeds, units) for each candidate.

    ``freedom``: units - 1, or for ``overlapping`` units ``smooth_parts``.
    """
    averages, spreads, interactions = [], [], []
    for candidate in losses:
        seeds = len(candidate)
        parts = unit_parts(candidate, freedom, overlapping=overlapping)
        averages.append(parts.mean(0))
        repeats = max(seeds - 1, 1)
        spreads.append(((candidate.mean(1) - candidate.mean()) ** 2).sum() / repeats / seeds)
        interactions.append(((parts - parts.mean(0)) ** 2).sum() / (repeats * freedom * seeds))
    average = np.stack(averages)
    return Means(
        values=np.array([candidate.mean() for candidate in losses]),
        units_covariance=average @ average.T / freedom,
        seeds_variance=np.array(spreads),
        interaction=np.array(interactions),
        seeds=np.array([len(candidate) for candidate in losses], dtype=np.float64),
        rounding=np.array([SMALLEST * np.abs(candidate).max() + 1e-150 for candidate in losses]),
        freedom=freedom,
    )


def contrasts(means: Means, weights: Array) -> Contrasts:
    """Weighted sums of mean losses; ``weights``: (contrasts, candidates).

    Satterthwaite's degrees of freedom, but with the seeds' variance at 1 + 2 / (seeds - 1) times
    its estimate: that is its relative variance more. Where few seeds by chance agree, their share
    is underestimated together with the standard error; with the plain formula three seeds against
    a baseline gave 8% of false findings at a level of 5%.
    """
    squares = weights**2
    values = weights @ means.values
    rounding = np.abs(weights) @ means.rounding
    values[np.abs(values) <= rounding] = 0
    variance = np.einsum("pc,cd,pd->p", weights, means.covariance, weights)
    errors = np.sqrt(np.maximum(variance, rounding**2))
    repeats = np.maximum(means.seeds - 1, 1)
    spread = means.seeds_variance * (1 + 2 / repeats)
    units = np.einsum("pc,cd,pd->p", weights, means.units_covariance, weights)
    numerator = (units + squares @ np.maximum(spread - means.interaction, 0)) ** 2
    noise = spread**2 / repeats + means.interaction**2 / (repeats * means.freedom)
    denominator = units**2 / means.freedom + squares**2 @ noise
    known = (variance > rounding**2) & (denominator > 0)
    freedom = np.full(len(values), float(means.freedom))
    freedom[known] = numerator[known] / denominator[known]
    return Contrasts(values, errors, np.maximum(freedom, 1))


def visible(
    means: Means, weights: Array, difference: float, seeds: Array, times: Array, level: float
) -> NDArray[np.bool_]:
    """(cases,): would a true ``difference`` be seen at ``level``, with a chance of ``POWER``.

    With ``seeds`` (cases,) of each candidate that has several now, and ``times`` (cases,) the test
    part, of the contrast ``weights`` (candidates,).
    """
    several = (weights != 0) & (means.seeds > 1)
    squares = weights[several] ** 2
    now = means.seeds[several]
    mixed = squares * means.interaction[several] * now
    alone = squares * np.maximum((means.seeds_variance - means.interaction)[several] * now, 0)
    units = max(float(weights @ means.units_covariance @ weights - (mixed / now).sum()), 0.0)
    of_units = units / times + mixed.sum() / seeds / times
    of_seeds = alone.sum() / seeds
    variance = of_units + of_seeds
    denominator = of_units**2 / (means.freedom * times)
    denominator = denominator + (alone**2).sum() / seeds**2 / np.maximum(seeds - 1, 1)
    freedom = np.divide(variance**2, denominator, where=denominator > 0, out=np.ones_like(times))
    distance = quantile(1 - level / 2, freedom) + quantile(POWER, freedom)
    return np.asarray(distance * np.sqrt(variance) <= difference)


def sign_flips(
    differences: Array, statistics: Array, level: float, seed: int
) -> tuple[Array, Array]:
    """The wild bootstrap for ``differences`` (units, pairs): (p, critical value) of each pair.

    If neither candidate is better, the sign of each unit's difference is a coin. Signs are drawn
    and Student's statistic computed anew: exact for symmetric differences however few units (or
    groups) there are, and for rare ones, such as two error rates that differ on four sequences,
    where Student's distribution is not (Cameron, Gelbach and Miller 2008, Bootstrap-based
    improvements for inference with clustered errors; Canay, Romano and Shaikh 2017, Randomization
    tests under an approximate symmetry assumption). ``statistics``: (pairs,), as observed.
    """
    units = len(differences)
    lengths = np.sqrt((differences**2).sum(0))
    directions = np.divide(differences, lengths, where=lengths > 0, out=np.zeros_like(differences))
    random = np.random.default_rng(seed)
    drawn = np.frombuffer(random.bytes(FLIPS * ((units + 7) // 8)), np.uint8).reshape(FLIPS, -1)
    heads = np.unpackbits(drawn, axis=1, count=units).astype(np.float32)
    # einsum keeps to one thread: on a busy machine a pool of them takes fifty times as long.
    sums = np.einsum("fu,pu->fp", heads, np.ascontiguousarray(directions.T, dtype=np.float32))
    sums = np.abs(2 * sums - directions.sum(0))
    left = units - sums**2
    some = left > 1e-5 * units  # of 32-bit sums; nothing is left where all units have one sign
    flipped = np.full(sums.shape, np.inf)
    flipped[some] = sums[some] * np.sqrt((units - 1) / left[some])
    # An observed statistic is among those that flips can give, but for rounding.
    p = (flipped >= np.abs(statistics) * (1 - 1e-5)).mean(0)
    critical = np.quantile(flipped, 1 - level, axis=0, method="higher")
    return p, critical


def diebold_mariano(differences: Array, horizon: int) -> tuple[Array, Array]:
    """Diebold and Mariano's statistic and p for ``differences`` (units, pairs), both (pairs,).

    With the correction of Harvey, Leybourne and Newbold 1997, Testing the equality of prediction
    mean squared errors: the variance counts ``horizon - 1`` autocovariances alike, the statistic is
    multiplied by sqrt((n + 1 - 2 h + h (h - 1) / n) / n), and Student's distribution with n - 1
    degrees of freedom is used. NaN where that variance is not positive, which it need not be when
    the horizon is long, and where there are not more units than ``horizon``.
    """
    units, pairs = differences.shape
    undefined = np.full(pairs, np.nan)
    if units <= horizon:
        return undefined, undefined
    means = differences.mean(0)
    centred = differences - means
    variance = (centred**2).mean(0)
    smallest = (SMALLEST * np.abs(differences).max(0)) ** 2
    for lag in range(1, horizon):
        variance = variance + 2 * (centred[lag:] * centred[:-lag]).sum(0) / units
    known = variance > smallest
    correction = (units + 1 - 2 * horizon + horizon * (horizon - 1) / units) / units
    errors = np.sqrt(np.where(known, variance, 1) / units / correction)
    statistic = np.where(known, means / errors, np.nan)
    return statistic, two_sided(statistic, units - 1)


def holm(p: Array) -> Array:
    """``p`` of each test adjusted for their number (Holm 1979, A simple sequentially rejective...).

    The smallest times their number, the next times one less and so on, never below the one before.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result


def ratio_interval(
    values: tuple[float, float], covariance: Array, critical: float
) -> tuple[float, float] | None:
    """Interval of a ratio of two means (Fieller 1954, Some problems in interval estimation).

    It holds 1 exactly if ``critical`` standard errors round the difference hold 0. None where the
    divisor is not told from zero: the interval would have no end.
    """
    above, below = values
    if not np.isfinite(critical) or below <= 0:
        return None
    square = critical**2
    quadratic = below**2 - square * covariance[1, 1]
    if quadratic <= 1e-9 * below**2:
        return None
    middle = above * below - square * covariance[0, 1]
    root = middle**2 - quadratic * (above**2 - square * covariance[0, 0])
    half = float(np.sqrt(max(root, 0.0)))
    # A loss is an error: its ratio to another is never below zero.
    return max(0.0, float((middle - half) / quadratic)), float((middle + half) / quadratic)


def model_confidence_set(losses: Array, block: int, size: float, seed: int) -> list[int]:
    """Which columns of ``losses`` (units, candidates) may have the lowest mean.

    Hansen, Lunde and Nason 2011, The model confidence set, with the statistic of ranges and a
    circular block bootstrap of ``block`` units. Columns that differ by rounding only stand or fall
    together.
    """
    from arch.bootstrap import MCS

    largest = np.abs(losses).max(0)
    rounding = SMALLEST * largest
    # Beside a loss this far off, others look alike, which arch takes to be worse together.
    lowest = largest[losses.mean(0).argmin()]
    near = largest <= (FAR * lowest if lowest > 0 else np.inf)
    kept: list[int] = []
    twin_of = []
    columns: list[int] = np.flatnonzero(near).tolist()
    for column in columns:
        gaps = np.abs(losses[:, kept] - losses[:, [column]]).max(0) if kept else np.empty(0)
        twins = np.flatnonzero(gaps <= np.maximum(rounding[kept], rounding[column]))
        twin_of.append(kept[twins[0]] if len(twins) else column)
        if not len(twins):
            kept.append(column)
    if len(kept) == 1:
        return columns
    # A difference that is the same for all units has no variance, by which arch would divide.
    noise = np.random.default_rng(seed).normal(size=(len(losses), len(kept)))
    shaken = losses[:, kept] + noise * (1e-9 * np.abs(losses[:, kept]).mean(0) + 1e-150)
    test = MCS(
        shaken, size=size, reps=BOOTSTRAPS, block_size=block, bootstrap="circular", seed=seed
    )
    test.compute()
    included = {kept[int(str(number))] for number in test.included}
    return [column for column, twin in zip(columns, twin_of, strict=True) if twin in included]
