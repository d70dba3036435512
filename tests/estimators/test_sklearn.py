"""scikit-learn's own checks of an estimator's conventions, every one of them run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from gatewright.estimators import SequenceClassifier, SequenceRegressor

# The checks fit a few hundred times: briefly, but where a check asks how well it was learned.
BRIEFLY = {"hidden_size": 16, "learning_rate": 0.02, "epochs": 3, "steps_per_epoch": 10}
WELL = {"hidden_size": 32, "learning_rate": 0.01, "epochs": 20, "steps_per_epoch": 20}
ASK_HOW_WELL = {"check_classifiers_train", "check_regressors_train", "check_classifiers_classes"}

# scipy reads SCIPY_ARRAY_API when it is imported: this check needs a process of its own.
WITH_ARRAY_API = "check_array_api_input"
RUN_IT = f"""
from sklearn.utils.estimator_checks import estimator_checks_generator
from gatewright.estimators import SequenceClassifier, SequenceRegressor

for kind in (SequenceClassifier, SequenceRegressor):
    (found,) = (
        (estimator, check)
        for estimator, check in estimator_checks_generator(kind(**{BRIEFLY}))
        if check.func.__name__ == "{WITH_ARRAY_API}"
    )
    estimator, check = found
    check(estimator)
"""


@pytest.fixture(autouse=True)
def one_thread(torch_threads: Callable[[int], None]) -> None:
    torch_threads(1)


@pytest.mark.slow
@parametrize_with_checks([SequenceClassifier(**BRIEFLY), SequenceRegressor(**BRIEFLY)])
def test_scikit_learn_conventions(estimator: Any, check: Any) -> None:
    name = check.func.__name__
    if name == WITH_ARRAY_API:
        pytest.skip("the test below runs it, in a process of its own")
    if name in ASK_HOW_WELL:
        estimator = clone(estimator).set_params(**WELL)
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"the check was not run: {reason}")


@pytest.mark.slow
def test_the_check_with_arrays_of_the_array_api() -> None:
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", RUN_IT], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
