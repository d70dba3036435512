"""The engine's exp, tanh, sigmoid and their relatives against float64 and long double."""

import inspect

import numpy as np
import pytest

from gatewright.backends.native import library
from gatewright.equations import functions

ALLOWED = 4  # units in the last place


def _log_sigmoid(x):
    return np.where(x < 0, x, 0) - np.log1p(np.exp(-np.abs(x)))


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


TRUE = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: -_log_sigmoid(-x),
    "log_sigmoid": _log_sigmoid,
    "relu": lambda x: np.maximum(x, 0),
}
WIDER = {np.float32: np.float64, np.float64: np.longdouble}


def test_every_function_of_one_argument_is_measured():
    written = {name: getattr(functions, name) for name in functions.WRITTEN}
    unary = {name for name, one in written.items() if len(inspect.signature(one).parameters) == 1}
    assert unary == TRUE.keys()


def apply(name: str, level: int, x: np.ndarray) -> np.ndarray:
    result = np.empty_like(x)
    status = library.load().functions.gatewright_function(
        level, name.encode(), x.dtype == np.float64, x.size, x.ctypes.data, result.ctypes.data
    )
    assert status == 0
    return result


def whole_range(dtype) -> np.ndarray:
    """Every magnitude down to the smallest, densely where the functions bend."""
    random = np.random.default_rng(0)
    info = np.finfo(dtype)
    spread = np.exp2(random.uniform(np.log2(info.tiny) - 20, 10, 400_000))
    dense = (
        random.uniform(-120, 120, 400_000)
        if dtype == np.float32
        else (random.uniform(-760, 760, 400_000))
    )
    edges = [0.0, -0.0, info.max, -info.max, info.tiny, info.smallest_subnormal, 88.7, -87.4]
    bends = random.uniform(-2, 2, 200_000)
    return np.concatenate([spread, -spread, dense, bends, edges]).astype(dtype)


def ulps(ours: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The error in units in the last place of the true value as it would be rounded."""
    rounded = true.astype(ours.dtype)
    finite = np.isfinite(rounded)
    assert np.array_equal(ours[~finite], rounded[~finite])
    unit = np.spacing(np.abs(rounded[finite])).astype(true.dtype)
    return np.abs(ours[finite].astype(true.dtype) - true[finite]) / unit


@pytest.mark.parametrize("level", library.load().levels)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRUE)
def test_functions_over_the_whole_range(name, dtype, level):
    if dtype == np.float64 and np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        pytest.skip("this machine has nothing wider than float64 to compare with")
    x = whole_range(dtype)
    ours = apply(name, library.load().levels.index(level), x)
    with np.errstate(over="ignore", under="ignore"):
        errors = ulps(ours, TRUE[name](x.astype(WIDER[dtype])))
    assert errors.max() <= ALLOWED, (float(errors.max()), x[np.isfinite(ours)][errors.argmax()])


@pytest.mark.parametrize("level", library.load().levels)
@pytest.mark.parametrize("name", TRUE)
def test_functions_at_nan_and_infinity(name, level):
    place = library.load().levels.index(level)
    x = np.array([np.nan, np.inf, -np.inf], dtype=np.float32)
    ours = apply(name, place, x)
    with np.errstate(invalid="ignore"):
        expected = {
            "exp": [np.nan, np.inf, 0],
            "tanh": [np.nan, 1, -1],
            "sigmoid": [np.nan, 1, 0],
            "softplus": [np.nan, np.inf, 0],
            "log_sigmoid": [np.nan, 0, -np.inf],
            "relu": [np.nan, np.inf, 0],
        }[name]
    np.testing.assert_array_equal(ours, np.array(expected, dtype=np.float32))
