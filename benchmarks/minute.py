"""How good a forecast of ETTh1 is after a minute of training on one core, beside NeuralForecast and
Darts with their best recurrent model.

    python benchmarks/minute.py ETTh1.csv --python PEERS/bin/python --json minute.json

Each side trains in a process of its own, on one thread; ``--jobs`` of them run at the same time.
The clock counts training alone: not reading, nor predicting; of Gatewright it counts the looks at
validation too. All windows of the test part are judged here, for all sides by the same lines, in
standard deviations of training, as published: 12, 4 and 4 months of rows, all seven targets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import minute_sides
import numpy as np
from forecasters import pythons
from minute_sides import SETTINGS, Floats

TARGETS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
ROWS = (8640, 2880, 2880)
HORIZONS = (96, 192, 336, 720)
REPEATED = {96: (1.294, 0.713)}  # the last value, as Zeng and others 2023 have it


class Series:
    """The file, in standard deviations of training."""

    def __init__(self, csv: Path) -> None:
        with csv.open(encoding="utf-8") as file:
            names = file.readline().strip().split(",")
        columns = [names.index(target) for target in TARGETS]
        raw = np.loadtxt(csv, delimiter=",", skiprows=1, usecols=columns, max_rows=sum(ROWS))
        self.mean, self.spread = raw[: ROWS[0]].mean(0), raw[: ROWS[0]].std(0)
        self.values: Floats = self.scaled(raw).astype(np.float32)

    def scaled(self, numbers: Any) -> Any:
        return (numbers - self.mean) / self.spread

    def judged(self, part: str, predictions: Floats) -> tuple[float, float]:
        """Mean squared and absolute error of (windows, horizon, targets): all windows of a part, or
        so many of them."""
        begin = {"validation": ROWS[0], "test": sum(ROWS[:2])}[part]
        rows = self.values[begin : begin + {"validation": ROWS[1], "test": ROWS[2]}[part]]
        windows = np.lib.stride_tricks.sliding_window_view(rows, predictions.shape[1], 0)
        came = windows[minute_sides.evenly(len(windows), len(predictions))].transpose(0, 2, 1)
        assert came.shape == predictions.shape, (came.shape, predictions.shape)
        errors = [told - truth for told, truth in zip(predictions, came, strict=True)]
        squared = np.mean([np.mean(error**2, dtype=float) for error in errors])
        return float(squared), float(np.mean([np.mean(abs(each), dtype=float) for each in errors]))

    def repeated(self, horizon: int) -> tuple[float, float]:
        """Of the last value."""
        begin = sum(ROWS[:2])
        last = self.values[begin - 1 : begin + ROWS[2] - horizon]
        return self.judged("test", np.repeat(last[:, None], horizon, 1))


def trained(
    side: str, setting: dict[str, Any], horizon: int, series: Series, options: argparse.Namespace
) -> dict[str, Any]:
    """What one side came to in the time."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        np.save(out / "values.npy", series.values)
        request = {
            "side": side,
            "setting": setting,
            "csv": str(options.csv.resolve()),
            "values": str(out / "values.npy"),
            "targets": TARGETS,
            "rows": ROWS,
            "horizon": horizon,
            "seconds": options.seconds,
            "out": folder,
        }
        (out / "request.json").write_text(json.dumps(request), encoding="utf-8")
        python = pythons(options.python)[side]
        done = subprocess.run(
            [python, minute_sides.__file__, str(out / "request.json")],
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{side} {setting}: {done.stderr[-2000:]}")
        told: dict[str, Any] = json.loads((out / "told.json").read_text("utf-8"))
        for part in ("validation", "test"):
            with np.load(out / f"{part}.npz") as kept:
                numbers = kept["predictions"]
                predictions = series.scaled(numbers) if kept["in_units"] else numbers
                told[part] = series.judged(part, predictions)
    return told


def lines(options: argparse.Namespace, series: Series) -> Iterator[dict[str, Any]]:
    """One of each side and setting at each horizon, in that order."""
    asked = [
        (side, setting, horizon)
        for horizon in options.horizons
        for side in options.sides
        for setting in SETTINGS[side]
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        every = [pool.submit(trained, *one, series, options) for one in asked]
        for (side, setting, horizon), each in zip(asked, every, strict=True):
            yield {"side": side, "setting": setting, "horizon": horizon, **each.result()}


def best(record: list[dict[str, Any]], side: str, horizon: int) -> str:
    """The losses of a side at a horizon, in words."""
    own = [line for line in record if (line["side"], line["horizon"]) == (side, horizon)]
    squared, absolute = min(own, key=lambda line: line["validation"])["test"]
    return f"{side} {squared:.3f} / {absolute:.3f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("csv", type=Path, metavar="ETTh1.csv")
    parser.add_argument("--python", action="append", default=[], metavar="[SIDE=]PATH")
    parser.add_argument("--sides", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--horizons", nargs="+", type=int, default=list(HORIZONS))
    parser.add_argument("--seconds", type=float, default=60, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="processes; default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    options = parser.parse_args(arguments)
    series = Series(options.csv)
    for horizon in options.horizons:
        squared, absolute = series.repeated(horizon)
        print(f"{horizon:4} last value {squared:.3f} {absolute:.3f}")
        if horizon in REPEATED:
            assert np.allclose((squared, absolute), REPEATED[horizon], atol=6e-4)
    print(f"\n{'':4} {'side':15} {'validation':>10} {'mse':>7} {'mae':>7} {'steps':>7}  setting")
    record = []
    for line in lines(options, series):
        record.append(line)
        words = ", ".join(f"{name} {value}" for name, value in line["setting"].items())
        squared, absolute = line["test"]
        print(
            f"{line['horizon']:4} {line['side']:15} {line['validation'][0]:10.4f} {squared:7.3f} "
            f"{absolute:7.3f} {line['steps']:7,}  {words}",
            flush=True,
        )
    print("\nwith the setting that validation chose, mse / mae")
    for horizon in options.horizons:
        print(f"{horizon:4}", *(best(record, side, horizon) for side in options.sides), sep="  ")
    if options.json:
        about = {name: str(value) for name, value in vars(options).items()}
        text = json.dumps({"options": about, "lines": record}, indent=1)
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
