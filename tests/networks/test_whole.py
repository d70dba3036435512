"""Sequences read in segments: what a row is told does not depend on the rows beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import worlds
from gatewright import cells, tasks
from gatewright.data.batching import Batch
from gatewright.networks.encoder import POOLINGS
from gatewright.networks.whole import SequenceNetwork, segments
from gatewright.setting import Setting

TIME, LENGTHS = 11, [11, 1, 4, 7, 8]


def network(segment: int, pooling: str = POOLINGS[0], truncate: int = 0) -> SequenceNetwork:
    torch.manual_seed(1)
    setting = Setting(segment=segment, choices=(pooling,))
    preparation = worlds.of_task("classify").preparation
    return SequenceNetwork(preparation, truncate, cells.names()[0], 6, setting, 3)


def batch_of(net: SequenceNetwork, values: Tensor, lengths: list[int] | None) -> Batch:
    data = worlds.of_task("classify")
    task = tasks.get("classify")(data.preparation)
    some = task.examples.batch(data, task.examples.of_part(data, "train")[: values.shape[1]])
    codes = torch.zeros(*values.shape[:2], some.codes.shape[-1], dtype=some.codes.dtype)
    ends = None if lengths is None else torch.tensor(lengths)
    return replace(some, values=values, codes=codes, lengths=ends)


def values_for(net: SequenceNetwork, rows: int = len(LENGTHS)) -> Tensor:
    channels = len(worlds.of_task("classify").preparation.channels)
    return torch.randn(TIME, rows, channels)


@pytest.mark.parametrize("segment", [1, 2, 3, 4, 11, 20])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("truncate", [0, 5])
def test_a_row_alone_is_as_in_a_batch(segment: int, pooling: str, truncate: int) -> None:
    net = network(segment, pooling, truncate)
    values = values_for(net)
    for row, length in enumerate(LENGTHS):  # what is beyond a row's end has no part in it
        values[length:, row] = torch.nan if segment == 1 else 1e30
    together = net(batch_of(net, values, LENGTHS))
    for row, length in enumerate(LENGTHS):
        alone = net(batch_of(net, values[:length, row : row + 1], None))
        torch.testing.assert_close(together[row], alone[0])


@pytest.mark.parametrize("segment", [2, 4, 7])
def test_segments_are_what_one_cuts_by_hand(segment: int) -> None:
    net = network(segment)
    values = values_for(net)
    cut, counts = net._cut(values, torch.tensor(LENGTHS))
    assert counts is not None
    for row, length in enumerate(LENGTHS):
        pieces = list(values[:length, row].split(segment))
        assert counts[row] == len(pieces)
        lacking = segment - len(pieces[-1])
        pieces[-1] = torch.cat([pieces[-1], pieces[-1][-1:].expand(lacking, -1)])
        for number, piece in enumerate(pieces):
            assert torch.equal(cut[number, row], piece.flatten())


def test_every_step_has_a_part_in_it() -> None:
    net = network(4)
    values = values_for(net).requires_grad_()
    net(batch_of(net, values, None)).square().sum().backward()
    assert values.grad is not None
    assert (values.grad.abs().amax(-1) > 0).all()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (0, (1,)),
        (1, (1,)),
        (29, (1,)),
        (47, (1,)),
        (49, (2, 4, 1)),
        (150, (5, 10, 1)),
        (427, (13, 26, 6)),
        (100_000, (128, 256, 64)),
    ],
)
def test_which_segments_are_tried(steps: int, expected: tuple[int, ...]) -> None:
    assert segments(steps) == expected
