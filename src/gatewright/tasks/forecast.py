"""All steps of the horizon at once, with quantiles."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from gatewright.data.batching import Batch
from gatewright.data.calendar import Floats
from gatewright.data.examples.windows import Windows
from gatewright.data.layout import Layout
from gatewright.data.prepared import Preparation
from gatewright.data.targets.numbers import Numbers
from gatewright.networks.embeddings import Embeddings
from gatewright.networks.encoder import Encoder
from gatewright.networks.windows import KnownInputs, one_target_a_row, relative_to_window
from gatewright.setting import Options, Setting
from gatewright.tasks.task import Task

QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
LEVELS = torch.tensor(QUANTILES)
ALONE, WINDOW, SERIES = "alone", "window", "series"


class Bands(Numbers):
    """Numbers with quantiles, a last dimension: first the point."""

    def in_units(self, encoded: Floats, center: Floats, scale: Floats) -> Floats:
        if encoded.ndim > center.ndim:  # predictions
            center, scale = center[..., None], scale[..., None]
        return super().in_units(encoded, center, scale)

    def columns(
        self, prediction: Tensor, center: Tensor, scale: Tensor, preparation: Preparation
    ) -> dict[str, Any]:
        """A column for each target's point, under its name, and ``NAME 0.05`` for a quantile."""
        numbers = (prediction.double() * scale[..., None] + center[..., None]).numpy()
        columns = {}
        for at, target in enumerate(preparation.layout.targets):
            columns[target] = numbers[:, at, 0]
            for output, level in enumerate(QUANTILES, 1):
                columns[f"{target} {level:g}"] = numbers[:, at, output]
        return columns


class Forecast(Task):
    """Several steps ahead, of one or several targets, of one or many series.

    A prediction is (batch, horizon, targets, 1 + quantiles), in units of each series' standard
    deviation in training: first the point, which squared error trains, then the quantiles
    0.05 to 0.95, which the pinball loss trains (Koenker and Bassett 1978).
    """

    name = "forecast"
    title = "forecast"
    examples = Windows()
    target = Bands()
    measures = ("mse", "scaled_mae", "mae", "rmse", "mase", "smape", "wql", "coverage")
    levels = QUANTILES
    views = ("forecasts", "error_by_step")

    @classmethod
    def asks(cls, targets: str) -> str:
        return f"forecast of {targets}"

    @property
    def variants(self) -> tuple[str, ...]:
        """How targets are seen: see ``ForecastNetwork``."""
        together = (WINDOW, SERIES)
        return (ALONE, *together) if len(self.layout.targets) > 1 else together

    def network(self, cell: str, hidden_size: int, setting: Setting) -> nn.Module:
        return ForecastNetwork(self.preparation, self.options, cell, hidden_size, setting)

    def rows(self, setting: Setting) -> int:
        return len(self.layout.targets) if setting.variant == ALONE else 1

    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        known, target = _known(batch.target)
        squares = (prediction[..., 0] - target).square()
        # Each operation works on few numbers: how many operations there are decides the time.
        losses = squares + pinball(prediction[..., 1:], target).mean(-1)
        loss: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
        return loss

    def calibrate(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Split conformal: each quantile is moved by that quantile of its own errors.

        As Romano, Patterson and Candes (2019), one side at a time and for each step and target;
        few errors are joined with those of the steps beside. Returns (horizon, targets,
        1 + quantiles), zero for the point.
        """
        horizon, targets = target.shape[1:]
        errors = target[..., None] - prediction[..., 1:]
        shift = torch.zeros(horizon, targets, 1 + len(QUANTILES))
        reach = max(0, math.ceil((40 / max(1, len(target)) - 1) / 2))
        for step in range(horizon):
            near = errors[:, max(0, step - reach) : step + reach + 1]
            for number, level in enumerate(QUANTILES):
                shift[step, :, 1 + number] = _conformal(near[..., number].flatten(0, 1), level)
        return shift

    def finish(self, prediction: Tensor, calibration: Tensor | None) -> Tensor:
        if prediction.shape[-1] == 1:  # a point alone
            prediction = prediction.expand(*prediction.shape[:-1], 1 + len(QUANTILES))
        if calibration is None:
            return prediction
        moved = prediction + calibration
        return torch.cat([moved[..., :1], moved[..., 1:].sort(-1).values], -1)

    @classmethod
    def shown(cls, layout: Layout) -> tuple[str, ...]:
        """The mean absolute error of one target; the scaled one where sizes differ."""
        alone = len(layout.targets) == 1
        several = bool(layout.series) or not alone
        return (*(["mae"] if alone else []), *(["mase"] if several else []))


def pinball(quantiles: Tensor, target: Tensor) -> Tensor:
    """quantiles: (..., quantiles); target: (...). Returns the loss of each quantile."""
    error = target[..., None] - quantiles
    # Where the error is negative, (level - 1) error: one error more than level error.
    return LEVELS * error + (-error).relu()


def _known(target: Tensor) -> tuple[Tensor, Tensor]:
    known = ~target.isnan()
    return known, target.nan_to_num()


def _conformal(errors: Tensor, level: float) -> Tensor:
    """The quantile of errors (n, targets) that covers a new one with that chance, (targets,)."""
    count = (~errors.isnan()).sum(0).clamp(min=1)
    # The rank of a new error among n + 1, so that both tails are covered.
    rank = level + (2 * level - 1) / (2 * count)
    quantiles = [
        torch.nanquantile(errors[:, target], rank[target].clamp(0, 1).item())
        for target in range(errors.shape[1])
    ]
    return torch.stack(quantiles).nan_to_num()


class ForecastNetwork(nn.Module):
    """Reads the context with a recurrent stack, gives the whole horizon from its last output.

    With the variant "window" the targets are seen and told relative to their mean and spread in
    the window (Kim and others 2022, without their learned scale), so that a level never seen in
    training does no harm; with "series" as they are. With "alone" it is as with "window", but the
    network sees one target at a time, with the same weights for all (Nie and others 2023).
    """

    def __init__(
        self,
        preparation: Preparation,
        options: Options,
        cell: str,
        hidden_size: int,
        setting: Setting,
    ) -> None:
        super().__init__()
        layout = preparation.layout
        known_channels = sum(channel.known for channel in preparation.channels)
        self.all_targets, self.horizon = len(layout.targets), layout.horizon
        self.alone = setting.variant == ALONE
        self.targets = 1 if self.alone else self.all_targets
        self.relative = setting.variant != SERIES
        self.embed = Embeddings([len(category.values) for category in preparation.categories])
        self.embed_future = Embeddings(
            [len(category.values) for category in preparation.categories if category.known]
        )
        self.encoder = Encoder(
            cell,
            len(preparation.channels) - self.all_targets + self.targets + self.embed.size,
            hidden_size,
            setting.num_layers,
            setting.dropout,
            truncate=options.truncate,
        )
        self.point = nn.Linear(hidden_size, self.horizon * self.targets)
        known = known_channels + self.embed_future.size
        self.ahead = KnownInputs(hidden_size, known, self.targets) if known else None
        self.spread = nn.Linear(hidden_size, self.targets)
        # Distances between neighbouring quantiles, by step and target: quantiles never cross.
        self.gaps = nn.Parameter(torch.full((self.horizon, self.targets, len(QUANTILES) - 1), -1.5))

    def forward(self, batch: Batch) -> Tensor:
        if not self.alone:
            return self._predict(batch)
        prediction = self._predict(one_target_a_row(batch, self.all_targets))
        rows = prediction.view(-1, self.all_targets, *prediction.shape[1:])
        return rows.squeeze(3).transpose(1, 2)

    def _predict(self, batch: Batch) -> Tensor:
        values, level, scale = batch.values, None, None
        if self.relative:
            values, level, scale = relative_to_window(values, batch.lengths, self.targets)
        steps = torch.cat([values, self.embed(batch.codes)], -1) if self.embed.size else values
        held = self.encoder(steps, batch.lengths)
        point = self.point(held).view(-1, self.horizon, self.targets, 1)
        if self.ahead is not None:
            future = torch.cat([batch.future, self.embed_future(batch.future_codes)], -1)
            point = point + self.ahead(held, future).transpose(0, 1)[..., None]
        width = nn.functional.softplus(self.spread(held))[:, None, :, None]
        # Only squared error trains the point.
        prediction = torch.cat([point, point.detach() + width * self._offsets()], -1)
        if level is None or scale is None:
            return prediction
        return prediction * scale[:, None, :, None] + level[:, None, :, None]

    def _offsets(self) -> Tensor:
        """(horizon, targets, quantiles), ascending; the median's is zero."""
        gaps = nn.functional.softplus(self.gaps)
        below, above = gaps.split([len(QUANTILES) // 2, len(QUANTILES) // 2], -1)
        middle = gaps.new_zeros(*gaps.shape[:-1], 1)
        return torch.cat([-below.flip(-1).cumsum(-1).flip(-1), middle, above.cumsum(-1)], -1)
