"""A case made concrete: weights, inputs, and the layer and its references as sides of a race."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gatewright import cells
from gatewright.bench.cases import TRAINING, Case
from gatewright.equations import Cell

if TYPE_CHECKING:
    from gatewright.backends.choice import Backend

SEED = 20240


Make = Callable[..., Any]  # (cell name, input size, hidden size, backend=None) -> a layer


def make_layer(
    cell: str, input_size: int, hidden_size: int, *, backend: Backend | None = None
) -> Any:
    """The layer of gatewright; tests put another in its place."""
    from gatewright.layers import Recurrent

    return Recurrent(cell, input_size, hidden_size, backend=backend)


@dataclass
class Side:
    """One contestant. ``work`` is what is timed, ``results`` what it must have computed."""

    name: str
    work: Callable[[], object]
    results: Callable[[], dict[str, Tensor]]


@dataclass
class Problem:
    """Everything that the sides of one case share."""

    case: Case
    cell: Cell
    weights: dict[str, Tensor]  # by the layer's parameter names
    x: Tensor  # (time, batch, input_size)
    gradient: Tensor  # of the loss by the output, (time, batch, hidden_size)
    lengths: Tensor | None

    @property
    def training(self) -> bool:
        return self.case.work == TRAINING

    @property
    def operations(self) -> int:
        """Operations of the products: one pass forward, as much again for each of dx and dW."""
        shape = self.case.shape
        rows = shape.time * shape.batch if self.lengths is None else int(self.lengths.sum())
        width = len(self.cell.x_projections) * shape.input_size
        width += len(self.cell.h_projections) * shape.hidden_size
        return 2 * rows * shape.hidden_size * width * (3 if self.training else 1)


def pose(case: Case, make: Make = make_layer) -> tuple[Problem, Any]:
    """The problem of a case, from a fixed seed, and the layer under test."""
    shape, generator = case.shape, torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        layer = make(case.cell, shape.input_size, shape.hidden_size)
    lengths = None
    if case.group == "lengths":
        lengths = torch.randint(1, shape.time + 1, (shape.batch,), generator=generator)
    problem = Problem(
        case=case,
        cell=cells.get(case.cell),
        weights={name: value.detach().clone() for name, value in layer.named_parameters()},
        x=torch.randn(shape.time, shape.batch, shape.input_size, generator=generator),
        gradient=torch.randn(shape.time, shape.batch, shape.hidden_size, generator=generator),
        lengths=lengths,
    )
    return problem, layer


def layer_side(name: str, problem: Problem, layer: Any, dtype: torch.dtype = torch.float32) -> Side:
    """A layer of gatewright at this problem; in float64 it is the truth that others are held to."""
    layer.load_state_dict(problem.weights)
    layer.to(dtype)
    if problem.case.group == "step":
        return _step_side(name, problem, layer)
    lengths = {} if problem.lengths is None else {"lengths": problem.lengths}

    def run(x: Tensor) -> Tensor:
        output, _ = layer(x, **lengths)
        return output  # type: ignore[no-any-return]

    return torch_side(name, problem, layer, run, dtype)


def references(problem: Problem, make: Make = make_layer) -> tuple[Side, Side]:
    """The cell's own reference in float32, and in float64 as the truth."""
    shape = problem.case.shape
    sides = []
    for dtype in (torch.float32, torch.float64):
        layer = make(problem.case.cell, shape.input_size, shape.hidden_size, backend="reference")
        sides.append(layer_side("reference", problem, layer, dtype))
    return sides[0], sides[1]


def torch_side(
    name: str,
    problem: Problem,
    module: Any,
    run: Callable[[Tensor], Tensor],
    dtype: torch.dtype = torch.float32,
) -> Side:
    """A torch module at this problem: ``run`` gives the output of an input.

    A training step is the pass forward, then backward from a fixed gradient for the input and the
    parameters; forward alone runs in inference mode. The optimiser is left out.
    """
    x = problem.x.to(dtype, copy=True).requires_grad_(problem.training)
    gradient = problem.gradient.to(dtype)

    def forward() -> Tensor:
        with torch.inference_mode():
            return run(x)

    def train() -> Tensor:
        x.grad = None
        module.zero_grad(set_to_none=True)
        output = run(x)
        output.backward(gradient)
        return output

    def results() -> dict[str, Tensor]:
        if not problem.training:
            return {"output": forward()}
        results = {"output": train().detach(), "gradient of x": _gradient(x)}
        for label, parameter in module.named_parameters():
            results[f"gradient of {label}"] = _gradient(parameter)
        return results

    return Side(name, train if problem.training else forward, results)


def _gradient(value: Tensor) -> Tensor:
    if value.grad is None:
        raise RuntimeError("the backward pass left a gradient out")
    return value.grad.clone()


def _step_side(name: str, problem: Problem, layer: Any) -> Side:
    x = problem.x[0].to(next(layer.parameters()).dtype)
    with torch.inference_mode():
        _, state = layer.step(x)

    def results() -> dict[str, Tensor]:
        with torch.inference_mode():
            output, _ = layer.step(x, state)
        return {"output": output}

    return Side(name, lambda: layer.step(x, state), results)
