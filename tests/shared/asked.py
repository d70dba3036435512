"""Guessing and preparing with the tasks that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatewright import tasks
from gatewright.data.guess import guessing
from gatewright.data.guess.guessing import NOTHING, USUAL
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepare import preparing
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.table.reading import Table
from gatewright.requests import Columns, Split


def guess(
    table: Table, said: Columns = NOTHING, split: Split = USUAL
) -> tuple[Layout, tuple[Guess, ...]]:
    return guessing.guess(table, tasks.every(), said, split)


def prepare(table: Table, layout: Layout, folder: Path, **more: Any) -> Prepared:
    return preparing.prepare(table, layout, tasks.get(layout.task), folder, **more)


def transform(table: Table, preparation: Preparation, folder: Path) -> Prepared:
    question = tasks.get(preparation.layout.task)
    return preparing.transform(table, preparation, question, folder)
