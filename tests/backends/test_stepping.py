"""Live streams: a step without autograd takes a short way, and gives what the slow way gives."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

import gatewright as gw
from gatewright import cells
from gatewright.backends import native
from gatewright.backends.native import library
from gatewright.backends.native.stepping import Stepper
from problems import ENGINE_CELLS
from streams import HIDDEN, INPUT, assert_close, input_for, slow_step, state_for, tensors

each_cell = pytest.mark.parametrize("name", ENGINE_CELLS)
LEVELS = library.load().levels


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each step that could take the short way did take it."""
    taken: list[bool] = []
    original = Stepper.step

    def step(self: Stepper, x: Tensor, states: tuple[Tensor, ...]) -> list[Tensor] | None:
        made = original(self, x, states)
        taken.append(made is not None)
        return made

    monkeypatch.setattr(Stepper, "step", step)
    return taken


def assert_follows(layer: gw.Recurrent, short: list[bool], x: Tensor, state: Any) -> list[Tensor]:
    """The next step takes the short way and gives what the slow way does."""
    short.clear()
    with torch.no_grad():
        y, new = layer.step(x, state)
    assert short
    assert all(short)
    ours = [y, *tensors(new)]
    assert_close(ours, slow_step(layer, x, state))
    return ours


# The same numbers -------------------------------------------------------------------------------


@each_cell
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_loop_of_steps_equals_the_whole_sequence(
    name: str, dtype: torch.dtype, mode: Callable[[], Any], short: list[bool]
) -> None:
    time = 6
    for num_layers, batch, batch_first in itertools.product((1, 3), (None, 1, 5), (False, True)):
        layer = gw.Recurrent(name, INPUT, HIDDEN, num_layers, batch_first=batch_first, dtype=dtype)
        assert layer.backend.startswith("native")
        xs = input_for(layer, time, *([] if batch is None else [batch]))
        start = state_for(layer, batch)
        turned = batch_first and batch is not None
        whole, end = layer(xs.transpose(0, 1) if turned else xs, start)
        whole = whole.transpose(0, 1) if turned else whole
        short.clear()
        state, slow = start, start
        with mode():
            for t in range(time):
                y, state = layer.step(xs[t], state)
                assert_close([y], [whole[t].detach()])
        assert short == [True] * time
        assert_close(tensors(state), [part.detach() for part in tensors(end)])
        for t in range(time):
            _, *parts = slow_step(layer, xs[t], slow)
            slow = tuple(parts) if len(parts) > 1 else parts[0]
        assert len(short) == time
        assert_close(tensors(state), tensors(slow))


@each_cell
def test_without_biases_and_without_a_state_to_start_from(name: str, short: list[bool]) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2, bias=False, dtype=torch.float64)
    xs = input_for(layer, 4, 3)
    whole, end = layer(xs)
    state = None
    with torch.no_grad():
        for t in range(4):
            y, state = layer.step(xs[t], state)
            assert_close([y], [whole[t].detach()])
    assert_close(tensors(state), [part.detach() for part in tensors(end)])
    assert short == [True] * 3  # the first step has no state yet


@each_cell
def test_the_batch_may_change_between_steps(name: str, short: list[bool]) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    for batch in (1, 5, 2, 0, None, 9, 1, None):
        x = input_for(layer, *([] if batch is None else [batch]))
        assert_follows(layer, short, x, state_for(layer, batch))


@each_cell
def test_each_cpu_level_is_noticed(name: str, short: list[bool]) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    x, state = input_for(layer, 2), state_for(layer, 2)
    for level in (*LEVELS, *reversed(LEVELS)):
        with native.at_level(level):
            assert_follows(layer, short, x, state)
            assert layer._stepper is not None
            assert layer._stepper.level == library.load().levels.index(level)


def test_many_threads_give_the_same(
    torch_threads: Callable[[int], None], short: list[bool]
) -> None:
    """Wide enough that the engine shares a step out, at one number of threads after another."""
    layer = gw.Recurrent(cells.names()[0], 64, 160, 2)
    x, state = input_for(layer, 4), state_for(layer, 4)
    for threads in (2, 1, 2):
        torch_threads(threads)
        assert_follows(layer, short, x, state)


# What changes -----------------------------------------------------------------------------------


def in_place(layer: gw.Recurrent) -> None:
    with torch.no_grad():
        layer.weight_ih_l1.mul_(1.5)


def through_data(layer: gw.Recurrent) -> None:
    layer.weight_ih_l0.data.mul_(0.5)  # moves no version counter


def other_data(layer: gw.Recurrent) -> None:
    layer.weight_ih_l1.data = torch.randn_like(layer.weight_ih_l1)


def new_parameter(layer: gw.Recurrent) -> None:
    layer.weight_ih_l0 = Parameter(torch.randn_like(layer.weight_ih_l0))


def loaded(layer: gw.Recurrent) -> None:
    layer.load_state_dict({name: value * 1.5 for name, value in layer.state_dict().items()})


def assigned(layer: gw.Recurrent) -> None:
    values = {name: value * 1.5 for name, value in layer.state_dict().items()}
    layer.load_state_dict(values, assign=True)


def optimized(layer: gw.Recurrent) -> None:
    layer(input_for(layer, 2, 1))[0].sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()


def drawn_anew(layer: gw.Recurrent) -> None:
    layer.reset_parameters()


CHANGES = [
    in_place,
    through_data,
    other_data,
    new_parameter,
    loaded,
    assigned,
    optimized,
    drawn_anew,
]


@each_cell
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_weights_are_noticed_at_the_next_step(
    name: str, change: Callable[[gw.Recurrent], None], short: list[bool]
) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    x, state = input_for(layer, 3), state_for(layer, 3)
    before = assert_follows(layer, short, x, state)
    change(layer)
    after = assert_follows(layer, short, x, state)
    assert not torch.equal(before[0], after[0])


@each_cell
def test_a_change_of_any_parameter_is_noticed(name: str, short: list[bool]) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    x, state = input_for(layer, 3), state_for(layer, 3)
    assert_follows(layer, short, x, state)
    for parameter in layer.parameters():
        with torch.no_grad():
            parameter.add_(0.25)
        assert_follows(layer, short, x, state)
        parameter.data[0].sub_(0.5)
        assert_follows(layer, short, x, state)


@each_cell
def test_another_dtype_is_noticed(name: str, short: list[bool]) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    for dtype in (torch.float32, torch.float64, torch.float32):
        layer.to(dtype)
        assert_follows(layer, short, input_for(layer, 3), state_for(layer, 3))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_dtypes_that_the_engine_has_not_go_the_general_way(dtype: torch.dtype) -> None:
    layer = gw.GRU(4, 8).to(dtype)
    assert layer.backend.startswith("reference")
    x, state = input_for(layer, 2), state_for(layer, 2)
    with torch.no_grad():
        y, new = layer.step(x, state)
    assert all(map(torch.equal, [y, new], slow_step(layer, x, state)))


def test_other_weights_for_one_call_are_noticed(short: list[bool]) -> None:
    """torch.func.functional_call puts tensors in the place of parameters for a while."""

    class Around(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = gw.GRU(4, 8)

        def forward(self, x: Tensor, state: Tensor) -> Tensor:
            return self.layer.step(x, state)[0]

    module = Around()
    x, state = input_for(module.layer, 2), state_for(module.layer, 2)
    others = {name: value * 2 for name, value in module.named_parameters()}
    wanted = torch.func.functional_call(module, others, (x, state)).detach()
    before = assert_follows(module.layer, short, x, state)
    with torch.no_grad():
        assert_close([torch.func.functional_call(module, others, (x, state))], [wanted])
    assert torch.equal(assert_follows(module.layer, short, x, state)[0], before[0])


# Where there is no short way --------------------------------------------------------------------


def test_what_draws_random_numbers_goes_the_general_way(short: list[bool]) -> None:
    name = next(name for name in cells.names() if cells.get(name).h_projections)
    for options in ({"recurrent_dropout": 0.5}, {"dropout": 0.5}):
        layer = gw.Recurrent(name, INPUT, HIDDEN, 2, **options)
        x, state = input_for(layer, 3), state_for(layer, 3)
        short.clear()
        with torch.no_grad():
            first, again = layer.step(x, state)[0], layer.step(x, state)[0]
        assert not torch.equal(first, again)
        assert not short
        layer.eval()
        assert_follows(layer, short, x, state)


def test_zoneout_and_the_reference_have_no_short_way(short: list[bool]) -> None:
    for options in ({"zoneout": 0.3}, {"backend": "reference"}):
        layer = gw.Recurrent(cells.names()[0], INPUT, HIDDEN, **options).eval()
        x, state = input_for(layer, 3), state_for(layer, 3)
        with torch.no_grad():
            y, new = layer.step(x, state)
        assert not short
        assert_close([y, *tensors(new)], slow_step(layer, x, state))


def test_memory_of_any_layout(short: list[bool]) -> None:
    """What the short way does not take, the general way does."""
    layer = gw.LSTM(INPUT, HIDDEN)
    x, (h, c) = input_for(layer, 4), state_for(layer, 4)
    apart = torch.stack([h, h], -1)[..., 0]
    for given, state in (
        (x.t().contiguous().t(), (h, c)),
        (x[:1].expand(4, -1), (h, c)),
        (x, (apart, c)),
        (x, [h, c]),
    ):
        with torch.no_grad():
            y, new = layer.step(given, state)
        assert_close([y, *new], slow_step(layer, given, state))
    assert short == [False, False, False, True]


# Copies -----------------------------------------------------------------------------------------


@each_cell
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_of_a_layer_that_has_stepped_goes_its_own_way(
    name: str, how: str, short: list[bool]
) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    x, state = input_for(layer, 3), state_for(layer, 3)
    before = assert_follows(layer, short, x, state)
    twin = copy.deepcopy(layer) if how == "deepcopy" else pickle.loads(pickle.dumps(layer))
    in_place(layer)
    after = assert_follows(layer, short, x, state)
    same = assert_follows(twin, short, x, state)
    assert all(map(torch.equal, before, same))
    assert not torch.equal(after[0], same[0])
