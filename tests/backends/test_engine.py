"""The engine against the reference: every cell, every CPU level this machine has."""

import functools
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gatewright as gw
from gatewright import cells
from gatewright.backends import native, reference
from gatewright.backends.native import library
from problems import ENGINE_CELLS, Given, make

LEVELS = library.load().levels
BY_LEVEL = pytest.mark.parametrize("level", LEVELS)
BY_CELL = pytest.mark.parametrize("name", ENGINE_CELLS)
EXACTNESS_SHAPES = [
    (20, 6, 12, 48),
    (7, 16, 40, 33),
    (40, 3, 5, 64),
    (21, 6, 12, 48),
    (22, 6, 12, 48),
    (30, 8, 20, 64),
    (12, 5, 7, 40),
]


def results_of(run, given: Given) -> list[torch.Tensor]:
    """Output, finals and gradients."""
    output, finals = run(given.cell, given.x, given.states, given.parameters, **given.options)
    values = [output, *finals]
    grads = torch.autograd.grad(values, given.inputs, given.weights_of(values))
    return [*(value.detach() for value in values), *grads]


@functools.cache
def wanted(
    name: str, *shape: int, dtype: torch.dtype = torch.float64, **options: bool
) -> list[torch.Tensor]:
    """What the reference finds: once for all levels and numbers of threads."""
    return results_of(reference.run, make(name, *shape, **options).to(dtype))


def assert_close(given: Given, expected: list[torch.Tensor]) -> None:
    for ours, true in zip(results_of(native.run, given), expected, strict=True):
        torch.testing.assert_close(ours, true, rtol=1e-12, atol=1e-12)


@BY_LEVEL
@BY_CELL
@pytest.mark.parametrize("threads", [1, 2])
def test_engine_equals_reference_with_all_options(name, level, threads, torch_threads):
    torch_threads(threads)
    shapes = [(6, 9, 3, 17, 2), (7, 2, 5, 70, 1), (3, 40, 70, 16, 2), (4, 20, 0, 40, 1)]
    for (time, batch, inputs, hidden, directions), varied in itertools.product(shapes, (0, 1)):
        options = dict.fromkeys(("lengths", "mask", "zone"), bool(varied))
        problem = (name, time, batch, inputs, hidden, directions)
        with native.at_level(level):
            assert_close(make(*problem, **options), wanted(*problem, **options))


@BY_LEVEL
@BY_CELL
def test_engine_takes_every_hidden_size(name, level):
    """One unit to two vectors and one unit, where the last vector is cut."""
    with native.at_level(level):
        for hidden in range(1, 34):
            problem = (name, 2, 3, 2, hidden, 1)
            assert_close(make(*problem), wanted(*problem))


@pytest.mark.slow
@BY_LEVEL
@BY_CELL
def test_float32_is_as_exact_as_torch(name, level):
    """Rule: the error against float64 is at most twice that of the float32 reference.

    Of outputs, final states and every gradient, as a root mean square over several problems: the
    largest single error of either side is a matter of luck.
    """
    squares = torch.zeros(2, 64, dtype=torch.float64)
    for time, batch, inputs, hidden in EXACTNESS_SHAPES:
        problem = (name, time, batch, inputs, hidden, 2)
        exact = wanted(*problem, lengths=True)
        theirs = wanted(*problem, lengths=True, dtype=torch.float32)
        with native.at_level(level):
            ours = results_of(native.run, make(*problem, lengths=True).to(torch.float32))
        for side, found in enumerate((ours, theirs)):
            for place, (value, true) in enumerate(zip(found, exact, strict=True)):
                error = (value.double() - true) / true.abs().max()
                squares[side, place] += error.square().mean()
    ours, theirs = squares.sqrt()
    count = len(exact)
    assert bool((ours <= 2 * theirs).all()), (ours / theirs)[:count].tolist()


@BY_CELL
def test_inference_equals_training(name):
    given = make(name, 5, 9, 3, 20, 2, lengths=True, mask=True, zone=True)
    output, finals = native.run(
        given.cell, given.x, given.states, given.parameters, **given.options
    )
    with torch.inference_mode():
        again, same = native.run(
            given.cell, given.x, given.states, given.parameters, **given.options
        )
    assert torch.equal(output, again)
    assert all(torch.equal(a, b) for a, b in zip(finals, same, strict=True))


@pytest.mark.slow
@BY_CELL
def test_gradcheck_through_the_engine(name):
    given = make(name, 3, 2, 2, 3, 2, lengths=True)

    def run(*tensors):
        x, states, parameters = given.apart(tensors)
        output, finals = native.run(given.cell, x, states, parameters, **given.options)
        return (output, *finals)

    assert torch.autograd.gradcheck(run, given.inputs)


@pytest.mark.slow
@BY_CELL
def test_second_derivatives(name):
    given = make(name, 2, 2, 1, 2, 1)

    def run(*tensors):
        x, states, parameters = given.apart(tensors)
        output, finals = native.run(given.cell, x, states, parameters)
        return (output, *finals)

    assert torch.autograd.gradgradcheck(run, given.inputs)


@BY_CELL
@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_is_bitwise_repeatable(name, threads, torch_threads):
    torch_threads(threads)
    given = make(name, 9, 13, 4, 37, 2, lengths=True).to(torch.float32)
    first, again = results_of(native.run, given), results_of(native.run, given)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@BY_CELL
def test_outputs_do_not_depend_on_the_threads(name, torch_threads):
    outputs = []
    for threads in (1, 2):
        torch_threads(threads)
        for batch in (2, 16):  # split by units, and by rows
            given = make(name, 7, batch, 40, 64, 1).to(torch.float32)
            outputs.append(native.run(given.cell, given.x, given.states, given.parameters)[0])
    assert torch.equal(outputs[0], outputs[2])
    assert torch.equal(outputs[1], outputs[3])


@BY_CELL
def test_nothing_is_read_before_it_is_written(name):
    """Memory is filled with NaN when it is handed out."""
    given = make(name, 5, 7, 3, 19, 2, lengths=True, mask=True, zone=True)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.utils.deterministic.fill_uninitialized_memory
        assert torch.empty(3).isnan().all()
        assert_close(given, results_of(reference.run, given))
    finally:
        torch.use_deterministic_algorithms(before)


@BY_CELL
def test_nan_and_infinity_pass_as_in_torch(name):
    given = make(name, 4, 3, 2, 18, 1)
    with torch.no_grad():
        given.x[1, 0, 0] = float("nan")
        given.x[2, 1, 1] = float("inf")
        given.x[2, 2, 1] = float("-inf")
        ours, finals = native.run(given.cell, given.x, given.states, given.parameters)
        theirs, others = reference.run(given.cell, given.x, given.states, given.parameters)
    for a, b in zip([ours, *finals], [theirs, *others], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_shape_stride_and_length(data):
    """Shapes down to nothing, expanded and cut tensors: the reference's numbers, never a crash."""
    name = data.draw(st.sampled_from(ENGINE_CELLS))
    time, batch = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 9))
    inputs, hidden = data.draw(st.integers(0, 18)), data.draw(st.integers(1, 35))
    given = make(
        name,
        time,
        batch,
        inputs,
        hidden,
        data.draw(st.integers(1, 2)),
        lengths=data.draw(st.booleans()),
        mask=data.draw(st.booleans()),
        zone=data.draw(st.booleans()),
        bias=data.draw(st.booleans()),
        layout=data.draw(st.sampled_from(["time first", "batch first", "cut", "expanded"])),
    )
    with native.at_level(data.draw(st.sampled_from(LEVELS))):
        assert_close(given, results_of(reference.run, given))


def test_packed_weights_follow_every_change():
    given = make(cells.names()[0], 3, 2, 4, 8, 1)
    weight = given.parameters[0][0]

    def run():
        with torch.no_grad():
            ours = native.run(given.cell, given.x, given.states, given.parameters)[0]
            theirs = reference.run(given.cell, given.x, given.states, given.parameters)[0]
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)

    run()
    with torch.no_grad():
        weight.mul_(2)
    run()
    weight.data.add_(0.5)  # moves no version counter
    run()
    weight.data = torch.randn_like(weight)
    run()
    torch.optim.SGD([weight], lr=0.1).step()
    run()


@pytest.mark.slow
@BY_CELL
@pytest.mark.parametrize("scale", [1e30, 1e38, 3e38])
def test_gradients_overflow_only_where_they_are_out_of_range(name, scale):
    """Sums that leave float32 on their way and come back to it are as in float64."""
    torch.manual_seed(0)
    layer = gw.Recurrent(name, 3, 5)
    exact = gw.Recurrent(name, 3, 5, backend="reference", dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    largest = torch.finfo(torch.float32).max
    for _ in range(20):
        x = torch.randn(6, 3, 3).clamp(-1, 1) * scale
        gradients = []
        for each in (layer, exact):
            each.zero_grad()
            given = x.to(each.weight_ih_l0.dtype).requires_grad_()
            each(given)[0].sum().backward()
            gradients.append([p.grad for p in each.parameters()])
        for ours, true in zip(*gradients, strict=True):
            inside = true.abs() < largest * 0.99
            assert ours[inside].isfinite().all()
            beyond = true.abs() > largest * 1.01
            assert torch.equal(ours[beyond].sign() * torch.inf, ours[beyond].double())


@BY_CELL
@pytest.mark.parametrize("seed", [float("inf"), float("nan")])
def test_a_gradient_that_is_no_number_reaches_what_it_reaches_in_torch(name, seed):
    gradients = []
    for backend in ("native", "reference"):
        torch.manual_seed(0)
        layer = gw.Recurrent(name, 3, 17, backend=backend)
        x = torch.randn(4, 2, 3, requires_grad=True)
        output = layer(x)[0]
        output.backward(torch.full_like(output, seed))
        gradients.append([x.grad, *(p.grad for p in layer.parameters())])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.equal(ours.isfinite(), theirs.isfinite())
