"""Arrays whose channels stand before time, as in aeon, and arrays that may be such."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.estimators import SequenceClassifier, SequenceRegressor

QUICK: dict[str, Any] = {"hidden_size": 8, "epochs": 1, "steps_per_epoch": 5}


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    torch_threads(1)


def test_channels_may_stand_before_time(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 9, 3))
    y = x[:, -1, 0] > 0
    expected = SequenceClassifier(**QUICK).fit(x, y).predict_proba(x)
    first = np.ascontiguousarray(x.swapaxes(1, 2))  # as aeon has them
    found = SequenceClassifier(channels_first=True, **QUICK)
    for other in (first, first.tolist(), list(first)):
        assert found.fit(other, y).n_features_in_ == 3
        np.testing.assert_array_equal(found.predict_proba(other), expected)
    found.save(tmp_path / "kept")
    back = SequenceClassifier.load(tmp_path / "kept")
    np.testing.assert_array_equal(back.predict_proba(first), expected)
    with pytest.raises(InputError, match=r"9 channels, but .* as arrays \(channels, time\)"):
        found.predict(x)
    short = [each[:, : 4 + number % 3] for number, each in enumerate(first)]
    assert found.fit(short, y).n_features_in_ == 3
    with pytest.raises(InputError, match=r"\(time, channels\) with channels_first=False"):
        SequenceClassifier(**QUICK).fit(short, y)
    # Sequences of one channel have no order.
    flat = SequenceClassifier(**QUICK).fit(x[:, :, 0], y).predict_proba(x[:, :, 0])
    one = found.fit(x[:, :, 0], y)
    np.testing.assert_array_equal(one.predict_proba(x[:, :, 0]), flat)
    np.testing.assert_array_equal(one.predict_proba(list(x[:, :, 0])), flat)


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_more_channels_than_steps_are_asked_about(kind: Any) -> None:
    x = np.random.default_rng(0).normal(size=(20, 2, 50))
    y = [0, 1] * 10
    for given in (x, list(x), x.tolist(), x[:, :1]):
        with pytest.warns(UserWarning, match=r"50 channels: .* give channels_first=True, else"):
            kind(**QUICK).fit(given, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for said in (True, False):
            kind(channels_first=said, **QUICK).fit(x, y)
        kind(**QUICK).fit(x.swapaxes(1, 2), y)
        kind(**QUICK).fit(x[:, 0], y)
        kind(**QUICK).fit([each[: 1 + place % 2] for place, each in enumerate(x)], y)
        kind(**QUICK).fit(x[:, :, :2], y)  # as many of both


def test_channels_first_is_yes_or_no() -> None:
    with pytest.raises(InputError, match="channels_first is True or False, not 'no'"):
        SequenceClassifier(channels_first="no").fit(np.zeros((4, 3, 2)), [0, 1, 0, 1])  # type: ignore[arg-type]
