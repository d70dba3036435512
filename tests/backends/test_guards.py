"""What reaches the engine by side doors: compiled programs, other threads, replaced weights."""

import os
import threading

import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright import cells
from gatewright.backends import native, reference
from gatewright.backends.native.operators import forward_operator
from gatewright.compiler.printers.cpp import source
from gatewright.equations import cell, sigmoid, step


@pytest.mark.parametrize("lengths", [[4, 2, 5], [4, -1, 2], [4, 2]])
def test_lengths_are_checked_where_the_layer_cannot(lengths):
    """A compiled or exported program calls the operator with lengths that nobody has seen."""
    layer = gw.LSTM(2, 3, bidirectional=True)
    x, states = torch.randn(4, 3, 2), [torch.zeros(2, 3, 3), torch.zeros(2, 3, 3)]
    parameters = list(layer.parameters())
    with pytest.raises(ValueError, match=r"lengths should be"):
        forward_operator(
            layer.cell.name, x, states, parameters, 2, torch.tensor(lengths), None, None, False
        )


def test_weights_of_a_wrong_shape_are_refused():
    layer = gw.GRU(4, 8)
    layer.weight_hh_l0 = nn.Parameter(torch.randn(24, 7))
    with pytest.raises(RuntimeError, match=r"weight_hh should be \(24, 8\), got \(24, 7\)"):
        layer(torch.randn(3, 2, 4))
    with torch.no_grad(), pytest.raises(RuntimeError, match=r"weight_hh should be"):
        layer.step(torch.randn(2, 4), torch.zeros(1, 2, 8))


def test_several_threads_step_one_layer():
    """ctypes lets other Python threads run: each must get its own numbers."""
    layer = gw.LSTM(8, 16)
    wrong = []

    def work(seed):
        made = torch.Generator().manual_seed(seed)
        x = torch.randn(40, 1, 8, generator=made)
        with torch.no_grad():
            wanted, _ = layer(x)
            for _ in range(10):
                state = (torch.zeros(1, 1, 16), torch.zeros(1, 1, 16))
                for t in range(40):
                    y, state = layer.step(x[t], state)
                    if not torch.allclose(y, wanted[t], atol=1e-6):
                        wrong.append((seed, t))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_several_threads_pack_weights():
    def work():
        for _ in range(60):
            layer = gw.GRU(3, 5)
            with torch.no_grad():
                layer(torch.randn(2, 1, 3))
            layer.flatten_parameters()

    raised = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    before, threading.excepthook = threading.excepthook, raised.append
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = before
    assert not raised


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_steps(torch_threads):
    torch_threads(2)
    layer, state = gw.GRU(256, 256), torch.zeros(1, 1, 256)
    x = torch.randn(1, 256)
    with torch.no_grad():
        expected, _ = layer.step(x, state)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        with torch.no_grad():
            y, _ = layer.step(x, state)
        os.write(writer, b"same" if torch.equal(y, expected) else b"other")
        os._exit(0)
    import select

    ready, _, _ = select.select([reader], [], [], 60)
    answer = os.read(reader, 8) if ready else b"hangs"
    if not ready:
        os.kill(child, 9)
    os.waitpid(child, 0)
    assert answer == b"same"


def test_the_output_of_a_step_is_not_the_state():
    layer, state = gw.GRU(4, 8), torch.zeros(1, 2, 8)
    with torch.no_grad():
        y, new = layer.step(torch.randn(2, 4), state)
        kept = new.clone()
        y.zero_()
    assert torch.equal(new, kept)


def test_a_program_exported_without_gradients_gives_them():
    layer = gw.LSTM(3, 5)
    x = torch.randn(6, 2, 3)
    with torch.no_grad():
        program = torch.export.export(layer, (x,))
    ours = program.module()
    given = x.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(layer(given)[0].sum(), given)
    (found,) = torch.autograd.grad(ours(given)[0].sum(), given)
    torch.testing.assert_close(found, wanted)


@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)  # torch.func's own
def test_torch_func_and_forward_mode():
    layer = gw.GRU(3, 4).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    given = x.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(layer(given)[0].square().sum(), given)
    found = torch.func.grad(lambda value: layer(value)[0].square().sum())(x)
    torch.testing.assert_close(found, wanted)
    tangent = torch.randn_like(x)
    _, slope = torch.func.jvp(lambda value: layer(value)[0].square().sum(), (x,), (tangent,))
    torch.testing.assert_close(slope, (wanted * tangent).sum())


def test_cells_of_unusual_shape_are_generated():
    """A state that is a projection of the input, and a projection of one."""

    @cell
    def carried(x, h, state):
        return step(h=sigmoid(x.a + h.a) * state.b, b=x.b)

    @cell
    def projected(x, h, state):
        return step(h=sigmoid(x.b + h.b(x.a)) + state.h)

    for made in (carried, projected):
        text = source(made)
        assert "x<T>" not in text
        assert "forward_0" in text
        layer = gw.Recurrent(made, 3, 4)
        assert layer.backend.startswith("reference (the engine was built without the cell")
        assert layer(torch.randn(2, 1, 3))[0].shape == (2, 1, 4)


def test_the_reference_and_the_engine_are_two_things():
    """Or the comparisons of the other tests would compare a thing with itself."""
    assert native.run is not reference.run
    assert gw.Recurrent(cells.names()[0], 3, 4).backend.startswith("native")


@pytest.mark.parametrize("wrong", ["state", "mask", "zone", "dtype"])
def test_the_engine_is_not_led_outside_of_a_tensor(wrong):
    made = cells.get(cells.names()[0])
    layer = gw.Recurrent(made, 4, 8)
    states = [torch.zeros(1, 2, 8) for _ in made.states]
    options = {}
    if wrong == "state":
        states[-1] = torch.zeros(1, 1, 8)
    if wrong == "dtype":
        states[-1] = states[-1].double()
    if wrong == "mask":
        options["mask"] = torch.ones(1, 1, 1)
    if wrong == "zone":
        options["zone"] = torch.zeros(1, 3, 2, 9, 8)
    with pytest.raises(RuntimeError, match=wrong if wrong != "dtype" else "torch.float64"):
        native.run(made, torch.randn(3, 2, 4), states, layer.all_weights, **options)
