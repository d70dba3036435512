"""Measure every case with its target: some minutes, on a machine that does nothing else.

    python benchmarks/full.py [further options of gatewright bench]

Writes bench.json and bench.png into runs/full, or where --out says. The targets are for two threads
and a processor with AVX-512.
"""

import sys

from gatewright.cli import main

if __name__ == "__main__":
    options = ["--cases", "full", "--threads", "2"]
    if "--out" not in sys.argv:
        options += ["--out", "runs/full"]
    sys.exit(main(["bench", *options, *sys.argv[1:]]))
