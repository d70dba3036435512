"""From a table to the arrays that networks and baselines are trained on.

The table is read in batches, three times: for the columns that order its rows and split them, for
what is fitted on the training part, and to write. It is never in memory as a whole, unless its
rows have to be sorted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gatewright.data.layout import Layout
from gatewright.data.prepare.columns import check_columns, check_readings
from gatewright.data.prepare.fitting import fit, fit_series
from gatewright.data.prepare.leaks import Leaks
from gatewright.data.prepare.storage import written_aside
from gatewright.data.prepare.writing import Writer, finish, write_prepared
from gatewright.data.prepare.written import decimals_of
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.question import Question
from gatewright.data.table.reading import Table, about
from gatewright.requests import Split

USUAL = Split()


def prepare(
    table: Table,
    layout: Layout,
    question: Question,
    folder: Path,
    *,
    split: Split = USUAL,
    seed: int = 0,
) -> Prepared:
    """Split a table, fit a preparation on the training part only, and write the arrays.

    Series are split by time. Where most of them run across the two times that give all rows
    together the shares asked for, all are cut there, so that no series' training part lies after
    another's test origin, and a series that ends before is all training. Otherwise each is cut at
    its own places, and one too short to be judged is all training.

    Args:
        table: what ``read`` gave.
        layout: the part that each column plays.
        question: the task's examples and target.
        folder: takes the arrays. An existing one is replaced, only when the new one is complete.
        split: the shares of the three parts, or their lengths; a split column goes before shares.
        seed: of the split of sequences.

    Raises:
        InputError: a column is missing or of another type; times do not increase; a part is too
            short for an example, or a label has too few sequences.
    """
    examples, target = question.examples, question.target
    with about(table), written_aside(folder) as aside:
        seen = layout.targets if target.numeric else ()
        numbers = (*seen, *layout.numbers, *layout.steps)
        check_columns(table, layout, numbers=numbers, targets=True, parts=True)
        layout = examples.settled(table, layout)
        partition = examples.partition(table, layout, target, aside, split, seed)
        fitted = fit(layout, partition, question)
        update = {"readings": _readings(table, layout), "decimals": decimals_of(table, layout)}
        preparation = fitted.preparation.model_copy(update=update)
        leaks = Leaks.of(partition, question, preparation)
        writer = Writer(preparation, partition, question, fitted.center, fitted.scale, leaks)
        counts = writer.write(aside)
        more = [*leaks.notes(), *examples.remarks(layout, partition, aside)]
        finish(aside, preparation, partition, question, counts, more)
        _add_parts(aside, question, table)
    return Prepared.open(folder)


def _add_parts(folder: Path, question: Question, table: Table) -> None:
    """Keep what the parts hold, which the arrays tell once they are written."""
    data = Prepared.open(folder)
    parts = question.examples.parts(data, table)
    preparation = data.preparation.model_copy(update={"parts": parts})
    write_prepared(folder, preparation, data.items)


def _readings(table: Table, layout: Layout) -> dict[str, str]:
    """How later tables are read. Whole numbers that are only categories are names, of which a new
    one may be a word; a time that was made and is not used need not be there."""
    elsewhere = {layout.series, layout.time, layout.step, *layout.numbers, *layout.targets}
    names = set(layout.categories) - elsewhere
    unused = {*table.derived} - {layout.time, layout.step}
    return {
        name: "text" if kind == "integer" and name in names else kind
        for name, kind in table.readings.items()
        if name not in unused
    }


def transform(table: Table, preparation: Preparation, question: Question, folder: Path) -> Prepared:
    """The arrays of a new table, with nothing fitted, to predict: all rows are the test part.

    Targets that are no inputs may be absent. Rows at the end of a series without any target are its
    future; a series that was not in training is scaled by the rows given.

    Args:
        table: what ``read`` gave.
        preparation: of the data a model was trained on.
        question: the task's examples and target.
        folder: takes the arrays, as in ``prepare``.

    Raises:
        InputError: a column is missing or of another type, or an input that is known ahead is
            missing in the future.
    """
    layout, examples = preparation.layout, question.examples
    seen = layout.targets if examples.sees_targets else ()
    with about(table), written_aside(folder) as aside:
        check_readings(table, layout, seen)
        numbers = (*seen, *layout.numbers, *layout.steps)
        check_columns(table, layout, numbers=numbers, targets=examples.sees_targets, parts=False)
        partition = examples.partition_new(table, layout, aside)
        center = scale = np.empty((len(partition.items), 0))
        if examples.sees_targets:
            center, scale = fit_series(partition, preparation)
        counts = Writer(preparation, partition, question, center, scale).write(aside)
        finish(aside, preparation, partition, question, counts, new=True)
    return Prepared.open(folder)
