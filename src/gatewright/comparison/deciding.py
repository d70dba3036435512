"""How the verdict is reached: the tests of all pairs, and what follows from them.

Two candidates are told apart where two tests agree after Holm's adjustment for all pairs, and, for
a pair with the candidate of the lowest mean loss, the other is outside the 90% model confidence
set too. The two tests are Student's with the variance of seeds and units, and a second one: for
sequences, signs flipped at random; for forecast origins, Diebold and Mariano's. ``statistics`` says
where each comes from, and what it cannot do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.comparison import sentences, statistics
from gatewright.comparison.statistics import Array
from gatewright.comparison.verdict import Interval, Needed, Pair, Placing, Verdict

SET_SIZE = 0.1  # the model confidence set misses the candidate of the lowest loss this often
VISIBLE = 0.02  # the relative difference that ``Needed`` is about
MOST_SEEDS = 1000
MOST_TIMES = 1000.0  # the test part, or the whole comparison
MOST_GROUPS = 4096  # beyond that, neighbouring sequences count as one: no test gets better
LARGEST = 1e100  # a loss; its square is still a number


@dataclass(frozen=True)
class _Tests:
    """What the tests of all pairs gave; arrays of shape (pairs,) unless said."""

    units: int  # groups, where given
    overlapping: bool
    enough: bool  # units to test anything with
    means: statistics.Means
    differences: statistics.Contrasts
    p: Array
    p_diebold_mariano: Array  # NaN where not defined
    critical: Array  # standard errors on either side of a difference that make its interval
    own: Array  # (candidates,): half the interval of each mean loss
    possible: frozenset[int]  # the model confidence set


def decide(
    losses: Mapping[str, NDArray[np.float64]],
    *,
    unit: str,
    overlapping: bool,
    horizon: int = 1,
    baselines: Collection[str],
    metric: str,
    titles: Mapping[str, str],
    groups: Sequence[Hashable] | None = None,
    level: float = 0.05,
    seed: int = 0,
) -> Verdict:
    """The verdict on ``losses``: candidate -> (seeds, units), lower being better.

    Units are test sequences, or forecast origins in the order of time. ``horizon``: how many
    origins in a row have losses that share a step, which is the forecasts' length in steps where
    origins are one step apart. ``groups``: the group of each sequence; those of one group are
    related, as the recordings of one patient are. ``baselines``: the names of those that are not
    recurrent networks. ``titles``: what to call a candidate; its name if not given. ``metric``:
    "mean squared error". ``level``: of the tests; the intervals are at 1 - ``level``. ``seed``: of
    flips and bootstraps.

    ValueError: no candidates, losses of other shapes, or one that is not finite, named.
    """
    arrays = {name: np.asarray(candidate, np.float64) for name, candidate in losses.items()}
    numbers = _checked(arrays, unit, overlapping, horizon, groups)
    # Of two that lose alike, the baseline comes first.
    names = sorted(arrays, key=lambda name: (float(arrays[name].mean()), name not in baselines))
    rank_pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    ordered = [arrays[name] for name in names]
    tests = _tests(ordered, rank_pairs, overlapping, horizon, numbers, level, seed)
    pairs = tuple(_pairs(names, rank_pairs, tests, level))
    best_baseline = next((name for name in names if name in baselines), None)
    best_recurrent = next((name for name in names if name not in baselines), None)
    better = [pair.lower for pair in pairs if pair.told_apart and pair.higher == best_baseline]
    close = [pair.higher for pair in pairs if pair.lower == names[0] and not pair.told_apart]
    single = tuple(name for name in names if name not in baselines and len(arrays[name]) == 1)
    doubtful, needed = _doubtful(pairs, best_recurrent, best_baseline), None
    if tests.enough and doubtful and not {doubtful.lower, doubtful.higher} & set(single):
        needed = _needed(doubtful, names, tests, level / len(pairs))
    verdict = Verdict(
        unit=unit,
        overlapping=overlapping,
        metric=metric,
        units=ordered[0].shape[1],
        groups=None if groups is None else len(set(groups)),
        horizon=horizon,
        level=level,
        comparable=tests.enough,
        candidates=tuple(_candidates(names, rank_pairs, tests, baselines, titles)),
        pairs=pairs,
        confidence_set=(names[0], *close),
        best=names[0],
        best_recurrent=best_recurrent,
        best_baseline=best_baseline,
        recommended=min(better, key=names.index) if better else best_baseline or names[0],
        seeds_unknown=single,
        needed=needed,
    )
    return verdict.model_copy(update={"text": sentences.paragraph(verdict)})


def _checked(
    losses: Mapping[str, Array],
    unit: str,
    overlapping: bool,
    horizon: int,
    groups: Sequence[Hashable] | None,
) -> NDArray[np.int64] | None:
    """The number of each sequence's group, None if each stands for itself; or ValueError."""
    if not losses:
        raise ValueError("losses is empty: give at least one candidate")
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}: expected at least 1")
    units = (0, *next(iter(losses.values())).shape)[-1]
    for name, candidate in losses.items():
        if candidate.ndim != 2 or 0 in candidate.shape:
            raise ValueError(f"losses of {name!r} have shape {candidate.shape}: (seeds, units)")
        if candidate.shape[1] != units:
            counted = f"losses of {name!r} are for {candidate.shape[1]} units"
            raise ValueError(f"{counted}, those of another for {units}: give the same units")
        if not (np.abs(candidate) < LARGEST).all():
            raise ValueError(f"losses of {name!r} are not all finite: leave it out")
    if groups is not None and (overlapping or len(groups) != units):
        counted = f"groups has {len(groups)} entries for {units} {unit}s"
        raise ValueError(f"{counted}: give one for each {unit}, none where they overlap")
    if overlapping or (groups is None and units <= MOST_GROUPS):
        return None
    labels = range(units) if groups is None else groups
    seen = {group: number for number, group in enumerate(dict.fromkeys(labels))}
    numbers = np.array([seen[group] for group in labels], dtype=np.int64)
    return numbers * MOST_GROUPS // len(seen) if len(seen) > MOST_GROUPS else numbers


def _tests(
    losses: Sequence[Array],
    rank_pairs: Sequence[tuple[int, int]],
    overlapping: bool,
    horizon: int,
    groups: NDArray[np.int64] | None,
    level: float,
    seed: int,
) -> _Tests:
    """All pairs tested: ``rank_pairs`` index the lower and the higher in ``losses``, by mean."""
    averages = np.stack([candidate.mean(0) for candidate in losses], axis=1)
    lower, higher = np.array(rank_pairs, dtype=int).reshape(-1, 2).T
    differences = averages[:, higher] - averages[:, lower]
    if groups is not None:
        losses = [statistics.grouped(candidate, groups) for candidate in losses]
        averages = np.stack([candidate.mean(0) for candidate in losses], axis=1)
        differences = statistics.group_sums(differences.T, groups).T
    units = len(averages)
    freedom = units - 1
    if overlapping:
        freedom = statistics.smooth_parts(units, horizon, differences if rank_pairs else averages)
    means = statistics.estimate(losses, max(freedom, 1), overlapping=overlapping)
    weights = np.eye(len(losses))
    contrasts = statistics.contrasts(means, weights[higher] - weights[lower])
    single = statistics.contrasts(means, weights)
    p, second = np.ones(len(rank_pairs)), np.full(len(rank_pairs), np.nan)
    critical, own = np.full(len(rank_pairs), np.inf), np.full(len(losses), np.inf)
    possible = list(range(len(losses)))
    if freedom >= 1:
        critical = statistics.quantile(1 - level / 2, contrasts.freedom)
        own = statistics.quantile(1 - level / 2, single.freedom) * single.errors
        own[single.errors <= means.rounding] = 0  # no loss differs from another but by rounding
        if overlapping:
            second = other = statistics.diebold_mariano(differences, horizon)[1]
        else:
            observed = contrasts.values / contrasts.errors
            other, farthest = statistics.sign_flips(differences, observed, level, seed)
            critical = np.maximum(critical, farthest)
        p = np.fmax(contrasts.p, other)  # where the other is not defined, Student's stands alone
        block = max(horizon, math.ceil(units ** (1 / 3))) if overlapping else 1
        possible = statistics.model_confidence_set(averages, block, SET_SIZE, seed)
    return _Tests(
        units=units,
        overlapping=overlapping,
        enough=freedom >= 1,
        means=means,
        differences=contrasts,
        p=p,
        p_diebold_mariano=second,
        critical=critical,
        own=own,
        possible=frozenset(possible),
    )


def _saving(lower: int, higher: int, tests: _Tests, critical: float) -> Interval | None:
    """Interval of 1 - loss of ``lower`` / loss of ``higher``, by their ranks."""
    ranks = [lower, higher]
    above, below = tests.means.values[ranks]
    covariance = tests.means.covariance[np.ix_(ranks, ranks)]
    ends = statistics.ratio_interval((float(above), float(below)), covariance, critical)
    return None if ends is None else (1 - ends[1], 1 - ends[0])


def _pairs(
    names: Sequence[str], rank_pairs: Sequence[tuple[int, int]], tests: _Tests, level: float
) -> Iterator[Pair]:
    adjusted = statistics.holm(tests.p)
    for number, (lower, higher) in enumerate(rank_pairs):
        difference = float(tests.differences.values[number])
        critical = float(tests.critical[number])
        half = critical * float(tests.differences.errors[number])
        second = float(tests.p_diebold_mariano[number])
        loss = float(tests.means.values[higher])
        yield Pair(
            lower=names[lower],
            higher=names[higher],
            difference=difference,
            interval=(difference - half, difference + half) if math.isfinite(half) else None,
            relative=difference / loss if loss > 0 else None,
            relative_interval=_saving(lower, higher, tests, critical),
            p=float(tests.p[number]),
            p_adjusted=float(adjusted[number]),
            p_diebold_mariano=None if math.isnan(second) else second,
            told_apart=bool(adjusted[number] <= level)
            and not (lower == 0 and higher in tests.possible),
        )


def _candidates(
    names: Sequence[str],
    rank_pairs: Sequence[tuple[int, int]],
    tests: _Tests,
    baselines: Collection[str],
    titles: Mapping[str, str],
) -> Iterator[Placing]:
    base = next((index for index, name in enumerate(names) if name in baselines), None)
    for index, name in enumerate(names):
        loss, own = float(tests.means.values[index]), float(tests.own[index])
        skill, interval = None, None
        if base is not None and tests.means.values[base] > 0:
            skill = 1 - loss / float(tests.means.values[base])
            if index != base:
                number = rank_pairs.index((min(index, base), max(index, base)))
                interval = _saving(index, base, tests, float(tests.critical[number]))
        yield Placing(
            name=name,
            title=titles.get(name, name),
            baseline=name in baselines,
            seeds=int(tests.means.seeds[index]),
            rank=index + 1,
            loss=loss,
            interval=(min(loss, max(0.0, loss - own)), loss + own) if own < math.inf else None,
            skill=skill,
            skill_interval=interval,
        )


def _doubtful(pairs: Sequence[Pair], recurrent: str | None, baseline: str | None) -> Pair | None:
    """The open question: network against baseline, or else the best and the next not told apart."""
    close = [pair for pair in pairs if not pair.told_apart]
    first = [pair for pair in close if {pair.lower, pair.higher} == {recurrent, baseline}]
    best = [pair for pair in close if pair.lower == pairs[0].lower]
    return next(iter(first + best), None)


def _needed(pair: Pair, names: Sequence[str], tests: _Tests, level: float) -> Needed | None:
    lower, higher = names.index(pair.lower), names.index(pair.higher)
    difference = VISIBLE * float(tests.means.values[higher])
    if difference <= 0:
        return None
    weights = np.zeros(len(names))
    weights[[lower, higher]] = -1, 1
    now = float(tests.means.seeds[[lower, higher]].max())
    times = np.geomspace(1, MOST_TIMES, 3001)
    seeds = np.arange(now, MOST_SEEDS + 1)

    def first(seeds: Array, times: Array) -> int | None:
        """The first case in which the difference would be seen."""
        seen = statistics.visible(tests.means, weights, difference, seeds, times, level)
        # Fewer flips than that cannot give so small a p.
        seen &= tests.overlapping | (tests.units * times >= 1 - math.log2(level))
        index = int(np.argmax(seen))
        return index if seen[index] else None

    more_seeds = first(seeds, np.ones_like(seeds)) if now > 1 else None
    more_units = first(np.full_like(times, now), times)
    more_both = first(now * times, times) if now > 1 else None
    return Needed(
        first=pair.lower,
        second=pair.higher,
        relative=VISIBLE,
        enough=more_units == 0,
        seeds=None if more_seeds is None else int(seeds[more_seeds]),
        units=None if more_units is None else math.ceil(tests.units * (times[more_units] - 1)),
        times=None if more_both is None else float(times[more_both]),
    )
