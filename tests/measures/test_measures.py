"""Every measure, computed again by other means: plain loops over numpy, and scikit-learn."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor

import worlds
from gatewright import measures, tasks
from gatewright.cli.asking import METRICS
from gatewright.data.prepared import Prepared
from gatewright.errors import InputError
from gatewright.measures import Averaged, Measured, Told
from gatewright.models.judging import Answers, measured
from gatewright.setting import Options
from gatewright.tasks import Task

LEVELS = tasks.get("forecast").levels
SEASON, HORIZON = 4, 3


def panel(missing: bool = True) -> Prepared:
    """Three series of two targets with other sizes: the last one never changes in training."""
    generator = torch.Generator().manual_seed(5)
    numbers = torch.randn(150, 2, generator=generator)
    numbers[100:130] = 0.5
    if missing:
        numbers[torch.rand(150, 2, generator=generator) < 0.1] = torch.nan
    bounds = [[0, 30, 40, 50], [50, 80, 90, 100], [100, 130, 140, 150]]
    data = worlds.series(numbers, season=SEASON, horizon=HORIZON, context=5, bounds=bounds)
    data.center[:] = torch.tensor([[3.0, -100.0], [0.0, 20.0], [7.0, 1.0]])
    data.scale[:] = torch.tensor([[2.0, 40.0], [1e-3, 1e6], [1.0, 5.0]])
    return data


def answers(task: Task, data: Prepared, prediction: Tensor | None = None) -> Answers:
    examples = task.examples.of_part(data, "test")
    batch = task.examples.batch(data, examples)
    if prediction is None:
        shape = (*batch.target.shape, 1 + len(LEVELS))
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(9))
        prediction = torch.cat([noise[..., :1], noise[..., 1:].sort(-1).values], -1)
    losses = task.losses(prediction, batch)
    units = torch.as_tensor(task.examples.units(data, examples))
    return Answers(examples, prediction, batch.target, losses, units, seconds=1.0)


def by_hand(data: Prepared, given: Answers) -> list[dict[str, Any]]:
    """Errors, one a known target: a plain loop in the column's own units."""
    found = []
    for place, origin in enumerate(given.examples.tolist()):
        (series,) = [at for at, row in enumerate(data.bounds.tolist()) if row[0] <= origin < row[3]]
        start, end = data.bounds[series, :2].tolist()
        for step in range(HORIZON):
            for target in range(2):
                came = given.target[place, step, target].item()
                if math.isnan(came):
                    continue
                center = data.center[series, target].item()
                scale = data.scale[series, target].item()
                values = (data.target[start:end, target].double() * scale + center).tolist()
                changes = [
                    abs(values[at] - values[at - SEASON])
                    for at in range(SEASON, len(values))
                    if not math.isnan(values[at]) and not math.isnan(values[at - SEASON])
                ]
                naive = sum(changes) / len(changes)
                every = given.prediction[place, step, target].double() * scale + center
                truth, point, quantiles = came * scale + center, every[0].item(), every[1:].tolist()
                pinballs = [
                    level * (truth - q) if truth >= q else (1 - level) * (q - truth)
                    for level, q in zip(LEVELS, quantiles, strict=True)
                ]
                size = abs(point) + abs(truth)
                found.append(
                    {
                        "series": data.items[series],
                        "step": str(step + 1),
                        "target": data.layout.targets[target],
                        "example": place,
                        "mae": abs(point - truth),
                        "mse": ((point - truth) / scale) ** 2,
                        "scaled_mae": abs(point - truth) / scale,
                        "rmse": (point - truth) ** 2,
                        "mase": abs(point - truth) / naive if naive > 1e-9 else math.nan,
                        "smape": 2 * abs(point - truth) / size if size else 0.0,
                        "wql": 2 * sum(pinballs) / len(pinballs),
                        "size": abs(truth),
                        "coverage": float(quantiles[0] <= truth <= quantiles[-1]),
                    }
                )
    return found


def value_by_hand(name: str, errors: list[dict[str, Any]]) -> Any:
    """What a measure is to be, as nearly as float32 predictions tell."""
    some = [one for one in errors if not math.isnan(one[name])]
    if not some:
        return None
    total = sum(one[name] for one in some)
    count = sum(one["size"] for one in some) if name == "wql" else len(some)
    value = math.sqrt(total / count) if name == "rmse" else total / count
    return pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("missing", [True, False])
def test_measures_of_forecasts_are_those_of_a_plain_loop(missing: bool) -> None:
    data = panel(missing)
    task = tasks.get("forecast")(data.preparation)
    given = answers(task, data)
    found, errors = measured(task, data, given), by_hand(data, given)
    assert set(found.overall) == set(task.measures)
    for name in task.measures:
        assert found.overall[name] == value_by_hand(name, errors), name
        for place in ("step", "series", "target"):
            parts = found.by[place]
            for label, value in zip(parts.names, parts.values[name], strict=True):
                own = [one for one in errors if one[place] == label]
                assert value == value_by_hand(name, own), (name, label)
    assert found.by["series"].values["mase"][2] is None  # it never changes in training
    assert found.by["series"].values["mae"][2] is not None


@pytest.mark.parametrize("name", ["mse", "mae", "rmse", "mase", "smape", "wql", "scaled_mae"])
def test_the_metric_asked_for_gives_the_losses(name: str) -> None:
    """One number an example: of RMSE its square, of the weighted quantile loss without weights."""
    data = panel()
    task = tasks.get("forecast")(data.preparation, Options(metric=name))
    given = answers(task, data)
    errors = by_hand(data, given)
    assert given.losses.dtype == torch.float64
    for place, loss in enumerate(given.losses.tolist()):
        own = [one[name] for one in errors if one["example"] == place and not math.isnan(one[name])]
        assert loss == pytest.approx(np.mean(own) if own else math.nan, rel=1e-5, nan_ok=True)
    assert task.metric == measures.get(name).decides


def test_the_loss_of_training_does_not_follow_the_metric() -> None:
    data = panel()
    usual, other = (
        tasks.get("forecast")(data.preparation, Options(metric=metric)) for metric in ("", "mae")
    )
    batch = usual.examples.batch(data, usual.examples.of_part(data, "test"))
    prediction = torch.zeros(*batch.target.shape, 1 + len(LEVELS))
    assert usual.loss(prediction, batch) == other.loss(prediction, batch)
    assert not torch.equal(usual.losses(prediction, batch), other.losses(prediction, batch))


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    data = panel()
    task = tasks.get("forecast")(data.preparation)
    given = answers(task, data)
    whole = measured(task, data, given)
    monkeypatch.setattr("gatewright.models.judging.MEASURED", 1)
    alone = measured(task, data, given)
    for name, value in whole.overall.items():
        assert alone.overall[name] == pytest.approx(value, rel=1e-12)
    assert whole.by["step"].names == alone.by["step"].names == ("1", "2", "3")


def labelled(classes: int, count: int = 120) -> tuple[Task, Prepared, Answers]:
    generator = torch.Generator().manual_seed(3)
    label = torch.randint(0, classes, (count, 1), generator=generator).float()
    values = [torch.zeros(2, 1) for _ in range(count)]
    data = worlds.sequences("classify", values, label, classes=classes)
    task = tasks.get("classify")(data.preparation)
    examples = task.examples.of_part(data, "test")
    own = torch.nn.functional.one_hot(label[examples, 0].long(), classes)
    prediction = torch.randn(len(examples), classes, generator=generator) + own
    return task, data, answers(task, data, prediction)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_measures_of_classes_are_those_of_scikit_learn(classes: int) -> None:
    task, data, given = labelled(classes)
    found = measured(task, data, given)
    label = given.target[:, 0].long().numpy()
    chances = given.prediction.double().softmax(-1).numpy()
    guess = chances.argmax(1)
    assert len(set(label)) == classes
    assert found.overall == pytest.approx(
        {
            "error_rate": 1 - metrics.accuracy_score(label, guess),
            "accuracy": metrics.accuracy_score(label, guess),
            "macro_f1": metrics.f1_score(label, guess, average="macro"),
            "log_loss": metrics.log_loss(label, chances, labels=range(classes)),
            "auc": np.mean([area_by_ranks(label == each, chances[:, each]) for each in set(label)]),
        }
    )
    confusion = metrics.confusion_matrix(label, guess, labels=range(classes))
    assert found.details["confusion"] == confusion.tolist()


def area_by_ranks(positive: Any, chance: Any) -> float:
    """How often one that is of the class is ranked before one that is not; ties count half."""
    pairs = [
        (own > other) + 0.5 * (own == other)
        for own in chance[positive]
        for other in chance[~positive]
    ]
    return float(np.mean(pairs))


def test_one_class_alone_has_no_area() -> None:
    task, data, given = labelled(3)
    given.target[:] = 1.0
    found = measured(task, data, given)
    assert found.overall["auc"] is None
    label, guess = given.target[:, 0].numpy(), given.prediction.argmax(1).numpy()
    assert found.overall["macro_f1"] == pytest.approx(
        metrics.f1_score(label, guess, average="macro")
    )


def test_a_class_said_to_be_impossible_costs_no_more_than_scikit_learn_says() -> None:
    task, data, given = labelled(3)
    given.prediction[:] = torch.tensor([1e4, 0.0, 0.0])
    chances = given.prediction.double().softmax(-1).numpy()
    wanted = metrics.log_loss(given.target[:, 0].numpy(), chances, labels=range(3))
    assert measured(task, data, given).overall["log_loss"] == pytest.approx(wanted)


def test_accuracy_decides_as_the_error_rate_does() -> None:
    _, data, given = labelled(3)
    options = [Options(metric=name) for name in ("", "accuracy")]
    kinds = [tasks.get("classify")(data.preparation, each) for each in options]
    batch = kinds[0].examples.batch(data, given.examples)
    usual, other = (kind.losses(given.prediction, batch) for kind in kinds)
    assert torch.equal(usual, other)
    assert [kind.metric for kind in kinds] == ["error rate", "error rate"]


def test_numbers_of_sequences_are_measured_in_own_units() -> None:
    target = torch.randn(60, 2, generator=torch.Generator().manual_seed(1))
    target[::7, 1] = torch.nan
    data = worlds.sequences("regress", [torch.zeros(2, 1)] * 60, target)
    update = {"target_mean": (10.0, -2.0), "target_scale": (3.0, 0.1)}
    data = Prepared(**{**vars(data), "preparation": data.preparation.model_copy(update=update)})
    task = tasks.get("regress")(data.preparation)
    given = answers(task, data, torch.zeros(len(task.examples.of_part(data, "test")), 2))
    found = measured(task, data, given)
    away = (given.target.double() * torch.tensor([3.0, 0.1])).numpy()
    assert found.overall["mae"] == pytest.approx(np.nanmean(np.abs(away)))
    assert found.overall["rmse"] == pytest.approx(np.sqrt(np.nanmean(away**2)))
    assert found.by["target"].values["mae"] == pytest.approx(np.nanmean(np.abs(away), 0).tolist())
    assert set(found.by) == {"target"}


def test_nothing_right_or_wrong_is_no_percentage() -> None:
    """A forecast of zero where zero came."""
    data = worlds.series(torch.zeros(60, 1), horizon=1)
    data.center[:] = 0.0
    task = tasks.get("forecast")(data.preparation)
    examples = task.examples.of_part(data, "test")
    given = answers(task, data, torch.zeros(len(examples), 1, 1, 1 + len(LEVELS)))
    found = measured(task, data, given)
    assert found.overall["smape"] == 0.0
    assert found.overall["wql"] is None  # nothing to be weighted by
    assert found.overall["mase"] is None
    assert found.by == {}
    assert Measured.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("name", tasks.names())
def test_what_cannot_decide_is_refused_with_those_that_can(name: str) -> None:
    task = tasks.get(name)
    unable = []
    for each in map(measures.get, task.measures):
        if each.decides:
            assert task.deciding(Options(metric=each.name)) is measures.get(each.name)
        else:
            unable.append(each.name)
    for metric in (*unable, "nonsense"):
        with pytest.raises(InputError, match="give one of ") as raised:
            task.deciding(Options(metric=metric))
        assert metric in str(raised.value)
        assert task.measures[0] in str(raised.value)


def test_every_measure_is_of_some_task_and_in_the_help() -> None:
    named = {name for task in tasks.names() for name in tasks.get(task).measures}
    assert named == set(measures.names())
    for name in named:
        each = measures.get(name)
        assert each.name == name
        assert not each.decides or isinstance(each, Averaged)
        if each.decides:
            assert re.search(rf"^- .*\b{name}\b.*: ", METRICS, re.MULTILINE)


def test_usual_losses_are_squares() -> None:
    data = worlds.waves()
    task = tasks.get("forecast")(data.preparation)
    given = answers(task, data)
    direct = (given.prediction[..., 0] - given.target).double().square().mean((1, 2))
    torch.testing.assert_close(given.losses, direct, rtol=1e-6, atol=1e-7)
    told = Told(task.examples, data, given.examples, given.prediction, given.target, task.levels)
    assert measures.get("mse").value(told) == pytest.approx(direct.mean().item(), rel=1e-6)
