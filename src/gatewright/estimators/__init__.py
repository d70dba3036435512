"""Recurrent networks as estimators with scikit-learn's conventions."""

from gatewright.estimators.forecaster import Forecaster
from gatewright.estimators.sequences import SequenceClassifier, SequenceRegressor

__all__ = ["Forecaster", "SequenceClassifier", "SequenceRegressor"]
