"""The tests behind a verdict: against formulas, tables and other computations, and by simulation.

The simulated losses have what real ones have: units that are hard for both candidates, units that
are hard for one, effects of the seed on the whole loss and on each unit's, and, for forecast
origins, windows that overlap for the horizon and a memory beyond it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from gatewright.comparison import statistics
from gatewright.comparison.statistics import Contrasts

Array = NDArray[np.float64]
TRIALS = 1000


def noise(
    random: np.random.Generator, shape: tuple[int, ...], horizon: int, memory: float
) -> Array:
    """Of variance about one over all: sums over ``horizon`` of an autoregression's steps."""
    *rows, units = shape
    steps = random.normal(size=(*rows, units + horizon + 50))
    for step in range(1, steps.shape[-1] if memory else 0):
        steps[..., step] += memory * steps[..., step - 1]
    steps = steps[..., 50:]
    if horizon == 1:
        return steps[..., :units]
    sums = np.cumsum(steps, axis=-1)
    return ((sums[..., horizon:] - sums[..., :-horizon]) / np.sqrt(horizon))[..., :units]


def losses_of_two(
    units: int,
    seeds: tuple[int, int],
    seed_effect: float,
    horizon: int = 1,
    memory: float = 0.0,
    trials: int = TRIALS,
) -> tuple[Array, Array]:
    """Twice (trials, seeds, units), alike but for the seeds; one seed: deterministic."""
    random = np.random.default_rng([units, *seeds, horizon])
    shared = noise(random, (trials, 1, units), horizon, memory)

    def candidate(count: int) -> Array:
        own = shared + 0.3 * noise(random, (trials, 1, units), horizon, memory)
        if count == 1:
            return own
        whole = seed_effect * random.normal(size=(trials, count, 1))
        return own + whole + 0.3 * noise(random, (trials, count, units), horizon, memory)

    return candidate(seeds[0]), candidate(seeds[1])


def of_two(first: Array, second: Array, horizon: int | None) -> Contrasts:
    return statistics.contrasts([first, second], [(0, 1)], horizon, with_seeds=True)


def found(first: Array, second: Array, horizon: int | None) -> bool:
    """Whether two are told apart, two-sided at 5%."""
    contrast = of_two(first, second, horizon)
    critical = statistics.critical_values(contrast, 0.05, 2)
    return bool(np.abs(contrast.values) > critical * contrast.errors)


def rates(first: Array, second: Array, horizon: int | None) -> tuple[float, float]:
    """How often a difference is found: without one, and with one of three true standard errors.

    The true standard error is that of the difference over all trials.
    """
    error = (second.mean((1, 2)) - first.mean((1, 2))).std()
    pairs = list(zip(first, second, strict=True))
    false = [found(one, other, horizon) for one, other in pairs]
    true = [found(one, other + 3 * error, horizon) for one, other in pairs[:500]]
    return float(np.mean(false)), float(np.mean(true))


# The last number: the least share of differences of three standard errors to be found. 75% where
# there are seeds and units enough; less where their number bounds the degrees of freedom, as the
# power of Student's test at a shift of three is 40% with two, 55% with four, 66% with six of them.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("units", "seeds", "seed_effect", "least"),
    [
        (100, (5, 5), 0.03, 0.75),
        (400, (5, 5), 0.03, 0.75),
        (100, (3, 1), 0.02, 0.75),
        (250, (5, 1), 0.03, 0.75),
        (250, (10, 1), 0.1, 0.75),
        (100, (3, 3), 0.03, 0.65),
        (250, (5, 1), 0.1, 0.6),
        (250, (3, 3), 0.1, 0.5),
        (250, (3, 1), 0.1, 0.4),
    ],
)
def test_sequences_by_simulation(
    units: int, seeds: tuple[int, int], seed_effect: float, least: float
) -> None:
    false, true = rates(*losses_of_two(units, seeds, seed_effect), None)
    assert false <= 0.07
    assert true >= least


@pytest.mark.slow
@pytest.mark.parametrize(
    ("units", "horizon", "memory", "seeds", "least"),
    [
        (300, 1, 0.0, (5, 1), 0.75),
        (300, 1, 0.5, (5, 5), 0.75),
        (200, 1, 0.8, (5, 1), 0.65),
        (400, 12, 0.0, (5, 1), 0.75),
        (400, 12, 0.5, (5, 5), 0.75),
        (800, 24, 0.0, (5, 1), 0.75),
        (400, 24, 0.5, (5, 5), 0.65),
        (200, 12, 0.5, (3, 1), 0.65),
        (200, 24, 0.0, (5, 1), 0.5),
        (50, 12, 0.0, (3, 1), 0.4),
    ],
)
def test_origins_by_simulation(
    units: int, horizon: int, memory: float, seeds: tuple[int, int], least: float
) -> None:
    false, true = rates(*losses_of_two(units, seeds, 0.03, horizon, memory), horizon)
    assert false <= 0.07
    assert true >= least


@pytest.mark.slow
def test_plain_bootstrap_finds_too_much() -> None:
    """Why seeds and units are not simply resampled: three seeds give many false finds."""
    first, second = losses_of_two(200, (3, 3), 0.2, trials=300)
    random = np.random.default_rng(0)
    false = 0
    for one, other in zip(first, second, strict=True):
        units = random.integers(200, size=(500, 200))
        drawn = [
            candidate.mean(1)[random.integers(3, size=(500, 3))].mean(1)
            + candidate.mean(0)[units].mean(1)
            for candidate in (one, other)
        ]
        middle = one.mean() - other.mean()
        low, high = np.quantile(drawn[0] - drawn[1] - middle, [0.025, 0.975])
        false += not low <= 0 <= high
    assert false / 300 > 0.12


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [None, 12])
def test_intervals_cover(horizon: int | None) -> None:
    first, second = losses_of_two(300, (5, 1), 0.05, horizon or 1, trials=400)
    inside = 0
    for one, other in zip(first + 5, second + 4, strict=True):
        contrast = of_two(one, other, horizon)
        half = statistics.critical_values(contrast, 0.05, 2) * contrast.errors
        inside += bool(np.abs(contrast.values + 1) <= half)
    assert 0.92 <= inside / 400 <= 0.985


@pytest.mark.slow
def test_variance_of_means_is_unbiased() -> None:
    """Against the spread over trials, seeds and units varying together."""
    first, second = losses_of_two(100, (4, 3), 0.1, trials=2000)
    truth = (second.mean((1, 2)) - first.mean((1, 2))).var()
    estimates = [
        of_two(one, other, None).errors[0] ** 2 for one, other in zip(first, second, strict=True)
    ]
    assert np.mean(estimates) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(("units", "horizon"), [(36, 12), (50, 12), (500, 96), (553, 12)])
def test_the_variance_of_overlapping_losses_is_unbiased(units: int, horizon: int) -> None:
    """Even where only three cosines are left, of which overlap hides a third or more."""
    random = np.random.default_rng(units)
    series = noise(random, (3000, 2, units), horizon, 0.0)
    differences = series[:, 1] - series[:, 0]
    count = int(min(statistics.part_counts(differences.T, horizon)))
    parts = statistics.unit_parts(differences, horizon, count)
    assert (parts**2).mean() == pytest.approx(differences.mean(1).var(), rel=0.07)


def test_of_sequences_it_is_the_paired_t() -> None:
    losses = np.random.default_rng(0).normal(size=(2, 1, 30))
    contrast = of_two(losses[0], losses[1], None)
    difference = (losses[1] - losses[0])[0]
    assert contrast.values[0] == pytest.approx(difference.mean())
    assert contrast.errors[0] ** 2 == pytest.approx(difference.var(ddof=1) / 30)
    assert contrast.freedom[0] == pytest.approx(29)


def test_seeds_count_only_where_asked() -> None:
    first, second = losses_of_two(100, (3, 3), 0.5, trials=1)
    shipped = statistics.contrasts([first[0], second[0]], [(0, 1)], None, with_seeds=False)
    alone = of_two(first[0].mean(0)[None], second[0].mean(0)[None], None)
    np.testing.assert_allclose(shipped.errors, alone.errors)
    assert of_two(first[0], second[0], None).errors[0] > 3 * shipped.errors[0]


def equally_correlated(count: int, correlation: float, freedom: float) -> Contrasts:
    every = np.full(count, freedom)
    matrix = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    return Contrasts(every, every, every, matrix, every, every, every > 0, None)


@pytest.mark.parametrize(
    ("count", "freedom", "sides", "published"),
    [  # Dunnett 1955, tables 1a (one-sided) and 2a, level 5%; one contrast: Student's
        (1, 20, 1, 1.725),
        (1, 20, 2, 2.086),
        (3, 60, 1, 2.10),
        (5, 60, 1, 2.28),
        (3, 60, 2, 2.41),
        (5, 20, 1, 2.39),
    ],
)
def test_critical_values_are_those_of_tables(
    count: int, freedom: int, sides: int, published: float
) -> None:
    """Tables have one variance for all, here each difference has its own: a little more is due."""
    tested = equally_correlated(count, 0.5, freedom)
    critical = statistics.critical_values(tested, 0.05 / statistics.ALLOWED, sides)
    np.testing.assert_allclose(critical, critical[0])
    assert published - 0.03 <= critical[0] <= published + 0.08


def test_what_is_one_and_the_same_counts_once() -> None:
    """Twins, and what does not vary, cost others nothing."""
    random = np.random.default_rng(1)
    base, one, other = random.normal(size=(3, 1, 200))
    alone = statistics.contrasts([base, one], [(1, 0)], 4, with_seeds=False)
    twins = statistics.contrasts(
        [base, one, one.copy(), base + 1], [(1, 0), (2, 0), (3, 0)], 4, with_seeds=False
    )
    assert twins.varies.tolist() == [True, True, False]
    single = statistics.critical_values(alone, 0.05, 1)[0]
    assert statistics.critical_values(twins, 0.05, 1)[0] == pytest.approx(single, abs=0.05)
    two = statistics.contrasts([base, one, other], [(1, 0), (2, 0)], 4, with_seeds=False)
    assert statistics.critical_values(two, 0.05, 1)[0] > single + 0.1


def test_few_degrees_of_freedom_get_a_longer_interval_only_for_themselves() -> None:
    tested = equally_correlated(2, 0.5, 100)
    tested = dataclasses.replace(tested, freedom=np.array([3.0, 100.0]))
    few, many = statistics.critical_values(tested, 0.05, 1)
    assert few > statistics.quantile(0.95, 3)
    assert 1.66 < many < 2.1 < few


def test_rare_differences_are_counted_exactly() -> None:
    """Two error rates that differ on four sequences, always one way: 1 of 16 patterns of signs."""
    for count, seen in ((4, False), (5, True)):
        differences = np.zeros((100, 1))
        differences[:count] = 1
        observed = np.sqrt(100 * 99 * count / (100 * (100 - count)))
        assert observed > statistics.quantile(0.95, 99)
        assert (observed > statistics.flipped_critical(differences, 0.05, 1)) == seen


def test_flips_agree_with_students_where_there_is_plenty() -> None:
    differences = np.random.default_rng(2).normal(size=(500, 1))
    assert statistics.flipped_critical(differences, 0.05, 1) == pytest.approx(1.648, abs=0.1)
    assert statistics.flipped_critical(differences, 0.05, 2) == pytest.approx(1.965, abs=0.1)
    assert statistics.flipped_critical(np.ones((3, 1)), 0.05, 1) == np.inf


def test_groups_keep_means_and_carry_what_they_share() -> None:
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), random.integers(5, 30, size=20))
    shared = random.normal(size=20)[groups]
    losses = 3 + shared[None] + 0.1 * random.normal(size=(2, len(groups)))
    grouped = statistics.grouped(losses, groups)
    assert grouped.shape == (2, 20)
    np.testing.assert_allclose(grouped.mean(1), losses.mean(1))
    by_group = of_two(np.zeros((1, 20)), grouped, None).errors[0]
    by_unit = of_two(np.zeros((1, len(groups))), losses, None).errors[0]
    assert by_group > 2.8 * by_unit
    np.testing.assert_allclose(
        statistics.group_sums(losses, groups)[0, 3], losses[0, groups == 3].sum()
    )


@pytest.mark.parametrize(
    ("units", "horizon", "parts"),
    [(36, 12, 3), (50, 12, 3), (200, 24, 4), (200, 1, 13), (900, 1, 37), (553, 12, 23), (4, 1, 3)],
)
def test_parts_of_a_series(units: int, horizon: int, parts: int) -> None:
    white = np.random.default_rng(2).normal(size=(units, 1))
    assert abs(statistics.part_counts(white, horizon)[0] - parts) <= 1
    walk = np.cumsum(np.random.default_rng(0).normal(size=(units, 1)), axis=0)
    assert 3 <= statistics.part_counts(walk, horizon)[0] <= parts


def test_each_pair_has_its_own_memory() -> None:
    random = np.random.default_rng(3)
    slow = noise(random, (1, 2000), 1, 0.9)[0]
    both = np.stack([random.normal(size=2000), slow], axis=1)
    quick, found = statistics.memory(both, 1)
    assert quick < 0.3
    assert found == pytest.approx(0.9, abs=0.1)
    counts = statistics.part_counts(both, 1)
    assert counts[1] < 0.6 * counts[0]


@pytest.mark.parametrize(
    ("horizon", "cycle"), [(24, 24), (24, 12), (24, 168), (168, 168), (1, 7), (12, 12), (7, 7)]
)
def test_a_cycle_is_no_memory(horizon: int, cycle: int) -> None:
    """At a lag of whole cycles it repeats; a mean over them is not less certain for it."""
    random = np.random.default_rng(4)
    wave = 2 * np.cos(2 * np.pi * np.arange(2000) / cycle)
    differences = (wave + noise(random, (2000,), horizon, 0.0))[:, None]
    assert statistics.memory(differences, horizon)[0] < 0.3


def test_enough() -> None:
    assert [statistics.enough(units, 12) for units in (35, 36)] == [False, True]
    assert [statistics.enough(units, 1) for units in (3, 4)] == [False, True]
    assert [statistics.enough(units, None) for units in (1, 2)] == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [None, 12])
def test_what_is_said_to_be_visible_is_seen_in_eight_of_ten_cases(horizon: int | None) -> None:
    first, second = losses_of_two(400, (8, 8), 0.03, horizon or 1, trials=300)
    sizes, seen = [], []
    for one, other in zip(first[:100], second[:100], strict=True):
        contrast = of_two(one, other, horizon)
        critical = float(statistics.critical_values(contrast, 0.05, 2)[0])
        sizes.append(float(statistics.visible(contrast, 0, critical)))
    ahead = float(np.mean(sizes))
    seen = [found(one, other + ahead, horizon) for one, other in zip(first, second, strict=True)]
    assert 0.7 <= np.mean(seen) <= 0.9


def test_more_units_and_seeds_make_more_visible() -> None:
    first, second = losses_of_two(200, (4, 4), 0.1, trials=1)
    contrast = of_two(first[0], second[0], None)
    now = statistics.visible(contrast, 0, 2.0)
    times = np.array([1.0, 4.0, 20.0])
    by_units = statistics.visible(contrast, 0, 2.0, units=times)
    by_seeds = statistics.visible(contrast, 0, 2.0, seeds=times)
    assert by_units[0] == by_seeds[0] == now
    assert (np.diff(by_units) < 0).all()
    assert by_seeds[2] < now / 2 < by_units[2]  # most of it is the seeds'
