"""Random problems for any cell: what a test of the engine and the reference needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gatewright import cells
from gatewright.compiler.kernel import unfit
from gatewright.equations import Cell

# The cells that the engine holds; the others run on the reference only.
ENGINE_CELLS = [name for name in cells.names() if unfit(cells.get(name)) is None]


@dataclass
class Given:
    cell: Cell
    x: Tensor
    states: list[Tensor]
    parameters: list[list[Tensor]]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Tensor]:
        return [self.x, *self.states, *[p for own in self.parameters for p in own]]

    def apart(self, tensors: tuple[Tensor, ...]):
        """x, states and parameters of tensors that stand for :attr:`inputs`."""
        held = iter(tensors[1 + len(self.states) :])
        parameters = [[next(held) for _ in own] for own in self.parameters]
        return tensors[0], list(tensors[1 : 1 + len(self.states)]), parameters

    def weights_of(self, values: list[Tensor]) -> list[Tensor]:
        """The same gradients for the same shapes, from outside."""
        made = torch.Generator().manual_seed(7)
        return [
            torch.randn(value.shape, generator=made, dtype=torch.float64).to(value.dtype)
            for value in values
        ]

    def to(self, dtype: torch.dtype) -> Given:
        def convert(tensor: Tensor) -> Tensor:
            return tensor.detach().to(dtype).requires_grad_()

        options = {
            name: value.to(dtype) if value.is_floating_point() else value
            for name, value in self.options.items()
        }
        return Given(
            self.cell,
            convert(self.x),
            [convert(state) for state in self.states],
            [[convert(p) for p in own] for own in self.parameters],
            options,
        )


def make(
    name: str,
    time: int,
    batch: int,
    inputs: int,
    hidden: int,
    directions: int,
    *,
    lengths: bool = False,
    mask: bool = False,
    zone: bool = False,
    bias: bool = True,
    layout: str = "batch first",
) -> Given:
    """A float64 problem; the same arguments give the same numbers."""
    cell = cells.get(name)
    torch.manual_seed(time + 10 * batch + 100 * inputs + 1000 * hidden)

    def leaf(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(*shape, dtype=torch.float64) * scale).requires_grad_()

    def parameters() -> list[Tensor]:
        x_rows, h_rows = len(cell.x_projections) * hidden, len(cell.h_projections) * hidden
        made = [leaf(x_rows, inputs, scale=0.5)]
        made += [leaf(h_rows, hidden, scale=hidden**-0.5)] if h_rows else []
        made += [leaf(x_rows)] if bias else []
        made += [leaf(h_rows)] if bias and h_rows else []
        return made + [leaf(hidden, scale=0.5) for _ in cell.vectors]

    # States above zero: a normaliser, which a cell may divide by, is never negative.
    states = [
        (torch.rand(directions, batch, hidden, dtype=torch.float64) + 0.1).requires_grad_()
        for _ in cell.states
    ]
    options: dict[str, Any] = {}
    if lengths:
        options["lengths"] = torch.randint(0, time + 1, (batch,))
    if mask:
        kept = torch.rand(directions, batch, hidden, dtype=torch.float64) > 0.3
        options["mask"] = kept.double() / 0.7
    if zone:
        shape = (directions, time, batch, len(cell.states), hidden)
        options["zone"] = (torch.rand(shape, dtype=torch.float64) > 0.6).double()
    x = _laid_out(layout, time, batch, inputs)
    return Given(cell, x, states, [parameters() for _ in range(directions)], options)


def _laid_out(layout: str, time: int, batch: int, inputs: int) -> Tensor:
    if layout == "expanded":
        x = torch.randn(1, batch, inputs, dtype=torch.float64).expand(time, batch, inputs)
    elif layout == "cut":
        x = torch.randn(inputs + 1, time + 2, batch * 2, dtype=torch.float64)
        x = x[1:, 1 : time + 1, ::2].permute(1, 2, 0)
    elif layout == "batch first":
        x = torch.randn(batch, time, inputs, dtype=torch.float64).transpose(0, 1)
    else:
        x = torch.randn(time, batch, inputs, dtype=torch.float64)
    return x.requires_grad_()
