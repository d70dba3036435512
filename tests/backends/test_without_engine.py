"""Where the engine cannot be loaded: layers run on the reference and say why. And when it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# What a person may do with layers, and what they then say; for each way to have no engine.
USE = """
import json
import torch, gatewright as gw

theirs, layer = torch.nn.LSTM(4, 8, 2), gw.LSTM(4, 8, 2)
layer.load_state_dict(theirs.state_dict())
x = torch.randn(5, 3, 4)
out, state = layer(x)
torch.testing.assert_close((out, state), theirs(x))
out.sum().backward()
assert all(parameter.grad is not None for parameter in layer.parameters())
layer(x, lengths=[5, 0, 2])
assert layer.trace(x)["forget"].shape == (5, 3, 8)
with torch.inference_mode():
    y, _ = layer.step(x[0], state)
    torch.testing.assert_close(y, theirs(x[:1], state)[0][0])
cell = gw.GRUCell(4, 8)
assert cell(x[0]).shape == (3, 8)
try:
    gw.LSTM(4, 8, backend="native")(x)
    error = "none"
except RuntimeError as raised:
    error = str(raised)
print(json.dumps({"backend": layer.backend, "error": error}))
"""


def run(code: str, **environment: str) -> str:
    """What a process of its own prints, and nothing but that."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    return result.stdout.strip()


def use(**environment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(USE, **environment))
    return found


def assert_says(found: dict[str, Any], *parts: str) -> None:
    """The reason, in one sentence: in brackets behind the backend, and in the error."""
    backend, error = found["backend"], found["error"]
    assert backend.startswith("reference (")
    assert backend.endswith(")")
    reason = backend.removeprefix("reference (").removesuffix(")")
    assert "\n" not in reason
    assert not reason.endswith(".")
    assert len(reason) < 400
    for part in parts:
        assert part in reason
    assert error == f"backend='native' was asked for, but {reason}"


def test_a_missing_library(tmp_path: Path) -> None:
    path = str(tmp_path / "missing.so")
    assert_says(use(GATEWRIGHT_ENGINE=path), path, "cannot be loaded", "No such file")


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_text("This is not a library.\n" * 100)
    assert_says(use(GATEWRIGHT_ENGINE=str(path)), str(path), "cannot be loaded")


def test_a_library_that_is_no_engine() -> None:
    import _ctypes

    path = getattr(_ctypes, "__file__", None)
    if path is None:
        pytest.skip("this Python has its extension modules built in")
    assert_says(use(GATEWRIGHT_ENGINE=path), path, "cannot be loaded")


def test_a_cpu_level_that_there_is_not() -> None:
    found = use(GATEWRIGHT_CPU="abacus")
    assert_says(found, "GATEWRIGHT_CPU is 'abacus'", "this processor has the levels", "baseline")


def test_a_cpu_level_that_there_is() -> None:
    found = use(GATEWRIGHT_CPU="baseline")
    assert found == {"backend": "native baseline", "error": "none"}


def test_the_engine_is_loaded_with_the_first_layer_and_torch_with_the_first_name() -> None:
    """``import gatewright`` is quick: what it does not need yet, it does not load."""
    code = """
import ctypes, sys
import gatewright
dir(gatewright)
assert "torch" not in sys.modules
assert not [name for name in sys.modules if name.startswith("gatewright.")]

import torch
loaded = []
class Recorded(ctypes.CDLL):
    def __init__(self, name, *arguments, **options):
        loaded.append(name)
        super().__init__(name, *arguments, **options)
ctypes.CDLL = Recorded

import gatewright.layers
from gatewright import GRU, LSTM, Recurrent, cell, sigmoid, step
assert not loaded, loaded
cells = [name for name in sys.modules if name.startswith("gatewright.cells.")]
assert not cells, cells  # no definition is traced before it is used
GRU(2, 3)
LSTM(2, 3)
print(len(loaded), "gatewright" in loaded[0])
"""
    assert run(code) == "1 True"
