"""The report of a run: one page to read offline, and pictures to print."""

from __future__ import annotations

from pathlib import Path

from gatewright.comparison.folder import RunFolder
from gatewright.errors import InputError
from gatewright.report.fits import outcome_of_fit
from gatewright.report.outcome import Outcome
from gatewright.report.page import render
from gatewright.report.pictures import draw
from gatewright.sealed import write_whole

__all__ = ["write", "write_fit"]


def write(folder: RunFolder) -> Path:
    """Write ``report.html`` and, where matplotlib is installed, ``plots/*.png``.

    The page names the pictures, or says what they need. Verdict and leaderboard are written with
    it, as they too follow from what was fitted and judged. Returns the path of the page.

    Raises InputError where the folder holds no finished run, or a file of it is damaged.
    """
    plan = folder.plan()
    if plan is None:
        raise InputError(
            f"{folder.path} holds no comparison: make one with gatewright compare FILE --out "
            f"{folder.path}"
        )
    outcome = Outcome.read(folder, plan)
    folder.write_outcome(outcome.verdict, outcome.rows)
    return _write(outcome, folder.path)


def write_fit(folder: Path) -> Path:
    """The same for the folder of one fit. Raises InputError where it holds no finished one."""
    return _write(outcome_of_fit(folder), folder)


def _write(outcome: Outcome, folder: Path) -> Path:
    page = folder / "report.html"
    write_whole(page, render(outcome, draw(outcome, folder / "plots")).encode())
    return page
