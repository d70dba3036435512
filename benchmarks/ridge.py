"""What ridge on lags costs on a wide table: python benchmarks/ridge.py

An hour a row, 30,000 of them, 91 columns of numbers beside the target; 24 steps ahead, 40 or 72
seen. The target follows some of the columns. User CPU time of one thread, to choose and fit, to
fit again on validation too, and to predict test; it is printed after the line was found to be
scikit-learn's.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sklearn.linear_model import Ridge

from gatewright import baselines, tasks
from gatewright.baselines._windows import before_test
from gatewright.baselines.ridge_lags import RidgeLags
from gatewright.data.guess.guessing import guess
from gatewright.data.prepare.preparing import prepare
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import Table, read
from gatewright.requests import Columns

ROWS, INPUTS, CONTEXTS = 30_000, 91, (40, 72)


def table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    common = np.cumsum(random.normal(size=(ROWS, 5)) * 0.1, 0)
    inputs = np.sin(common @ random.normal(size=(5, INPUTS))) + random.normal(size=(ROWS, INPUTS))
    day = np.sin(np.arange(ROWS) * 2 * np.pi / 24)
    late = np.roll(inputs[:, :6], 5, 0).sum(1) + np.roll(inputs[:, 6], 30)
    target = np.cumsum(random.normal(size=ROWS)) * 0.05 + day + 0.3 * late
    times = pl.datetime_range(
        pl.datetime(2020, 1, 1),
        pl.datetime(2020, 1, 1) + pl.duration(hours=ROWS - 1),
        "1h",
        eager=True,
    )
    columns = {f"input {number}": inputs[:, number] for number in range(INPUTS)}
    return pl.DataFrame({"time": times, "target": target, **columns})


def check(ridge: RidgeLags, data: Prepared) -> None:
    """On the rows of all windows that end before test, one line as scikit-learn finds it."""
    examples = ridge.task.examples.of_part(before_test(data), "train")
    batches = [ridge.task.examples.batch(data, some) for some in examples.split(1024)]
    rows = torch.cat([ridge.window(batch)[0] for batch in batches])
    told = torch.cat([batch.target[..., 0] for batch in batches]).double()
    own = len(ridge.window.lags)
    some, expected = slice(None, None, 97), torch.zeros(1)
    for share, last in (
        (1 - ridge.relative, torch.zeros(len(rows), 1)),
        (ridge.relative, rows[:, own - 1 : own].clone()),
    ):
        rows[:, :own] -= last
        peer = Ridge(alpha=ridge.penalty * len(rows)).fit(rows.numpy(), (told - last).numpy())
        line = torch.from_numpy(peer.predict(rows[some].numpy())) + last[some]
        expected = expected + share * line
    found = torch.cat([ridge.predict(data, one) for one in examples[some].split(1024)])
    torch.testing.assert_close(found[:, :, 0, 0].double(), expected, rtol=1e-5, atol=1e-5)


def user() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def measure(source: Table, context: int) -> None:
    columns = Columns(targets=("target",), horizon=24, context=context)
    layout, _ = guess(source, tasks.every(), columns)
    kind = tasks.get(layout.task)
    with tempfile.TemporaryDirectory() as folder:
        data = prepare(source, layout, kind, Path(folder) / "data")
        ridge = baselines.get("ridge_lags")(kind(data.preparation))
        assert isinstance(ridge, RidgeLags)
        begin = user()
        ridge.fit(data)
        fitted = user()
        ridge.refit(data)
        again = user()
        test = ridge.task.examples.of_part(data, "test")
        losses = []
        for some in test.split(1024):
            batch = ridge.task.examples.batch(data, some)
            losses.append(ridge.task.losses(ridge.predict(data, some), batch))
        told = user()
        check(ridge, data)
    loss, features = torch.cat(losses).nanmean(), ridge.window.features
    print(f"{context} steps seen: {features} features, test loss {loss:.4f}")
    print(f"fit {fitted - begin:.1f} s, again {again - fitted:.1f} s, predict {told - again:.1f} s")


def main() -> None:
    torch.set_num_threads(1)
    source = read(table())
    for context in CONTEXTS:
        measure(source, context)


if __name__ == "__main__":
    main()
