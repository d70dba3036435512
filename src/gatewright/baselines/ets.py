"""Exponential smoothing, its form found by search."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gatewright.baselines._statistics import Statistical, from_where_it_began
from gatewright.data.prepared import Prepared

LETTERS = "NAMD"  # of a form's name: none, additive, multiplicative, damped


class Ets(Statistical):
    title = "exponential smoothing"
    summary = "exponential smoothing of each series, with a season if it has at most 24 steps"
    source = "Hyndman and others, Forecasting with Exponential Smoothing, 2008; statsforecast"

    def model(self, season: int) -> Any:
        from statsforecast.models import AutoETS

        return AutoETS(season_length=season)

    def numbers_of(self, fitted: dict[str, Any]) -> list[float]:
        form = [LETTERS.index(letter) for letter in fitted["components"]]
        return [fitted["m"], fitted["n_params"], *form, *fitted["par"]]

    def fitted_from(self, numbers: Tensor) -> dict[str, Any]:
        season, count, *form = (int(number) for number in numbers[:6])
        return {
            "m": season,
            "n_params": count,
            "components": "".join(LETTERS[number] for number in form),
            "par": numbers[6:].numpy(),
            "fit": None,
        }

    def history(self, data: Prepared, item: int, origin: int, fitted: int) -> slice:
        """From where the fit began, as its first state belongs there; about 0.1 ms for every
        thousand steps. None of a series that does not begin where it began in training."""
        return from_where_it_began(data, item, origin, self.begins[fitted])
