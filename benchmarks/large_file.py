"""Peak memory of a comparison on a file of millions of rows.

    python benchmarks/large_file.py                    # 5 million rows of CSV, two contexts
    python benchmarks/large_file.py --rows 1000000 --ending parquet

Each comparison runs in a process of its own, with a context of 96 and of 768 steps: what windows x
context would take is printed beside what was taken, by the process and by its largest worker.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

COLUMNS = 6  # one of them the target, beside the time
CONTEXTS = (96, 768)


def write_table(path: Path, rows: int) -> None:
    """A day's cycle and noise, every second."""
    steps = np.arange(rows)
    noise = np.random.default_rng(0)
    start = datetime(2020, 1, 1)
    frame = pl.DataFrame(
        {
            "time": pl.datetime_range(start, start + timedelta(seconds=rows - 1), "1s", eager=True),
            "y": np.sin(steps * (2 * np.pi / 86400)) + 0.1 * noise.normal(size=rows),
            **{f"x{n}": noise.normal(size=rows).round(4) for n in range(COLUMNS - 1)},
        }
    )
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)


def measure(path: Path, context: int, out: Path) -> None:
    """Compare in this process, and print what it took."""
    from gatewright.api import compare

    started = time.monotonic()
    result = compare(
        path,
        target="y",
        horizon=24,
        context=context,
        cells=["gru"],
        settings=1,
        seeds=1,
        epochs=2,
        jobs=1,
        out=out,
    )
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    found = {
        "seconds": time.monotonic() - started,
        "own": own,
        "worker": worker,
        "failed": [row.name for row in result.rows if row.failed],
    }
    print(json.dumps(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--ending", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        path, context, out = arguments.measure
        measure(Path(path), int(context), Path(out))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table.{arguments.ending}"
        write_table(path, arguments.rows)
        size = path.stat().st_size / 2**20
        print(f"{arguments.rows:,} rows, {COLUMNS} numbers and a time, {size:,.0f} MiB on disk")
        for context in CONTEXTS:
            command = [sys.executable, __file__, "--measure", str(path), str(context)]
            out = subprocess.run(
                [*command, str(Path(folder) / f"run-{context}")], stdout=subprocess.PIPE, check=True
            ).stdout
            found = json.loads(out.splitlines()[-1])
            windows = arguments.rows * context * COLUMNS * 4 / 2**20
            print(
                f"context {context:3}: {found['own']:,.0f} MiB here, {found['worker']:,.0f} MiB the"
                f" largest worker, {found['seconds']:.0f} s; windows x context would be "
                f"{windows:,.0f} MiB; failed: {', '.join(found['failed']) or 'none'}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
