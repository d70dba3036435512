"""Numbers of whole sequences: a regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_X_y

from gatewright.data.layout import Layout
from gatewright.data.prepare.extremes import limits_of, settled
from gatewright.data.prepare.scaling import LARGEST
from gatewright.data.prepared import Preparation
from gatewright.data.within import arrays
from gatewright.errors import InputError
from gatewright.estimators.arrays import Floats, Integers, RaggedArray
from gatewright.estimators.sequences import SequenceEstimator
from gatewright.networks.encoder import LAST
from gatewright.requests import Columns, Limits


class SequenceRegressor(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """Tells one or several numbers that go with a whole sequence, with a recurrent network.

    Trained as ``SequenceClassifier`` is, on squared error, with its arguments but
    ``class_weights``, and ``limits``: the least and the greatest number, (0, None) where there is
    no greatest one; (None, None) for no limits. By default what training reaches and does not pass,
    as ``gatewright.compare`` guesses it.

    Attributes after ``fit``:
        model_, n_features_in_, steps_: as in ``SequenceEstimator``.
    """

    task = "regress"

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
        limits: Limits | None = None,
        channels_first: bool | None = None,
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
        self.limits = limits

    def predict(self, X: Any) -> Floats:  # noqa: N803
        """The numbers of each sequence: (samples,), or (samples, targets) as y was."""
        scaled = self._predict(X).numpy()
        preparation = self.model_.preparation
        numbers: Floats = scaled * preparation.target_scale + np.array(preparation.target_mean)
        if preparation.limits:
            numbers = numbers.clip(*arrays(preparation.limits))
        return numbers[:, 0] if self._flat else numbers

    @np.errstate(over="ignore", invalid="ignore")
    def _read_target(self, y: Any, samples: int) -> tuple[Floats, Integers | None]:
        _, y = check_X_y(
            np.zeros((samples, 1)), y, multi_output=True, y_numeric=True, estimator=self
        )
        self._flat = y.ndim == 1
        numbers: Floats = y.reshape(samples, -1).astype(np.float64)
        return numbers, None

    def _layout(self, sequences: RaggedArray, target: Floats) -> Layout:
        layout = super()._layout(sequences, target)
        limits = Columns(limits=self.limits).limits_of(layout.targets)
        return layout.model_copy(update={"limits": limits})

    def _fit_target(self, target: Floats, layout: Layout) -> dict[str, Any]:
        with np.errstate(over="ignore", invalid="ignore"):
            spread = target.std(axis=0)
        if not np.isfinite(spread).all():
            raise InputError("y holds numbers too large to square: give it in a larger unit")
        scale = np.where(np.ptp(target, axis=0) > 0, spread, 1.0)
        mean = target.mean(axis=0)
        return {
            "target_mean": tuple(mean.tolist()),
            "target_scale": tuple(scale.tolist()),
            **settled(layout, limits_of(target, mean, scale)),
        }

    def _scale(self, target: Floats, preparation: Preparation) -> Floats:
        with np.errstate(over="ignore"):
            scaled: Floats = (target - preparation.target_mean) / np.array(preparation.target_scale)
        far = np.abs(scaled) > LARGEST
        if far.any():
            raise InputError(
                f"y is {target[far][0]:g} at sample {int(far.any(axis=1).argmax())}, too far from "
                "those of the training: correct it"
            )
        return scaled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
