"""How the verdict is reached: two questions, in order.

First, of the models that would be shipped, each the mean of its seeds' predictions: is any network
better than the best baseline? All are tested against it together, by the largest t, one-sided. The
best baseline is that of the lowest mean on test: whichever it is in truth, the networks have at
least as much to beat. Units vary, seeds do not: the models are there.

Only after a yes, of the networks as methods: which is better than which? Every two of them are
tested together, by the largest t again, two-sided, with the variance of seeds: they would be
trained anew.

Nothing else is tested. ``statistics`` says where standard errors and critical values come from.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatewright.comparison import sentences, statistics
from gatewright.comparison.statistics import Array
from gatewright.comparison.verdict import SHOWN, Interval, Pair, Placing, Verdict

MOST_TIMES = 20.0  # as many units or seeds: nobody asks for more
MOST_GROUPS = 4096  # beyond that, neighbouring sequences count as one: no test gets better
LARGEST = 1e100  # a loss; its square is still a number


@dataclass(frozen=True)
class _Tested:
    """The losses of a test part: candidates by rank; ``horizon`` None for independent units."""

    names: Sequence[str]
    losses: Sequence[Array]  # (seeds, units) each, of each seed alone
    shipped: Sequence[Array]  # (1, units) each
    means: Array  # (candidates,), of what is shipped
    horizon: int | None
    level: float
    seed: int

    def question(self, pairs: Sequence[tuple[int, int]], sides: int) -> tuple[Pair, ...]:
        """Pairs of ranks tested together: one-sided as they are, two-sided as trained anew."""
        if not pairs:
            return ()
        losses = self.shipped if sides == 1 else self.losses
        found = statistics.contrasts(losses, pairs, self.horizon, with_seeds=sides == 2)
        critical = statistics.critical_values(found, self.level, sides, self.seed)
        return tuple(
            self._pair(pair, float(losses[pair[1]].mean()), found, number, float(critical[number]))
            for number, pair in enumerate(pairs)
        )

    def _pair(
        self,
        pair: tuple[int, int],
        loss: float,
        found: statistics.Contrasts,
        number: int,
        critical: float,
    ) -> Pair:
        difference = float(found.values[number])
        finite, half = math.isfinite(critical), 0.0
        if finite and found.varies[number]:
            half = critical * float(found.errors[number])
        ends = (difference - half, difference + half)
        now = max(len(self.losses[rank]) for rank in pair)
        units = seeds = visible = None
        if finite and found.varies[number]:
            visible = float(statistics.visible(found, number, critical))
            if 0 < SHOWN * loss < visible:
                times = np.geomspace(1, MOST_TIMES, 1000)
                count = self.losses[0].shape[1]
                units = _first(found, number, critical, SHOWN * loss, count, units=times)
                if found.of_seeds[number] > 0:
                    seeds = _first(found, number, critical, SHOWN * loss, now, seeds=times)
        return Pair(
            candidate=self.names[pair[0]],
            other=self.names[pair[1]],
            difference=difference,
            interval=ends if finite else None,
            relative=difference / loss if loss > 0 else None,
            relative_interval=(ends[0] / loss, ends[1] / loss) if finite and loss > 0 else None,
            told_apart=finite and (ends[0] > 0 or ends[1] < 0),
            visible=visible,
            units=units,
            seeds=seeds,
        )

    def own_halves(self) -> Array:
        """(candidates,): half the interval of each mean loss, as the difference from nothing."""
        nothing = np.zeros_like(self.shipped[0])
        pairs = [(0, rank + 1) for rank in range(len(self.losses))]
        found = statistics.contrasts(
            [nothing, *self.shipped], pairs, self.horizon, with_seeds=False
        )
        critical = statistics.quantile(1 - self.level, found.freedom)
        return np.asarray(np.where(found.varies, critical * found.errors, 0))


def _first(
    found: statistics.Contrasts,
    number: int,
    critical: float,
    difference: float,
    now: int,
    **times: Array,
) -> int | None:
    """How many units or seeds, where there are ``now``, would show a difference."""
    seen = statistics.visible(found, number, critical, **times) <= difference
    (factors,) = times.values()
    return math.ceil(now * factors[seen.argmax()]) if seen.any() else None


def decide(
    losses: Mapping[str, NDArray[np.float64]],
    shipped: Mapping[str, NDArray[np.float64]] | None = None,
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

    ``shipped``: candidate -> (units,), what the model lost that joins the seeds; the mean over
    seeds if not given. Units are test sequences, or forecast origins in the order of time.
    ``horizon``: how many origins in a row have losses that share a step, which is the forecasts'
    length in steps where origins are one step apart. ``groups``: the group of each sequence; those
    of one group are related, as the recordings of one patient are. ``baselines``: the names of
    those that are not recurrent networks. ``titles``: what to call a candidate; its name if not
    given. ``metric``: "mean squared error". ``level``: of each question. ``seed``: of flips and
    draws.

    ValueError: no candidates, losses of other shapes, or one that is not finite, named.
    """
    arrays = {name: np.asarray(candidate, np.float64) for name, candidate in losses.items()}
    numbers = _checked(arrays, unit, overlapping, horizon, groups)
    # Of two that lose alike, the baseline comes first.
    joined = {name: np.atleast_2d(each) for name, each in (shipped or {}).items()}
    joined = {name: each.mean(0, keepdims=True) for name, each in arrays.items()} | joined
    names = sorted(joined, key=lambda name: (float(joined[name].mean()), name not in baselines))
    means = np.array([joined[name].mean() for name in names])
    ordered, whole = [arrays[name] for name in names], [joined[name] for name in names]
    if numbers is not None:
        ordered = [statistics.grouped(candidate, numbers) for candidate in ordered]
        whole = [statistics.grouped(candidate, numbers) for candidate in whole]
    tested = _Tested(names, ordered, whole, means, horizon if overlapping else None, level, seed)
    enough = statistics.enough(ordered[0].shape[1], tested.horizon)
    networks = [rank for rank, name in enumerate(names) if name not in baselines]
    base = next((rank for rank, name in enumerate(names) if name in baselines), None)
    first: tuple[Pair, ...] = ()
    second: tuple[Pair, ...] = ()
    if enough and base is not None:
        first = tested.question([(rank, base) for rank in networks], sides=1)
    better = [pair.candidate for pair in first if pair.better]
    if enough and (better or base is None):
        several = [rank for rank in networks if len(ordered[rank]) > 1]
        every = [(one, other) for one in several for other in several if one < other]
        second = tested.question(every, sides=2)
    recommended = next(iter(better), names[0 if base is None else base])
    verdict = Verdict(
        unit=unit,
        overlapping=overlapping,
        metric=metric,
        units=arrays[names[0]].shape[1],
        groups=None if groups is None else len(set(groups)),
        horizon=horizon,
        level=level,
        comparable=enough,
        candidates=tuple(_candidates(tested, first, base, enough, baselines, titles)),
        against_baseline=first,
        among_networks=second,
        close=(recommended, *_close(recommended, (*first, *second))),
        best=names[0],
        best_recurrent=names[networks[0]] if networks else None,
        best_baseline=None if base is None else names[base],
        recommended=recommended,
        seeds_unknown=tuple(names[rank] for rank in networks if len(ordered[rank]) == 1),
    )
    return verdict.model_copy(update={"text": sentences.paragraph(verdict)})


def _close(name: str, pairs: Sequence[Pair]) -> Iterator[str]:
    """What was tested against a candidate and not told from it."""
    for pair in pairs:
        if name in (pair.candidate, pair.other) and not pair.told_apart:
            yield pair.other if name == pair.candidate else pair.candidate


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


def _candidates(
    tested: _Tested,
    pairs: Sequence[Pair],
    base: int | None,
    enough: bool,
    baselines: Collection[str],
    titles: Mapping[str, str],
) -> Iterator[Placing]:
    halves = tested.own_halves() if enough else np.full(len(tested.names), np.inf)
    skills = {pair.candidate: pair.relative_interval for pair in pairs}
    of_base = 0.0 if base is None else float(tested.means[base])
    for rank, (name, mean, half) in enumerate(zip(tested.names, tested.means, halves, strict=True)):
        loss, own = float(mean), float(half)
        interval: Interval = min(loss, max(0.0, loss - own)), loss + own
        yield Placing(
            name=name,
            title=titles.get(name, name),
            baseline=name in baselines,
            seeds=len(tested.losses[rank]),
            rank=rank + 1,
            loss=loss,
            interval=interval if math.isfinite(own) else None,
            skill=1 - loss / of_base if of_base > 0 else None,
            skill_interval=skills.get(name),
        )
