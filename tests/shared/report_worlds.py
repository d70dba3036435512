"""Run folders as a comparison leaves them, with made-up numbers: nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatewright.comparison.folder import RunFolder
from gatewright.comparison.outcome import conclude
from gatewright.comparison.records import Candidate, Fit, Job, Plan, Rung, Score, fit_name
from gatewright.comparison.running import chosen, finalists
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepared import Preparation, PreparedRecord
from gatewright.measures import Measured, Places
from gatewright.models import files
from gatewright.setting import Setting
from gatewright.training import Epoch, Stopping
from gatewright.training.checkpoint import save_tensors

SPITEFUL = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "{{ 7 * 7 }} & %{x}",
)
CELLS = ("lstm", "gru", "rnn", "mingru")
HOUR = 3_600_000_000
START = 1_700_000_000_000_000 // HOUR * HOUR
UNITS = 240
EPOCHS, EARLY = 20, 4  # of a whole training, and of the shorter one that settings are tried by
TRIVIAL = {"last_value": 3.0, "majority": 3.0}  # what looks at nothing, and its validation loss


@dataclass
class World:
    """What is to be in a run folder; ``quality`` is the loss each candidate has, roughly."""

    layout: Layout
    baselines: dict[str, tuple[str, float]]
    cells: dict[str, float] = field(
        default_factory=lambda: dict(zip(CELLS, (0.31, 0.29, 0.36, 0.3), strict=True))
    )
    classes: tuple[str, ...] = ()
    items: tuple[str, ...] = ("series",)
    seeds: int = 3
    failed: tuple[str, ...] = ()
    unlearned: tuple[str, ...] = ()  # fits no better on validation than what looks at nothing
    command: str = "gatewright compare energy.csv --target load --horizon 24"
    source: str = "data/energy.csv"
    notes: tuple[str, ...] = ("12 missing values of temperature take the last value before them",)
    guesses: tuple[Guess, ...] = (
        Guess(what="time column", value="when", argument="time", why="the only column of dates"),
        Guess(what="horizon", value="24 steps", argument="horizon", why="one season"),
    )

    def write(self, path: Path) -> RunFolder:
        """Write plan, fits, scores, verdict and leaderboard."""
        folder = RunFolder(path)
        folder.create()
        plan = self.plan()
        folder.write_plan(plan)
        self._write_preparation(folder)
        for fit in self._fits(plan):
            folder.add_fit(fit)
        fits = folder.fits()
        for job in finalists(plan, fits):
            self._write_score(folder, job)
        assert chosen(plan, fits)
        conclude(folder, plan)
        return folder

    def plan(self) -> Plan:
        contenders = [
            Candidate(
                name=name,
                title=title,
                baseline=True,
                trained=False,
                settings=(0,),
                trivial=name in TRIVIAL,
            )
            for name, (title, _) in self.baselines.items()
        ]
        for name in self.cells:
            widths, counts = (40 + len(name), 24 + len(name)), (8_000 + len(name), 8_060)
            contenders.append(
                Candidate(
                    name=name,
                    title=name,
                    baseline=False,
                    trained=True,
                    settings=(0, 1),
                    hidden_sizes=widths,
                    parameters=counts,
                )
            )
        return Plan(
            gatewright="0.2.0",
            source=self.source,
            fingerprint="2b040f48fdfc399403353e20b5073b0cdf25fdc4c701ab3385ad9399ebb8b9d0",
            layout=self.layout,
            guesses=self.guesses,
            candidates=tuple(contenders),
            settings=(
                Setting(choices=("own",)),
                Setting(learning_rate=0.0014, num_layers=2, dropout=0.1, choices=("together",)),
            ),
            seeds=tuple(range(self.seeds)),
            stopping=Stopping(epochs=EPOCHS),
            rungs=(Rung(epochs=EARLY, settings=2), Rung(epochs=EPOCHS, settings=1)),
            command=self.command,
        )

    def _fits(self, plan: Plan) -> list[Fit]:
        """Those of a search: both settings for a few epochs, the first one to the end."""
        found = []
        for candidate in plan.candidates:
            runs = [(0, 0, EPOCHS)]
            if candidate.trained:
                runs = [(0, 0, EARLY), (1, 0, EARLY), *((0, seed, EPOCHS) for seed in plan.seeds)]
            if candidate.trained and candidate.name in self.failed:
                runs = runs[:2]  # nothing of it goes on
            for setting, seed, length in runs:
                short = length if length < EPOCHS else None
                name = fit_name(candidate.name, setting, seed, short)
                given: dict[str, Any] = {
                    "name": name,
                    "candidate": candidate.name,
                    "setting": setting,
                    "seed": seed,
                    "asked": length,
                }
                if candidate.name in self.failed:
                    found.append(Fit(**given, failed="diverged: the loss is nan at step 17"))
                    continue
                whole = fit_name(candidate.name, setting, seed)
                epochs = _epochs(whole)[:length] if candidate.trained else []
                trivial = TRIVIAL.get(candidate.name, 0.4)
                loss = min((epoch.validation_loss for epoch in epochs), default=trivial)
                best = [epoch.number for epoch in epochs if epoch.validation_loss == loss]
                found.append(
                    Fit(
                        **given,
                        validation_loss=3.0 if name in self.unlearned else loss + setting,
                        validation_metric=loss,
                        parameters=candidate.parameters[setting] if candidate.parameters else 1_596,
                        seconds=48.3 if epochs else 0.12,
                        best_epoch=best[0] if best else 0,
                        epochs=epochs,
                    )
                )
        return found

    def _quality(self, name: str) -> float:
        return self.cells[name] if name in self.cells else self.baselines[name][1]

    def _write_score(self, folder: RunFolder, job: Job) -> None:
        quality = self._quality(job.name)
        generator = torch.Generator().manual_seed(sum(map(ord, job.name)))
        shared = torch.rand(UNITS, generator=torch.Generator().manual_seed(1))

        def lost(worse: float = 1.0) -> Tensor:
            noise = torch.rand(UNITS, generator=generator)
            if self.classes:
                return (0.8 * shared + 0.2 * noise < worse * quality).double()
            return (worse * quality * (0.6 + 0.6 * shared + 0.2 * noise)).double()

        # One seed is what is judged; each of several is a little worse than what is joined of them.
        losses = lost()
        seeds = [lost(1.1) for _ in job.fits] if len(job.fits) > 1 else [losses]
        tensors = {"losses": losses, "units": torch.arange(UNITS), "seeds": torch.stack(seeds)}
        alone = {name: lost(3.0) for name in job.alone}
        tensors |= self._shown(quality, generator)
        written = save_tensors(folder.score_path(job.name), tensors, {"items": self._shown_items()})
        each = dict(zip(job.fits, seeds, strict=True)) | alone
        folder.add_score(
            Score(
                name=job.name,
                fits=job.fits,
                file=written,
                seeds={name: losses.mean().item() for name, losses in each.items()},
                loss=losses.mean().item(),
                units=UNITS,
                examples=UNITS,
                series=len(self.items),
                microseconds=12.3 + 100 * quality,
                measures=self._measures(quality, generator),
            )
        )

    def _shown_items(self) -> list[str]:
        count = 6 if self.layout.task == "forecast" else 200
        return [self.items[place % len(self.items)] for place in range(count)]

    def _measures(self, quality: float, generator: torch.Generator) -> Measured:
        if self.classes:
            count = len(self.classes)
            matrix = torch.randint(0, 3, (count, count), generator=generator)
            matrix += torch.diag(torch.randint(20, 60, (count,), generator=generator))
            return Measured(
                overall={
                    "error_rate": quality,
                    "accuracy": 1 - quality,
                    "macro_f1": 0.93 - quality,
                },
                details={"confusion": matrix.tolist()},
            )
        overall = {"mse": quality, "mae": 340 * math.sqrt(quality), "mase": None}
        if self.layout.task != "forecast":
            return Measured(overall=overall)
        steps = torch.arange(self.layout.horizon) / self.layout.horizon
        jitter = 0.03 * torch.rand(self.layout.horizon, generator=generator)
        by_step = {"mse": (quality * (0.4 + steps) + jitter).tolist()}
        by = {"step": _places([str(1 + step) for step in range(self.layout.horizon)], by_step)}
        by["series"] = _places(self.items, {"mse": [quality] * len(self.items)})
        several = {name: places for name, places in by.items() if places.count > 1}
        return Measured(overall=overall | {"coverage": 0.87}, by=several)

    def _shown(self, quality: float, generator: torch.Generator) -> dict[str, Tensor]:
        targets, horizon = len(self.layout.targets), self.layout.horizon
        count = len(self._shown_items())
        if self.layout.task != "forecast":
            target = torch.randn(count, targets, generator=torch.Generator().manual_seed(2))
            away = torch.randn(count, targets, generator=generator)
            width = max(1, len(self.classes))
            prediction = target + quality * away if width == 1 else torch.randn(count, width)
            return {
                "shown": torch.arange(count),
                "shown_prediction": prediction,
                "shown_target": target,
            }
        history = min(self.layout.context, max(2 * horizon, 24))
        steps = torch.arange(-history, horizon) + 37 * torch.arange(count)[:, None]
        hidden = torch.Generator().manual_seed(3)
        rhythm = torch.sin(steps * 2 * math.pi / 24)[..., None] * torch.linspace(1, 0.4, targets)
        truth = rhythm + 0.15 * torch.randn(*rhythm.shape, generator=hidden)
        truth[0, 3, 0] = torch.nan
        point = rhythm[:, history:] + quality * 0.6 * torch.randn(count, 1, 1, generator=generator)
        spread = (
            quality
            * torch.linspace(-1.8, 1.8, 11)
            * (0.5 + torch.arange(horizon)[:, None, None] / horizon)
        )
        prediction = torch.cat([point[..., None], point[..., None] + spread], -1)
        return {
            "shown_prediction": prediction,
            "shown_target": truth[:, history:],
            "shown_before": truth[:, :history],
            "shown_time": steps * (HOUR if self.layout.frequency == "1h" else 1)
            + (START if self.layout.frequency == "1h" else 0),
            "shown_center": torch.full((count, targets), 1200.0, dtype=torch.float64),
            "shown_scale": torch.full((count, targets), 340.0, dtype=torch.float64),
        }

    def _write_preparation(self, folder: RunFolder) -> None:
        targets = len(self.layout.targets)
        series = dict.fromkeys(self.items, ((1200.0, 340.0),) * targets)
        preparation = Preparation(
            layout=self.layout,
            channels=(),
            classes=self.classes,
            target_mean=(1200.0,) * targets,
            target_scale=(340.0,) * targets,
            series=series if self.layout.series else {},
            notes=self.notes,
        )
        record = PreparedRecord(preparation=preparation, items=self.items)
        files.write_beside(folder.path, record, None)


def _places(names: Sequence[str], values: dict[str, list[float]]) -> Places:
    numbers = {name: tuple(each) for name, each in values.items()}
    return Places(names=tuple(names), count=len(names), values=numbers)


def _epochs(name: str) -> list[Epoch]:
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    noise = torch.rand(EPOCHS, generator=generator).tolist()
    return [
        Epoch(
            number=number,
            train_loss=0.3 + 0.9 / number,
            validation_loss=0.35 + 0.8 / number + 0.02 * number + 0.03 * noise[number - 1],
            gradient_norm=2.5 / number + noise[number - 1],
            clipped=0.9 / number,
            seconds=2.4 * number,
        )
        for number in range(1, EPOCHS + 1)
    ]


FORECAST = Layout(
    task="forecast",
    targets=("load",),
    numbers=("temperature", "wind"),
    known=("temperature",),
    ignored={"station id": "the same in every row"},
    time="when",
    frequency="1h",
    season=24,
    horizon=24,
    context=72,
)
NAIVE = {
    "seasonal_naive": ("seasonal naive", 0.52),
    "ridge_lags": ("ridge", 0.34),
    "last_value": ("last value", 1.9),
}


def one_target() -> World:
    return World(FORECAST, NAIVE, failed=("rnn",))


def spiteful() -> World:
    """Names that would run as HTML, end a script or mean something to a template or plotly."""
    layout = FORECAST.model_copy(
        update={
            "targets": (SPITEFUL[0], SPITEFUL[1], "load"),
            "numbers": (SPITEFUL[2],),
            "known": (),
            "time": f"time {SPITEFUL[0]}",
            "series": f"series {SPITEFUL[1]}",
            "ignored": {f"ignored {SPITEFUL[0]}": SPITEFUL[1]},
        }
    )
    return World(
        layout,
        {"ridge_lags": (SPITEFUL[0], 0.34), "last_value": (SPITEFUL[1], 1.9)},
        items=SPITEFUL,
        command=f"gatewright compare '{SPITEFUL[1]}.csv' --target '{SPITEFUL[0]}'",
        source=f"{SPITEFUL[1]}.csv",
        notes=SPITEFUL,
        guesses=(Guess(what=SPITEFUL[0], value=SPITEFUL[1], argument="time", why=SPITEFUL[2]),),
    )


def panel() -> World:
    """Many series on an axis of whole numbers, with one seed, in short."""
    layout = FORECAST.model_copy(
        update={"series": "shop", "frequency": "1i", "time": "week", "horizon": 1, "context": 30}
    )
    return World(layout, NAIVE, items=tuple(f"shop {n}" for n in range(40)), seeds=1, command="")


def classes() -> World:
    layout = Layout(
        task="classify", targets=("speaker",), numbers=("a", "b"), sequence="take", step="frame"
    )
    names = ("<b>one</b>", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    baselines = {"majority": ("majority", 0.88), "logistic_flat": ("logistic regression", 0.09)}
    cells = dict(zip(CELLS, (0.05, 0.06, 0.15, 0.05), strict=True))
    return World(layout, baselines, cells, classes=names, items=("take 1",))


def many_classes() -> World:
    world = classes()
    world.classes = tuple(f"label {number}" for number in range(60))
    return world


def numbers() -> World:
    """Regression of two numbers, without any baseline."""
    layout = Layout(
        task="regress", targets=("age", "height"), numbers=("a",), sequence="person", step="t"
    )
    return World(layout, {}, items=("Ann", "Bo"))


WORLDS = {
    "one_target": one_target,
    "spiteful": spiteful,
    "panel": panel,
    "classes": classes,
    "many_classes": many_classes,
    "numbers": numbers,
}
