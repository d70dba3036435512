"""Recurrent networks from their equations: cells, layers with torch.nn's interface, comparisons.

The names below are loaded when they are first used, so that ``import gatewright`` alone, as for
``gatewright --help``, does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewright.api import compare, load, refit
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
    from gatewright.errors import InputError
    from gatewright.estimators import Forecaster, SequenceClassifier, SequenceRegressor
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
    "Forecaster",
    "GRUCell",
    "InputError",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "Trace",
    "__version__",
    "cell",
    "compare",
    "exp",
    "load",
    "log_sigmoid",
    "maximum",
    "refit",
    "relu",
    "sigmoid",
    "softplus",
    "step",
    "tanh",
]

_LAYERS = ("GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrent", "Trace")
_ESTIMATORS = ("Forecaster", "SequenceClassifier", "SequenceRegressor")
_MODULES = {
    **dict.fromkeys(_LAYERS, "gatewright.layers"),
    **dict.fromkeys(_ESTIMATORS, "gatewright.estimators"),
    "InputError": "gatewright.errors",
    "compare": "gatewright.api",
    "load": "gatewright.api",
    "refit": "gatewright.api",
}  # of what is not in gatewright.equations


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in __all__:
        module = _MODULES.get(name, "gatewright.equations")
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
