"""The language in which a cell is written; what follows from a cell is in ``gatewright.compiler``.

Standard library only, so that the engine can be generated where torch is not installed.
"""

from gatewright.equations.cell import Cell, cell, step
from gatewright.equations.expressions import CellError
from gatewright.equations.functions import (
    exp,
    log_sigmoid,
    maximum,
    relu,
    sigmoid,
    softplus,
    tanh,
)

__all__ = [
    "Cell",
    "CellError",
    "cell",
    "exp",
    "log_sigmoid",
    "maximum",
    "relu",
    "sigmoid",
    "softplus",
    "step",
    "tanh",
]
