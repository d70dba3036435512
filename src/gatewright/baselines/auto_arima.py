"""ARIMA, its orders found by search."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from gatewright.baselines._statistics import Statistical
from gatewright.data.prepared import Prepared

HISTORY = 300  # steps before an origin: they take 1 to 20 ms, and more change little

ORDERS = 7  # statsforecast's numbers: p, q, P, Q, season, d, D
CONSTANTS = ("", "intercept", "drift")


class AutoArima(Statistical):
    title = "ARIMA"
    summary = "an ARIMA model of each series, with a season if it has at most 24 steps"
    source = "Hyndman and Khandakar, Automatic Time Series Forecasting, 2008; statsforecast"

    def model(self, season: int) -> Any:
        from statsforecast.models import AutoARIMA

        # Orders are compared by an approximation, which takes seconds and not a minute; the
        # model that is chosen is fitted by maximum likelihood.
        return AutoARIMA(season_length=season, approximation=True)

    def numbers_of(self, fitted: dict[str, Any]) -> list[float]:
        names = list(fitted["coef"])
        constant = CONSTANTS.index(names[-1]) if names and names[-1] in CONSTANTS else 0
        return [*fitted["arma"], constant, *fitted["coef"].values()]

    def fitted_from(self, numbers: Tensor) -> dict[str, Any]:
        *orders, constant = (int(number) for number in numbers[: ORDERS + 1])
        names = [
            f"{kind}{number + 1}"
            for kind, order in zip(("ar", "ma", "sar", "sma"), orders[:4], strict=True)
            for number in range(order)
        ]
        names += [CONSTANTS[constant]] if constant else []
        # What a drift is: one more with each step. As a series with a drift is also differenced,
        # it does not matter where the count begins.
        steps = np.arange(1.0, HISTORY + 1)
        return {
            "arma": tuple(orders),
            "coef": dict(zip(names, numbers[ORDERS + 1 :].tolist(), strict=True)),
            "xreg": steps[:, None] if CONSTANTS[constant] == "drift" else None,
            "x": steps,
            "sigma2": 1.0,  # for its intervals alone, which are not used
            "lambda": None,
        }

    def history(self, data: Prepared, item: int, origin: int, fitted: int) -> slice:
        return slice(max(int(data.bounds[item, 0]), origin - HISTORY), origin)
