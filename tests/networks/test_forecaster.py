"""The network of forecasts: its shapes, what it sees, and what its forecasts are relative to."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import worlds
from gatewright import cells
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.networks.forecaster import (
    ALONE,
    LONGEST_SEGMENT,
    OWN,
    TOGETHER,
    Forecaster,
    segments,
)
from gatewright.networks.windows import LAST, LEVELS, SEASON, SEEN, levels
from gatewright.setting import Setting

CELL = cells.names()[0]
QUANTILES = 11
SIZES = [(8, 3, 1), (8, 3, 3), (7, 5, 4), (10, 1, 4), (5, 12, 5), (9, 4, 9), (6, 2, 5), (1, 1, 1)]
SEES = (OWN, ALONE, TOGETHER)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rich(targets: int, context: int = 8, horizon: int = 3, season: int = 1) -> Prepared:
    """Series with an input and a category that are known ahead; the second is a short one."""
    codes = torch.arange(120)[:, None] % 4
    return worlds.series(
        draw(120, targets),
        context=context,
        horizon=horizon,
        season=season,
        known=draw(120, 2, seed=1),
        codes=codes,
        known_codes=True,
        bounds=[[0, 60, 80, 100], [100, 100 + horizon + 1, 118, 120]],
    )


def network(data: Prepared, *choices: str, segment: int = 1, truncate: int = 0) -> Forecaster:
    torch.manual_seed(4)
    setting = Setting(segment=segment, choices=choices)
    return Forecaster(data.preparation, truncate, CELL, 6, setting, QUANTILES).eval()


@torch.inference_mode()
def told(net: Forecaster, data: Prepared, examples: Tensor | list[int]) -> Tensor:
    return net(Windows().batch(data, torch.as_tensor(examples)))


def changed(data: Prepared, channel: int, by: float | Tensor) -> Prepared:
    values = data.values.clone()
    values[:, channel] += by
    return dataclasses.replace(data, values=values)


@pytest.mark.parametrize(("context", "horizon", "segment"), SIZES)
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("sees", SEES)
def test_any_segment_gives_the_whole_horizon(
    context: int, horizon: int, segment: int, targets: int, sees: str
) -> None:
    data = rich(targets, context, horizon)
    for level in (LAST, SEEN):
        net = network(data, sees, level, segment=segment)
        examples = [context, 40, 100 + max(1, context // 2)]  # the last one is a short window
        found = told(net, data, examples)
        assert found.shape == (3, horizon, targets, 1 + QUANTILES)
        assert found.isfinite().all()
        alone = torch.cat([told(net, data, [one]) for one in examples])
        torch.testing.assert_close(found, alone)


@pytest.mark.parametrize(("context", "horizon", "segment"), SIZES)
@pytest.mark.parametrize("sees", SEES)
def test_each_weight_is_used(context: int, horizon: int, segment: int, sees: str) -> None:
    data = rich(2, context, horizon)
    net = network(data, sees, LAST, segment=segment)
    net(Windows().batch(data, torch.tensor([context, 30, 50]))).square().sum().backward()
    unused = {name for name, value in net.named_parameters() if value.grad is None}
    assert unused == {name for name in unused if net.get_parameter(name).numel() == 0}


@pytest.mark.parametrize("segment", [1, 3, 8])
@pytest.mark.parametrize("level", LEVELS)
def test_a_short_window_is_seen_with_its_first_step_repeated(segment: int, level: str) -> None:
    data = rich(2, season=3)
    net = network(data, TOGETHER, level, segment=segment)
    rows = torch.tensor([*[100] * 4, *range(100, 120)])  # the second series begins four steps early
    bounds = [[0, 4 + 8, 22, 24]]
    whole = worlds.series(
        data.target[rows],
        season=3,
        known=data.values[rows][:, 2:],
        codes=data.codes[rows],
        known_codes=True,
        bounds=bounds,
    )
    short = Windows().batch(data, torch.tensor([104, 40]))
    assert short.lengths is not None
    assert short.lengths.tolist() == [4, 8]
    with torch.inference_mode():
        torch.testing.assert_close(net(short)[:1], told(net, whole, [8]))


@pytest.mark.parametrize("segment", [1, 3])
@pytest.mark.parametrize("level", LEVELS)
def test_its_own_past_is_all_that_a_target_sees(segment: int, level: str) -> None:
    data, examples = rich(3, season=3), [20, 41, 104]
    others = [*range(3, data.values.shape[1])]
    coded = dataclasses.replace(data, codes=(data.codes + 1) % 4)
    for sees in SEES:
        net = network(data, sees, level, segment=segment)
        before = told(net, data, examples)
        sees_codes = not torch.equal(told(net, coded, examples), before)
        assert sees_codes == (sees != OWN)
        for channel in others:
            after = told(net, changed(data, channel, draw(120, seed=2)), examples)
            assert torch.equal(after, before) == (sees == OWN)
        after = told(net, changed(data, 1, draw(120, seed=2)), examples)
        assert not torch.equal(after[:, :, 1], before[:, :, 1])
        for target in (0, 2):
            same = torch.equal(after[:, :, target], before[:, :, target])
            assert same == (sees != TOGETHER)


def test_what_is_known_ahead_is_seen_ahead_and_nothing_else() -> None:
    data = rich(2)
    ahead = torch.zeros(120)
    ahead[40:43] = 1.0
    net = network(data, TOGETHER, LAST, segment=2)
    before = told(net, data, [40])
    assert not torch.equal(told(net, changed(data, 2, ahead), [40]), before)
    assert torch.equal(told(net, changed(data, 0, ahead), [40]), before)  # a target
    later = torch.zeros(120)
    later[43:] = 1.0
    assert torch.equal(told(net, changed(data, 2, later), [40]), before)
    earlier = torch.zeros(120)
    earlier[: 40 - 8] = 1.0
    assert torch.equal(told(net, changed(data, 0, earlier), [40]), before)


@pytest.mark.parametrize("sees", SEES)
def test_quantiles_never_cross_whatever_was_learned(sees: str) -> None:
    data = rich(3)
    for seed in range(5):
        net = network(data, sees, SEEN, segment=2)
        with torch.no_grad():
            for number, value in enumerate(net.parameters()):
                value.copy_(5 * draw(*value.shape, seed=100 * seed + number))
        found = told(net, data, [20, 41, 104])
        assert (found[..., 1:].diff(dim=-1) >= 0).all()
        assert torch.equal(found[..., 0], found[..., 1 + QUANTILES // 2])


@pytest.mark.parametrize("segment", [1, 3])
@pytest.mark.parametrize("truncate", [1, 4, 8, 50])
def test_truncation_changes_no_prediction(segment: int, truncate: int) -> None:
    data, examples = rich(2), [20, 41, 104]
    whole, cut = (network(data, TOGETHER, LAST, segment=segment, truncate=n) for n in (0, truncate))
    torch.testing.assert_close(told(whole, data, examples), told(cut, data, examples))


@pytest.mark.parametrize("sees", SEES)
@pytest.mark.parametrize("level", [LAST, SEASON])
def test_a_level_never_seen_moves_the_forecast_by_as_much(sees: str, level: str) -> None:
    data, examples = rich(2, season=3), [20, 41, 104]
    net = network(data, sees, level, segment=2)
    before = told(net, data, examples)
    after = told(net, changed(data, 1, 64.0), examples)
    torch.testing.assert_close(after[:, :, 1], before[:, :, 1] + 64.0, atol=2e-4, rtol=0)
    torch.testing.assert_close(after[:, :, 0], before[:, :, 0], atol=2e-4, rtol=0)


@pytest.mark.parametrize("season", [2, 3, 7, 8])
@pytest.mark.parametrize("segment", [1, 3])
def test_where_it_adds_nothing_the_last_season_comes_again(season: int, segment: int) -> None:
    data = rich(2, horizon=9, season=season)
    net = network(data, OWN, SEASON, segment=segment)
    with torch.no_grad():
        net.point.weight.zero_()
        net.point.bias.zero_()
    for origin in (20, 41):
        naive = data.target[[origin - season + step % season for step in range(9)]]
        assert torch.equal(told(net, data, [origin])[0, :, :, 0], naive)
    naive = network(data, OWN, LAST, segment=segment)
    with torch.no_grad():
        naive.point.weight.zero_()
        naive.point.bias.zero_()
    assert torch.equal(told(naive, data, [20])[0, :, :, 0], data.target[19].expand(9, -1))


@pytest.mark.parametrize("sees", SEES)
def test_a_level_is_seen_where_it_is_asked_for(sees: str) -> None:
    data, examples = rich(2, season=3), [20, 41, 104]
    for level in LEVELS:
        net = network(data, sees, level, segment=2)
        moved = told(net, changed(data, 1, 2.0), examples) - told(net, data, examples)
        assert torch.allclose(moved[:, :, 1], torch.tensor(2.0), atol=1e-4) == (level != SEEN)


@given(st.integers(1, 3000), st.integers(1, 800), st.integers(1, 800))
def test_segments_are_a_season_or_a_part_of_it(context: int, horizon: int, season: int) -> None:
    found = segments(context, horizon, season)
    usual, *others = found
    assert len(set(found)) == len(found)
    assert all(1 <= length <= context for length in found)
    assert all(length <= max(1, min(LONGEST_SEGMENT, context // 3)) for length in found)
    if 1 < season <= context:
        parts = range(1, season + 1)
        assert usual in {season // count for count in parts}
        if season <= min(LONGEST_SEGMENT, context // 3):
            assert usual == season
    assert others == [one for one in (usual // 2, usual // 4, 2 * usual) if one in others]
    for length in others:
        assert context / length <= 32
        assert length <= max(usual, horizon)


@pytest.mark.parametrize(
    ("context", "horizon", "season", "expected"),
    [
        (96, 24, 24, (24, 12, 6)),
        (336, 96, 24, (24, 12, 48)),
        (48, 12, 12, (12, 6, 3)),
        (36, 6, 168, (6, 3)),  # a season that no context holds
        (24, 12, 12, (6, 3, 1)),
        (1, 1, 1, (1,)),
    ],
)
def test_usual_segments(context: int, horizon: int, season: int, expected: tuple[int, ...]) -> None:
    found = segments(context, horizon, season)
    assert found[0] == expected[0]
    assert set(expected) <= set(found)


def test_a_season_is_offered_where_a_window_holds_one() -> None:
    for season, context in itertools.product((1, 2, 8, 9), (8, 9)):
        layout = Layout(task="forecast", targets=("a",), season=season, context=context, horizon=2)
        assert (SEASON in levels(layout)) == (1 < season <= context)
        assert levels(layout)[0] == LAST
        assert SEEN in levels(layout)
        several = layout.model_copy(update={"targets": ("a", "b")})
        assert SEEN not in levels(several)


@pytest.mark.parametrize("segment", [1, 3, 5])
def test_it_takes_as_few_steps_as_segments_need(segment: int) -> None:
    net = network(rich(1), OWN, LAST, segment=segment)
    assert (net.windows, net.places) == (math.ceil(8 / segment), math.ceil(3 / segment))
