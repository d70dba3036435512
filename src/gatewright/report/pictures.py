from __future__ import annotations
from pathlib import Path
from gatewright.report.outcome import Outcome

def draw(outcome: Outcome, folder: Path) -> list[str] | None:
    return None
