"""The theta method: a line and exponential smoothing, weighed."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gatewright.baselines._statistics import Statistical, from_where_it_began
from gatewright.data.prepared import Prepared

KIND = "DOTM"  # statsforecast's name of the dynamic optimised theta model


class Theta(Statistical):
    title = "theta"
    summary = "the theta method on each series, with a season if it has at most 24 steps"
    source = (
        "Fiorucci and others, Models for Optimising the Theta Method and Their Relationship to "
        "State Space Models, 2016; statsforecast"
    )

    def model(self, season: int) -> Any:
        from statsforecast.models import DynamicOptimizedTheta

        return DynamicOptimizedTheta(season_length=season)

    def numbers_of(self, fitted: dict[str, Any]) -> list[float]:
        learned = fitted["par"]
        return [fitted["m"], *(learned[name] for name in ("initial_smoothed", "alpha", "theta"))]

    def fitted_from(self, numbers: Tensor) -> dict[str, Any]:
        season, initial, alpha, theta = numbers.tolist()
        learned = {"initial_smoothed": initial, "alpha": alpha, "theta": theta}
        return {"m": int(season), "modeltype": KIND, "par": learned}

    def history(self, data: Prepared, item: int, origin: int, fitted: int) -> slice:
        """From where the fit began, as for exponential smoothing. The season and the line are found
        anew in it, which takes about a millisecond."""
        return from_where_it_began(data, item, origin, self.begins[fitted])
