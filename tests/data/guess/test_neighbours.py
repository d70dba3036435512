"""Tables of many columns without a date: rows that follow each other, or sequences in no order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.datasets
from numpy.typing import NDArray

from asked import guess
from gatewright.data.layout import Guess, Layout
from gatewright.data.table.reading import read
from gatewright.requests import Columns
from places import data_set

Numbers = NDArray[np.float64]


def sensors(change: Callable[[int, Numbers, Numbers], Numbers], rows: int = 300) -> Numbers:
    """Eight columns, each row made of the one before it and of noise."""
    random = np.random.default_rng(rows)
    values = random.normal(size=(rows, 8))
    for row in range(1, rows):
        values[row] = change(row, values[row - 1], values[row])
    return values


def smooth(rows: int = 300) -> Numbers:
    """Speeds that wander, added up."""
    return np.cumsum(np.cumsum(np.random.default_rng(1).normal(size=(rows, 8)), axis=0), axis=0)


def noisy(rows: int = 2000) -> Numbers:
    """What is measured lies under noise greater than a step."""
    walk = sensors(lambda _, before, new: before + 0.3 * new, rows)
    return walk + np.random.default_rng(2).normal(size=walk.shape)


SERIES = {
    "a random walk": sensors(lambda _, before, new: before + new),
    "a short random walk": sensors(lambda _, before, new: before + new, 60),
    "a smooth walk": smooth(),
    "under noise": noisy(),
    **{
        f"autoregressive {part}": sensors(lambda _, b, n, part=part: part * b + n)  # type: ignore[misc]
        for part in (0.5, 0.7, 0.9, 0.99)
    },
    "in whole numbers": np.round(10 * sensors(lambda _, before, new: before + new)),
}


def table(values: Numbers, label: Any = None) -> pl.DataFrame:
    frame = pl.DataFrame(values, schema=[f"x{number}" for number in range(values.shape[1])])
    return frame if label is None else frame.with_columns(label=pl.Series(np.asarray(label)))


def guessed(frame: pl.DataFrame, target: str, **flags: Any) -> tuple[Layout, dict[str, Guess]]:
    layout, guesses = guess(read(frame), Columns(targets=[target], **flags))
    return layout, {found.what: found for found in guesses}


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("target", ["x7", "x3"])
def test_columns_recorded_over_time_are_forecast(name: str, target: str) -> None:
    frame = table(SERIES[name])
    layout, said = guessed(frame, target)
    assert layout.task == "forecast"
    assert set(layout.inputs) == set(frame.columns) - {target}
    assert said["task"].argument == "task"
    assert "each row is like the one before it" in said["task"].why
    assert "`task='classify'` or regress makes each row a sequence" in said["task"].why
    # The flag that is told does what it says.
    layout, said = guessed(frame, target, task="regress")
    assert (layout.task, set(layout.steps)) == ("regress", set(frame.columns) - {target})


def test_with_missing_values_or_another_target_it_is_a_series_too() -> None:
    values = SERIES["a random walk"].copy()
    label = values[:, 7].copy()
    values[np.random.default_rng(0).random(values.shape) < 0.2] = np.nan
    assert guessed(table(values, label), "label")[0].task == "forecast"
    state = np.random.default_rng(0).integers(0, 2, 300).cumsum() // 10 % 3  # in runs
    assert guessed(table(SERIES["a random walk"], state), "label")[0].task == "forecast"
    layout, _ = guessed(table(SERIES["a random walk"], state), "label", task="classify")
    assert (layout.task, len(layout.steps)) == ("classify", 8)


def test_a_length_that_only_forecasts_have_makes_a_forecast() -> None:
    frame = table(np.random.default_rng(0).normal(size=(200, 8)))
    assert guessed(frame, "x7")[0].task == "regress"
    layout, said = guessed(frame, "x7", horizon=3)
    assert (layout.task, layout.horizon) == ("forecast", 3)
    assert said["task"].why.startswith("only forecasts have a `horizon`")


def sorted_by(label: Numbers, values: Numbers) -> tuple[Numbers, Numbers]:
    order = np.argsort(label, kind="stable")
    return values[order], label[order]


def archive(rows: int, classes: int, part: float = 3.0) -> tuple[Numbers, Numbers]:
    """As the UCR archive has them: 150 smooth steps whose shape is that of the class."""
    random = np.random.default_rng(rows)
    label = random.integers(0, classes, rows).astype(float)
    shapes = random.normal(size=(classes, 150)).cumsum(axis=1)
    return part * shapes[label.astype(int)] + random.normal(size=(rows, 150)).cumsum(axis=1), label


def gunpoint() -> tuple[Numbers, Numbers]:
    frame = pl.read_csv(data_set("gunpoint.csv")).pivot(
        on="step", index=["sequence", "label"], values="x"
    )
    return frame.drop("sequence", "label").to_numpy(), frame["label"].to_numpy().astype(float)


def bundled(name: str) -> Callable[[], tuple[Numbers, Numbers]]:
    return lambda: getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)


SEQUENCES: dict[str, tuple[Callable[[], tuple[Numbers, Numbers]], str]] = {
    "two classes": (lambda: archive(60, 2), "classify"),
    "eight classes": (lambda: archive(400, 8), "classify"),
    "classes of no difference": (lambda: archive(200, 3, 0.0), "classify"),
    "gunpoint": (gunpoint, "classify"),
    "digits": (bundled("digits"), "classify"),
    "iris": (bundled("iris"), "classify"),
    "wine": (bundled("wine"), "classify"),
    "breast_cancer": (bundled("breast_cancer"), "classify"),
    "diabetes": (bundled("diabetes"), "regress"),
}


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("order", ["as they come", "sorted", "falling", "shuffled", "in groups"])
def test_rows_that_only_share_a_label_stay_sequences(name: str, order: str) -> None:
    make, task = SEQUENCES[name]
    values, label = make()
    if order in ("sorted", "falling"):
        values, label = sorted_by(label if order == "sorted" else -label, values)
        label = np.abs(label)
    elif order == "shuffled":
        mixed = np.random.default_rng(0).permutation(len(label))
        values, label = values[mixed], label[mixed]
    elif order == "in groups" and task == "classify":  # 1, 2, ..., 0: the label falls once
        values, label = sorted_by((label - 1) % (label.max() + 1), values)
        label = (label + 1) % (label.max() + 1)
    layout, said = guessed(table(values, label), "label")
    assert (layout.task, len(layout.steps)) == (task, values.shape[1])
    assert "sequences" in said


def test_rows_of_one_person_after_another_stay_sequences() -> None:
    random = np.random.default_rng(0)
    people = np.repeat(random.normal(size=(60, 8)), 10, axis=0)
    values = people + random.normal(size=people.shape)
    assert guessed(table(values, random.normal(size=600)), "label")[0].task == "regress"


@pytest.mark.parametrize("seed", range(20))
def test_random_rows_are_no_series(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = int(random.integers(20, 400)), int(random.integers(3, 60))
    values = random.normal(size=(rows, columns))
    if seed % 2:
        values = values.cumsum(axis=1)  # the steps of a row follow each other, the rows do not
    assert guessed(table(values, random.normal(size=rows)), "label")[0].task == "regress"


def test_numbers_too_large_to_square_are_no_series_and_no_warning() -> None:
    values = np.random.default_rng(0).choice([-1.7e308, 1.0, 1.7e308], (200, 8))
    label = np.random.default_rng(1).normal(size=200)
    assert guessed(table(values, label), "label")[0].task == "regress"
