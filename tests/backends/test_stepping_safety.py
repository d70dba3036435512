"""Live streams kept apart: from one another, from other threads, and from input that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gatewright as gw
from problems import ENGINE_CELLS
from streams import HIDDEN, INPUT, assert_close, input_for, slow_step, state_for, tensors

each_cell = pytest.mark.parametrize("name", ENGINE_CELLS)


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


@pytest.mark.slow
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


@pytest.mark.slow
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
