"""The tests behind a verdict: against formulas worked by hand, and by simulation.

The simulated losses have what real ones have: units that are hard for both candidates, units that
are hard for one, effects of the seed on the whole loss and on each unit's, and, for forecast
origins, windows that overlap for the horizon and a memory beyond it.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gatewright.comparison import statistics

Array = NDArray[np.float64]
TRIALS = 1000
FIRST_AGAINST_SECOND = np.array([[-1.0, 1.0]])


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


def p_of_pair(first: Array, second: Array, horizon: int | None) -> float:
    """As the verdict's, of one pair; ``horizon`` None: sequences. test_verdict.py compares them."""
    differences = (second.mean(0) - first.mean(0))[:, None]
    overlapping = horizon is not None
    freedom = len(differences) - 1
    if horizon is not None:
        freedom = statistics.smooth_parts(len(differences), horizon, differences)
    means = statistics.estimate([first, second], freedom, overlapping=overlapping)
    contrast = statistics.contrasts(means, FIRST_AGAINST_SECOND)
    if horizon is not None:
        _, other = statistics.diebold_mariano(differences, horizon)
    else:
        other, _ = statistics.sign_flips(differences, contrast.values / contrast.errors, 0.05, 0)
    return float(np.fmax(contrast.p, other)[0])


def rates(first: Array, second: Array, horizon: int | None) -> tuple[float, float]:
    """How often a difference is found: without one, and with one of three true standard errors.

    The true standard error is that of the difference over all trials.
    """
    error = (second.mean((1, 2)) - first.mean((1, 2))).std()
    pairs = list(zip(first, second, strict=True))
    false = [p_of_pair(one, other, horizon) <= 0.05 for one, other in pairs]
    true = [p_of_pair(one, other + 3 * error, horizon) <= 0.05 for one, other in pairs[:500]]
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
        (400, 24, 0.5, (5, 5), 0.7),
        (200, 12, 0.5, (3, 1), 0.65),
        (200, 24, 0.0, (5, 1), 0.55),
        (30, 12, 0.0, (3, 1), 0.25),
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
    found = 0
    for one, other in zip(first, second, strict=True):
        units = random.integers(200, size=(500, 200))
        drawn = [
            candidate.mean(1)[random.integers(3, size=(500, 3))].mean(1)
            + candidate.mean(0)[units].mean(1)
            for candidate in (one, other)
        ]
        middle = one.mean() - other.mean()
        low, high = np.quantile(drawn[0] - drawn[1] - middle, [0.025, 0.975])
        found += not low <= 0 <= high
    assert found / 300 > 0.12


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [None, 12])
def test_intervals_cover(horizon: int | None) -> None:
    """The interval of a difference, and of a ratio, at the true values."""
    first, second = losses_of_two(300, (5, 1), 0.05, horizon or 1, trials=400)
    true = 5.0, 4.0
    inside = ratio_inside = 0
    for one, other in zip(first + true[0], second + true[1], strict=True):
        differences = (other.mean(0) - one.mean(0))[:, None]
        overlapping = horizon is not None
        freedom = statistics.smooth_parts(300, horizon, differences) if horizon else 299
        means = statistics.estimate([one, other], freedom, overlapping=overlapping)
        contrast = statistics.contrasts(means, FIRST_AGAINST_SECOND)
        critical = float(statistics.quantile(0.975, contrast.freedom)[0])
        inside += abs(contrast.values[0] - (true[1] - true[0])) <= critical * contrast.errors[0]
        values = float(means.values[0]), float(means.values[1])
        ends = statistics.ratio_interval(values, means.covariance, critical)
        assert ends is not None
        ratio_inside += ends[0] <= true[0] / true[1] <= ends[1]
    assert 0.92 <= inside / 400 <= 0.985
    assert 0.92 <= ratio_inside / 400 <= 0.985


@pytest.mark.slow
def test_variance_of_means_is_unbiased() -> None:
    """Against the spread over trials, seeds and units varying together."""
    first, second = losses_of_two(100, (4, 3), 0.1, trials=2000)
    truth = (second.mean((1, 2)) - first.mean((1, 2))).var()
    estimates = [
        statistics.contrasts(
            statistics.estimate([one, other], 99, overlapping=False), FIRST_AGAINST_SECOND
        ).errors[0]
        ** 2
        for one, other in zip(first, second, strict=True)
    ]
    assert np.mean(estimates) == pytest.approx(truth, rel=0.1)


def test_parts_of_sequences_give_the_usual_variance() -> None:
    losses = np.random.default_rng(0).normal(size=(1, 30))
    means = statistics.estimate([losses], 29, overlapping=False)
    assert means.covariance[0, 0] == pytest.approx(losses.var(ddof=1) / 30)
    assert means.values[0] == pytest.approx(losses.mean())


def test_holm_by_hand() -> None:
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 raised to the one before.
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(statistics.holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(statistics.holm(np.array([0.6, 0.9])), [1, 1])
    assert statistics.holm(np.empty(0)).shape == (0,)


def test_diebold_mariano_by_hand() -> None:
    """n 5, h 2, d (1, 2, 3, 4, 6): mean 3.2, autocovariances 14.8 / 5 and 4.96 / 5.

    The variance of the mean is (2.96 + 2 x 0.992) / 5 = 0.9888, the statistic 3.2 / sqrt(0.9888)
    times sqrt((5 + 1 - 4 + 2 / 5) / 5) = sqrt(0.48).
    """
    differences = np.array([1.0, 2, 3, 4, 6])[:, None]
    statistic, p = statistics.diebold_mariano(differences, 2)
    assert statistic[0] == pytest.approx(3.2 / np.sqrt(0.9888) * np.sqrt(0.48))
    # Student's distribution with four degrees of freedom, in closed form.
    t = statistic[0]
    share = t / np.sqrt(4 + t**2)
    assert p[0] == pytest.approx(1 - share * (1 + (1 - share**2) / 2))


def test_diebold_mariano_of_one_step_is_students() -> None:
    """With horizon 1 the correction makes it the usual t: n in place of n - 1, and back."""
    differences = np.random.default_rng(1).normal(size=(12, 3)) + 0.5
    statistic, _ = statistics.diebold_mariano(differences, 1)
    usual = differences.mean(0) / (differences.std(0, ddof=1) / np.sqrt(12))
    np.testing.assert_allclose(statistic, usual)


def test_diebold_mariano_where_it_is_not_defined() -> None:
    swinging = np.tile([1.0, -1.0], 10)[:, None]  # its autocovariance of lag 1 is below -1/2
    assert np.isnan(statistics.diebold_mariano(swinging, 2)[1][0])
    assert np.isnan(statistics.diebold_mariano(np.zeros((20, 1)), 1)[1][0])
    assert np.isnan(statistics.diebold_mariano(np.ones((12, 1)), 12)[1][0])


def test_rare_differences_are_counted_exactly() -> None:
    """Two error rates that differ on four sequences, always one way: 2 of 16 patterns of signs."""
    differences = np.zeros((100, 1))
    differences[:4] = 1
    means = statistics.estimate([np.zeros((1, 100)), differences.T], 99, overlapping=False)
    contrast = statistics.contrasts(means, FIRST_AGAINST_SECOND)
    assert contrast.p[0] < 0.05
    p, critical = statistics.sign_flips(differences, contrast.values / contrast.errors, 0.05, 0)
    assert p[0] == pytest.approx(2 / 16, abs=0.025)
    assert critical[0] >= contrast.values[0] / contrast.errors[0] * 0.999


def test_flips_agree_with_students_where_there_is_plenty() -> None:
    random = np.random.default_rng(2)
    differences = random.normal(size=(500, 6)) + np.linspace(0, 0.15, 6)
    observed = differences.mean(0) / differences.std(0, ddof=1) * np.sqrt(500)
    p, critical = statistics.sign_flips(differences, observed, 0.05, 0)
    np.testing.assert_allclose(p, statistics.two_sided(observed, 499), atol=0.03)
    np.testing.assert_allclose(critical, 1.965, atol=0.1)


def test_groups_keep_means_and_carry_what_they_share() -> None:
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), random.integers(5, 30, size=20))
    shared = random.normal(size=20)[groups]
    losses = 3 + shared[None] + 0.1 * random.normal(size=(2, len(groups)))
    grouped = statistics.grouped(losses, groups)
    assert grouped.shape == (2, 20)
    np.testing.assert_allclose(grouped.mean(1), losses.mean(1))
    by_group = statistics.estimate([grouped], 19, overlapping=False).covariance[0, 0]
    by_unit = statistics.estimate([losses], len(groups) - 1, overlapping=False).covariance[0, 0]
    assert by_group > 8 * by_unit
    np.testing.assert_allclose(
        statistics.group_sums(losses, groups)[0, 3], losses[0, groups == 3].sum()
    )


@pytest.mark.parametrize(
    ("units", "horizon", "parts"),
    [(18, 12, 0), (24, 12, 1), (200, 24, 4), (200, 1, 13), (3, 1, 1), (1, 1, 0), (900, 1, 37)],
)
def test_parts_of_a_series(units: int, horizon: int, parts: int) -> None:
    white = np.random.default_rng(2).normal(size=(units, 1))
    assert statistics.smooth_parts(units, horizon, white) == parts
    walk = np.cumsum(np.random.default_rng(0).normal(size=(units, 1)), axis=0)
    assert statistics.smooth_parts(units, horizon, walk) <= max(parts, 0)


def test_confidence_set() -> None:
    random = np.random.default_rng(4)
    losses = random.normal(size=(300, 1)) + 0.3 * random.normal(size=(300, 4))
    losses += [0.5, 0, 0, 1]
    losses[:, 2] = losses[:, 1]
    assert statistics.model_confidence_set(losses, 1, 0.1, 0) == [1, 2]
    assert statistics.model_confidence_set(losses[:, [3, 1]], 12, 0.1, 0) == [1]
    assert statistics.model_confidence_set(losses[:, [1, 2]], 1, 0.1, 0) == [0, 1]
    constant = np.tile([1.0, 2.0, 3.0, 1.0], (20, 1))
    assert statistics.model_confidence_set(constant, 1, 0.1, 0) == [0, 3]
    assert statistics.model_confidence_set(np.zeros((5, 3)), 1, 0.1, 0) == [0, 1, 2]


@pytest.mark.slow
def test_confidence_set_keeps_the_best() -> None:
    """In at least nine of ten cases, all being alike."""
    random = np.random.default_rng(5)
    kept = [
        0 in statistics.model_confidence_set(random.normal(size=(100, 3)), 1, 0.1, trial)
        for trial in range(60)
    ]
    assert np.mean(kept) >= 0.85


def test_ratio_interval_holds_one_when_the_difference_holds_zero() -> None:
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    error = np.sqrt(0.04 + 0.09 - 2 * 0.01)
    for gap in (1.9, 2.1):
        ends = statistics.ratio_interval((5 - gap * error, 5.0), covariance, 2.0)
        assert ends is not None
        assert (ends[1] >= 1) == (gap < 2)
    assert statistics.ratio_interval((1.0, 0.5), covariance, 2.0) is None
    assert statistics.ratio_interval((1.0, 0.0), covariance, 2.0) is None
    assert statistics.ratio_interval((1.0, 5.0), covariance, np.inf) is None


def test_more_seeds_that_are_said_to_suffice_do() -> None:
    """What ``visible`` calls visible, against the true standard error."""
    first, second = losses_of_two(200, (8, 8), 0.1, trials=300)
    error = (second.mean((1, 2)) - first.mean((1, 2))).std()
    seen = [
        np.mean(
            [
                statistics.visible(
                    statistics.estimate([one, other], 199, overlapping=False),
                    FIRST_AGAINST_SECOND[0],
                    size * error,
                    np.array([8.0]),
                    np.array([1.0]),
                    0.05,
                )[0]
                for one, other in zip(first[:60], second[:60], strict=True)
            ]
        )
        for size in (2.0, 4.5)
    ]
    assert seen[0] < 0.2
    assert seen[1] > 0.8
