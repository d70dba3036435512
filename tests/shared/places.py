"""Where things lie that tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Data sets for development, which lie beside a checkout and are not part of it.
DATA = ROOT.parent / "shared" / "data"


def data_set(name: str) -> Path:
    """The file of a data set for development; where it is not there, the test is skipped."""
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not here")
    return DATA / name
