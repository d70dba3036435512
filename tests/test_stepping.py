"""Live streams: a step without autograd takes a short way, and gives what the slow way gives."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

import gatewright as gw
from gatewright import cells, native
from gatewright.native import library
from gatewright.native.stepping import Stepper

each_cell = pytest.mark.parametrize("name", cells.names())
LEVELS = library.load().levels
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
INPUT, HIDDEN = 7, 19


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


def tensors(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)


def state_for(layer: gw.Recurrent, batch: int | None = 1) -> Any:
    """A state above zero: a normaliser, which a cell may divide by, is never negative."""
    dtype = layer.weight_ih_l0.dtype
    shape = (layer.num_layers, *([] if batch is None else [batch]), layer.hidden_size)
    made = tuple(torch.rand(shape, dtype=dtype) + 0.1 for _ in layer.cell.states)
    return made if len(made) > 1 else made[0]


def input_for(layer: gw.Recurrent, *sizes: int) -> Tensor:
    return torch.randn(*sizes, layer.input_size, dtype=layer.weight_ih_l0.dtype)


def slow_step(layer: gw.Recurrent, x: Tensor, state: Any) -> list[Tensor]:
    """With autograd, where there is no short way."""
    with torch.enable_grad():
        y, state = layer.step(x, state)
    return [y.detach(), *(part.detach() for part in tensors(state))]


def assert_close(ours: list[Tensor], wanted: list[Tensor]) -> None:
    for a, b in zip(ours, wanted, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=TOLERANCE[b.dtype], atol=TOLERANCE[b.dtype])


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
        parameter.data.sub_(0.5)
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


# States -----------------------------------------------------------------------------------------


@each_cell
def test_old_states_stay_as_they_were(name: str) -> None:
    layer = gw.Recurrent(name, INPUT, HIDDEN, 2)
    states = [state_for(layer, 2)]
    outputs, kept = [], [[part.clone() for part in tensors(states[0])]]
    with torch.no_grad():
        for _ in range(4):
            y, state = layer.step(input_for(layer, 2), states[-1])
            states.append(state)
            outputs.append((y, y.clone()))
            kept.append([part.clone() for part in tensors(state)])
    for state, values in zip(states, kept, strict=True):
        assert all(map(torch.equal, tensors(state), values))
    assert all(torch.equal(y, value) for y, value in outputs)
    places = {part.data_ptr() for state in states for part in tensors(state)}
    assert len(places) == len(states) * len(layer.cell.states)


def test_an_output_changed_in_place_leaves_the_state_alone() -> None:
    layer = gw.GRU(4, 8)
    x, state = input_for(layer, 2), state_for(layer, 2)
    with torch.no_grad():
        y, new = layer.step(x, state)
        before = new.clone()
        y.zero_()
    assert torch.equal(new, before)


def test_streams_of_one_layer_in_several_threads_keep_apart(
    torch_threads: Callable[[int], None],
) -> None:
    """The engine runs without Python's lock: what a step needs must not be shared."""
    torch_threads(1)
    layer = gw.LSTM(16, 64, num_layers=2)
    xs = [input_for(layer, 500, 1) for _ in range(2)]
    start = state_for(layer)
    found: dict[tuple[str, int], Tensor] = {}

    def stream(kind: str, which: int) -> None:
        state, outputs = start, []
        with torch.inference_mode():
            for x in xs[which]:
                y, state = layer.step(x, state)
                outputs.append(y)
            found[kind, which] = torch.stack(outputs)

    for which in range(2):
        stream("alone", which)
    running = [threading.Thread(target=stream, args=("together", which)) for which in range(2)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for which in range(2):
        assert_close([found["together", which]], [found["alone", which]])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_steps(torch_threads: Callable[[int], None]) -> None:
    """A data loader's worker sets one thread, and steps a layer that has stepped on two."""
    code = """
import os, torch, gatewright as gw
torch.set_num_threads(2)
layer, x = gw.LSTM(256, 256), torch.randn(4, 256)
state = (torch.zeros(1, 4, 256),) * 2
with torch.inference_mode():
    wanted = layer.step(x, state)[0]
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        os._exit(0 if torch.equal(layer.step(x, state)[0], wanted) else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code) == "0"


def test_a_default_device_does_not_reach_the_engine() -> None:
    """torch.set_default_device moves new tensors elsewhere, where the engine cannot write."""
    code = """
import torch, gatewright as gw
layer, x, state = gw.GRU(4, 8), torch.randn(1, 4), torch.zeros(1, 1, 8)
other = gw.GRU(4, 8)
other.load_state_dict(layer.state_dict())
wanted = layer(x.unsqueeze(0), state)[0][0].detach()
torch.set_default_device("meta")
with torch.no_grad():
    for given in (layer, other):
        torch.testing.assert_close(given.step(x, state)[0], wanted)
        torch.testing.assert_close(given(x.unsqueeze(0), state)[0][0], wanted)
print("same")
"""
    assert run(code) == "same"


def run(code: str) -> str:
    """What a process of its own prints; such failures would end or stop this one."""
    # A child that hangs would hold the pipes open: the whole group is ended then.
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=30)[0].strip()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return f"hangs: {process.communicate()[0]}"


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


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_bad_input_raises_what_the_general_way_raises(name: str, mode: Callable[[], Any]) -> None:
    layer = getattr(gw, name)(4, 8, num_layers=2)
    x, state = input_for(layer, 3), state_for(layer, 3)
    good = tensors(state)

    def states(change: Callable[[Tensor], Any]) -> Any:
        changed = tuple(map(change, good))
        return changed if len(changed) > 1 else changed[0]

    wrong: list[tuple[Any, Any]] = [
        (x[:, :3], state),
        (x[:2], state),
        (x[0], state),
        (x.unsqueeze(0), state),
        (x.sum(), state),
        (x.double(), state),
        (x.long(), state),
        (x.to("meta"), state),
        (x, states(Tensor.double)),
        (x, states(lambda given: given[:1])),
        (x, states(lambda given: given[:, :2])),
        (x, states(lambda given: given[..., :5])),
        (x, states(lambda given: given[:, 0])),
        (x, states(lambda given: given.to("meta"))),
        (x, (None,) * len(good)),
        (x, (good[0],) * (len(good) + 1)),
        (x, (good[0],)),
        (x, [good[0]]),
        (x, ()),
        (x, 5),
        (x, "state"),
    ]
    wanted = slow_step(layer, x, state)
    with torch.no_grad():
        layer.step(x, state)  # prepared, as it is in the middle of a stream
    for x_t, given in wrong:
        with pytest.raises((RuntimeError, TypeError, ValueError)) as slow:
            layer.step(x_t, given)
        with mode(), pytest.raises(slow.type) as short_way:
            layer.step(x_t, given)
        assert type(short_way.value) is type(slow.value)
        assert str(short_way.value) == str(slow.value)
        with mode():  # and the stream goes on
            assert_close([layer.step(x, state)[0]], wanted[:1])


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
