"""Recurrent networks as estimators with scikit-learn's conventions."""

from gatewright.estimators.forecaster import Forecaster
from gatewright.estimators.regressor import SequenceRegressor
from gatewright.estimators.sequences import SequenceClassifier

__all__ = ["Forecaster", "SequenceClassifier", "SequenceRegressor"]
