"""jax as a peer: any cell, by running its equations under ``lax.scan`` and ``jit``."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy
import numpy
import torch
from torch import Tensor

from gatewright.bench.problem import Problem, Side
from gatewright.equations import Cell
from gatewright.equations.functions import compute, functions_of

_wait: Callable[[Any], Any] = jax.block_until_ready
_FUNCTIONS = functions_of("jax")


@compute.register(jax.core.Tracer)
def _compute(like: Any, name: str, *arguments: Any) -> Any:
    """A function of the language on jax's values."""
    return _FUNCTIONS[name](*arguments)


def side(problem: Problem) -> Side:
    """The side of jax: forward, or loss and gradients, each as one compiled program."""
    scan = _scan(problem.cell)
    weights = {name: jax.numpy.asarray(value.numpy()) for name, value in problem.weights.items()}
    x = jax.numpy.asarray(problem.x.numpy())
    gradient = jax.numpy.asarray(problem.gradient.numpy())

    def loss(x: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
        output = scan(x, weights)
        return (output * gradient).sum(), output

    step = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
    program = jax.jit(step if problem.training else scan)

    def results() -> dict[str, Tensor]:
        if not problem.training:
            return {"output": _tensor(program(x, weights))}
        (_, output), (by_x, by_weights) = program(x, weights)
        results = {"output": _tensor(output), "gradient of x": _tensor(by_x)}
        return results | {f"gradient of {name}": _tensor(by_weights[name]) for name in weights}

    return Side("jax", lambda: _wait(program(x, weights)), results)


def _tensor(array: Any) -> Tensor:
    return torch.tensor(numpy.array(array))


def _scan(cell: Cell) -> Callable[[Any, dict[str, Any]], Any]:
    """(x, weights) -> outputs; the input's products for all steps are one product up front."""
    plain = [name for name in cell.h_projections if name not in cell.applied]
    at = {name: number for number, name in enumerate(cell.h_projections)}

    def run(x: Any, weights: dict[str, Any]) -> Any:
        kind = {name.removesuffix("_l0"): value for name, value in weights.items()}
        size = kind["weight_ih"].shape[0] // len(cell.x_projections)
        products = x @ kind["weight_ih"].T + kind["bias_ih"]
        vectors = SimpleNamespace(**{name: kind[f"p_{name}"] for name in cell.vectors})

        def rows(name: str) -> slice:
            return slice(at[name] * size, (at[name] + 1) * size)

        # Transposed and stacked once, outside the loop; the loop has one product for all of them.
        stacked = bias = None
        if plain:
            stacked = jax.numpy.concatenate([kind["weight_hh"][rows(name)] for name in plain]).T
            bias = jax.numpy.concatenate([kind["bias_hh"][rows(name)] for name in plain])
        applied = {
            name: (kind["weight_hh"][rows(name)].T, kind["bias_hh"][rows(name)])
            for name in cell.applied
        }

        def step(state: dict[str, Any], row: Any) -> tuple[dict[str, Any], Any]:
            inputs = jax.numpy.split(row, len(cell.x_projections), axis=-1)
            h: dict[str, Any] = {
                name: lambda vector, pair=pair: vector @ pair[0] + pair[1]
                for name, pair in applied.items()
            }
            if plain:
                parts = jax.numpy.split(state["h"] @ stacked + bias, len(plain), axis=-1)
                h |= dict(zip(plain, parts, strict=True))
            done = cell(
                x=SimpleNamespace(**dict(zip(cell.x_projections, inputs, strict=True))),
                h=SimpleNamespace(**h),
                state=SimpleNamespace(**state),
                p=vectors,
            )
            return done.states, done.states["h"]

        zero = jax.numpy.zeros((x.shape[1], size), x.dtype)
        return jax.lax.scan(step, dict.fromkeys(cell.states, zero), products)[1]

    return run
