"""Recurrent networks from their equations: cells, layers with torch.nn's interface, traces.

The names below are loaded when they are first used, so that ``import gatewright`` alone, as for
``gatewright --help``, does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewright.equations import (
        Cell,
        CellError,
        cell,
        exp,
        log_sigmoid,
        maximum,
        relu,
        sigmoid,
        softplus,
        step,
        tanh,
    )
    from gatewright.layers import (
        GRU,
        LSTM,
        RNN,
        GRUCell,
        LSTMCell,
        Recurrent,
        RNNCell,
        Trace,
    )

    __version__: str

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "CellError",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "Trace",
    "__version__",
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

_LAYERS = {"GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrent", "Trace"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in __all__:
        module = "gatewright.layers" if name in _LAYERS else "gatewright.equations"
        value = getattr(importlib.import_module(module), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gatewright")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
