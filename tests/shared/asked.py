"""Preparing with the question of the task that a layout names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatewright import tasks
from gatewright.data.layout import Layout
from gatewright.data.prepare import preparing
from gatewright.data.prepared import Preparation, Prepared
from gatewright.data.table.reading import Table


def prepare(table: Table, layout: Layout, folder: Path, **more: Any) -> Prepared:
    return preparing.prepare(table, layout, tasks.get(layout.task), folder, **more)


def transform(table: Table, preparation: Preparation, folder: Path) -> Prepared:
    question = tasks.get(preparation.layout.task)
    return preparing.transform(table, preparation, question, folder)
