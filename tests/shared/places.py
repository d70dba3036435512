"""Where things lie that tests look at."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

# Data sets for development, which lie beside a checkout and are no part of it: a test that reads
# one is skipped where it is not there.
DATA = ROOT.parent / "shared" / "data"
