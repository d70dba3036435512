"""From a table to the arrays that networks and baselines are trained on.

The table is read in batches, three times: for the columns that order its rows and split them, for
what is fitted on the training part, and to write. It is never in memory as a whole, unless its
rows have to be sorted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gatewright.data.layout import Layout
from gatewright.data.prepare.answers import Answers
from gatewright.data.prepare.axis import by_workdays
from gatewright.data.prepare.columns import check_columns, check_readings, is_forecast
from gatewright.data.prepare.fitting import fit, fit_series
from gatewright.data.prepare.plans import (
    Plan,
    plan_forecast,
    plan_labelled_or_not,
    plan_sequences,
    plan_series,
)
from gatewright.data.prepare.storage import written_aside
from gatewright.data.prepare.writing import Writer, finish
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.table.reading import Table, about
from gatewright.limits import check_rows, check_shares


def prepare(
    table: Table,
    layout: Layout,
    folder: Path,
    *,
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2),
    rows: tuple[int, int, int] | None = None,
    seed: int = 0,
) -> Prepared:
    """Split a table, fit a preparation on the training part only, and write the arrays.

    Forecasts are split by time. Series that share a time column are cut at the same two times, so
    that no series' training part lies after another's test origin; the times are chosen so that the
    shares are those of all rows together. A series that ends before is all training.

    Args:
        table: what ``read`` gave.
        layout: the part that each column plays.
        folder: takes the arrays. An existing one is replaced, only when the new one is complete.
        shares: of training, validation and test, with the sum 1; a split column goes before.
        rows: of forecasts, the lengths of the three parts in steps from the start of each series,
            instead of shares or a split column; what is beyond is left out.
        seed: of the split of sequences.

    Raises:
        InputError: a column is missing or of another type; times do not increase; a part is too
            short for an example, or a label has too few sequences.
    """
    check_shares(shares)
    if rows is not None:
        check_rows(rows)
    with about(table), written_aside(folder) as aside:
        check_columns(table, layout)
        if is_forecast(layout):
            layout = by_workdays(table, layout)
            plan = plan_forecast(table, layout, aside, shares, rows)
        else:
            plan = plan_sequences(table, layout, aside, shares, seed)
        fitted = fit(layout, plan)
        answers = Answers.of(layout, plan)
        update = {"readings": _readings(table, layout)}
        preparation = fitted.preparation.model_copy(update=update)
        writer = Writer(preparation, plan, fitted.center, fitted.scale, answers)
        counts = writer.write(aside)
        more = [*answers.notes(), *_unchanging(layout, plan, aside)]
        finish(aside, preparation, plan, counts, more)
    return Prepared.open(folder)


def _unchanging(layout: Layout, plan: Plan, folder: Path) -> list[str]:
    """A note for each target of a forecast that has one value only in the test part of each series,
    from the arrays in a folder."""
    if not is_forecast(layout):
        return []
    target = np.load(folder / "target.npy", mmap_mode="r", allow_pickle=False)
    same, seen = np.ones(len(layout.targets), dtype=bool), np.zeros(len(layout.targets), dtype=bool)
    for begin, end in plan.bounds[:, 2:].tolist():
        if end - begin > 1:
            low, high = (each.reduce(target[begin:end]) for each in (np.fmin, np.fmax))
            same &= ~(low < high)
            seen |= low == high
        if not same.any():
            break
    return [
        f"{name} never changes in the test part: what is best there need not be what forecasts its "
        "changes"
        for name, found in zip(layout.targets, same & seen, strict=True)
        if found
    ]


def _readings(table: Table, layout: Layout) -> dict[str, str]:
    """How later tables are read. Whole numbers that are only categories are names, of which a new
    one may be a word."""
    elsewhere = {layout.series, layout.time, layout.step, *layout.numbers, *layout.targets}
    names = set(layout.categories) - elsewhere
    return {
        name: "text" if kind == "integer" and name in names else kind
        for name, kind in table.readings.items()
    }


def transform(table: Table, preparation: Preparation, folder: Path) -> Prepared:
    """The arrays of a new table, with nothing fitted, to predict: all rows are the test part.

    Targets of sequences may be absent. In forecasts, rows at the end of a series without any
    target are its future; a series that was not in training is scaled by the rows given.

    Args:
        table: what ``read`` gave.
        preparation: of the data a model was trained on.
        folder: takes the arrays, as in ``prepare``.

    Raises:
        InputError: a column is missing or of another type, or an input that is known ahead is
            missing in the future.
    """
    layout = preparation.layout
    with about(table), written_aside(folder) as aside:
        check_readings(table, layout)
        check_columns(table, layout, with_targets=False)
        if is_forecast(layout):
            plan = plan_series(table, layout, aside)
            center, scale = fit_series(plan, preparation)
        else:
            plan = plan_labelled_or_not(table, layout, aside)
            center = scale = np.empty((len(plan.items), 0))
        counts = Writer(preparation, plan, center, scale).write(aside)
        finish(aside, preparation, plan, counts)
    return Prepared.open(folder)
