"""Labels of whole sequences, and what an estimator of numbers shares with that of labels."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y, validate_data

from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation
from gatewright.errors import InputError
from gatewright.estimators import arguments, saving
from gatewright.estimators.arrays import (
    Floats,
    Integers,
    RaggedArray,
    dimensions,
    fit_channels,
    hold_out,
    is_list,
    prepared,
)
from gatewright.folders import named
from gatewright.networks.encoder import ATTENTION, LAST
from gatewright.setting import Options, Setting
from gatewright.training import Model
from gatewright.training.predicting import predict_network


class SequenceEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What ``SequenceClassifier`` and ``SequenceRegressor`` share.

    Attributes after ``fit``:
        model_: the network and how its training went (``model_.epochs``).
        n_features_in_: channels; steps where X was (samples, time).
        steps_: steps of every sequence where X was (samples, time), else None.
    """

    task: ClassVar[str]
    model_: Model
    n_features_in_: int
    steps_: int | None

    def __init__(
        self,
        cell: str = "lstm",
        *,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        pooling: str = LAST,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        epochs: int = 40,
        steps_per_epoch: int = 200,
        patience: int = 8,
        validation_fraction: float = 0.1,
        truncate: int = 0,
        metric: str = "",
        channels_first: bool | None = None,
        random_state: Any = 0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.pooling = pooling
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.truncate = truncate
        self.metric = metric
        self.channels_first = channels_first
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Train a new network.

        Args:
            X: (samples, time), each row a sequence of one channel; (samples, time, channels); or a
                list of arrays (time, channels) or (time,) of different lengths. NaN where missing.
                With ``channels_first`` channels stand before time.
            y: (samples,); numbers may be (samples, targets) too.

        Warns:
            UserWarning: all sequences have one length, less than the channels, and
                ``channels_first`` was not given: time and channels may be the wrong way round.

        Raises:
            InputError: (a ValueError) an argument is out of its range, or sequences do not fit
                together; ValueError as scikit-learn's estimators do.
        """
        arguments.check(self)
        if self.pooling not in (LAST, ATTENTION):
            raise InputError(f"pooling is {LAST!r} or {ATTENTION!r}, not {self.pooling!r}")
        if not (self.channels_first is None or isinstance(self.channels_first, bool | np.bool_)):
            raise InputError(f"channels_first is True or False, not {self.channels_first!r}")
        sequences = self._read(X, fitting=True)
        if self.channels_first is None and sequences.wider_than_long:
            warnings.warn(
                f"X was taken for sequences of {sequences.lengths[0]} steps and "
                f"{sequences.channels} channels: where the second axis holds the channels, as in "
                "aeon, give channels_first=True, else channels_first=False",
                stacklevel=2,
            )
        target, label = self._read_target(y, len(sequences))
        random = check_random_state(self.random_state)
        held = hold_out(label, len(sequences), self.validation_fraction, random)
        layout = self._layout(sequences, target)
        preparation = Preparation(
            layout=layout,
            channels=fit_channels(sequences, ~held),
            **self._fit_target(target[~held], layout),
        )
        data = prepared(preparation, sequences, self._scale(target, preparation), held)
        seed = int(random.randint(2**31 - 1))
        self.model_ = arguments.train(
            arguments.recipe(self, seed, Setting(choices=(self.pooling,)), self._options()),
            data,
            arguments.stopping(self, patient=not held.any()),
        )
        return self

    @abstractmethod
    def _read_target(self, y: Any, samples: int) -> tuple[Floats, Integers | None]:
        """(samples, targets) as numbers, and the number of each class."""

    @abstractmethod
    def _fit_target(self, target: Floats, layout: Layout) -> dict[str, Any]:
        """What a preparation says of the targets of the training part."""

    def _scale(self, target: Floats, preparation: Preparation) -> Floats:
        return target

    def _options(self) -> Options:
        return Options(truncate=int(self.truncate), metric=self.metric)

    def _layout(self, sequences: RaggedArray, target: Floats) -> Layout:
        return Layout(
            task=self.task,
            targets=tuple(f"target {number}" for number in range(target.shape[1])),
            numbers=tuple(f"channel {number}" for number in range(sequences.channels)),
            sequence="sequence",
        )

    @np.errstate(over="ignore", invalid="ignore")  # scikit-learn sums to see what is finite
    def _read(self, X: Any, *, fitting: bool = False) -> RaggedArray:  # noqa: N803
        """X in any of its three forms, checked against what was seen in training."""
        check: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
        channels_first = bool(self.channels_first)
        if is_list(X):
            sequences, steps = RaggedArray.of_list(X, channels_first=channels_first), None
        elif dimensions(X) == 3:
            array = check_array(X, allow_nd=True, estimator=self, input_name="X", **check)
            sequences, steps = RaggedArray.of_array(array, channels_first=channels_first), None
        elif fitting or self.steps_ is not None:
            array = validate_data(self, X, reset=fitting, **check)
            sequences, steps = RaggedArray.of_array(array), array.shape[1]
        else:
            array = check_array(X, estimator=self, input_name="X", **check)
            sequences, steps = RaggedArray.of_array(array), None
        if fitting:
            self.steps_ = steps
            if steps is None:
                self.n_features_in_ = sequences.channels
                self.__dict__.pop("feature_names_in_", None)
        else:
            self._check_channels(sequences.channels)
        return sequences

    def _check_channels(self, channels: int) -> None:
        wanted = 1 if self.steps_ is not None else self.n_features_in_
        if channels != wanted:
            raise InputError(
                f"X has sequences of {channels} channels, but {type(self).__name__} was fitted on "
                f"{wanted}: give the same channels in the same order, as arrays "
                f"{'(channels, time)' if self.channels_first else '(time, channels)'}"
            )

    def _predict(self, X: Any) -> torch.Tensor:  # noqa: N803
        """(samples, outputs), as the task lays them out.

        In float64: float32 rounds differently for other sequences in the batch, and a prediction
        is not to depend on what else is predicted with it.
        """
        check_is_fitted(self)
        sequences, model = self._read(X), self.model_
        nothing = np.full((len(sequences), 1), np.nan)
        data = prepared(model.preparation, sequences, nothing, None)
        learned = model.parts[0].learned
        assert isinstance(learned, torch.nn.Module)
        return predict_network(
            copy.deepcopy(learned).double(),
            model.task,
            dataclasses.replace(data, values=data.values.double()),
            torch.arange(len(sequences)),
        )

    def save(self, folder: str | Path) -> None:
        """Write what ``load`` reads: JSON and safetensors, nothing that is code.

        Raises InputError where the folder holds something else, or labels cannot be written.
        """
        check_is_fitted(self)
        saving.save(self, named(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What ``save`` wrote. Raises InputError where it is something else."""
        return saving.load(cls, named(folder))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags


class SequenceClassifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
    """Tells which class a sequence belongs to, with a recurrent network.

    The training that ``gatewright.compare`` gives every network: AdamW, warm-up, cosine decay, and
    the weights of the epoch with the lowest loss on sequences held out. Repeatable for a given
    ``random_state``; torch's own random numbers stay as they are.

    Args:
        cell: the name of a cell, as ``gatewright cells`` lists them.
        hidden_size, num_layers: of the recurrent stack.
        dropout: between layers and before the last one.
        pooling: what of the sequence is judged: "last", its last step, or "attention", all steps
            weighed by a learned score.
        learning_rate: at its highest.
        batch_size: sequences a step.
        epochs: at most. An epoch is a pass over the training sequences, but at most
            ``steps_per_epoch`` steps, and 50 at least of so many.
        patience: epochs without a lower loss on validation after which training ends.
        validation_fraction: of the sequences, of each class, held out to tell when to stop. Where
            that is fewer than 10, none are: all epochs are trained, and the one with the lowest
            training loss is kept.
        truncate: steps after which gradients stop going further back; 0 for never.
        metric: the measure that decides, as ``gatewright.compare`` has it.
        channels_first: X is (samples, channels, time), aeon's order, and a list holds arrays
            (channels, time). By default channels come last, with a warning where that looks wrong.
        class_weights: each class counts the same in training, however many sequences it has.
        random_state: a seed, a numpy RandomState, or None for another result each time.

    Attributes after ``fit``:
        classes_: the labels, sorted.
        model_, n_features_in_, steps_: as in ``SequenceEstimator``.
    """

    task = "classify"

    def __init__(
        self,
        cell: str = "lstm",
        *,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        pooling: str = LAST,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        epochs: int = 40,
        steps_per_epoch: int = 200,
        patience: int = 8,
        validation_fraction: float = 0.1,
        truncate: int = 0,
        metric: str = "",
        channels_first: bool | None = None,
        class_weights: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            pooling=pooling,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            patience=patience,
            validation_fraction=validation_fraction,
            truncate=truncate,
            metric=metric,
            channels_first=channels_first,
            random_state=random_state,
        )
        self.class_weights = class_weights

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The most probable class of each sequence, (samples,)."""
        indexes = self._predict(X).argmax(1).numpy()
        classes: NDArray[Any] = self.classes_[indexes]
        return classes

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """The probability of each class, (samples, classes), in the order of ``classes_``."""
        probabilities: Floats = self._predict(X).softmax(1).numpy()
        return probabilities

    def _read_target(self, y: Any, samples: int) -> tuple[Floats, Integers | None]:
        _, y = check_X_y(np.zeros((samples, 1)), y, dtype=None, estimator=self)
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        return label[:, None].astype(np.float64), label

    def _fit_target(self, target: Floats, layout: Layout) -> dict[str, Any]:
        counts = np.bincount(target[:, 0].astype(np.int64), minlength=len(self.classes_))
        names = tuple(map(str, self.classes_.tolist()))
        return {"classes": names, "class_counts": tuple(counts.tolist())}

    def _options(self) -> Options:
        weights = bool(self.class_weights)
        return super()._options().model_copy(update={"class_weights": weights})
