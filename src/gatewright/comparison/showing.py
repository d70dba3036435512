"""A result in short: its verdict and its leaderboard, for a prompt and for a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from gatewright import tasks
from gatewright.comparison.records import Plan, Row
from gatewright.comparison.verdict import Verdict
from gatewright.wording import numbers, tables

MOST = 10  # candidates
WIDTH = 88  # columns of the verdict


def as_text(plan: Plan, verdict: Verdict, rows: Sequence[Row]) -> str:
    """The verdict and the first lines of the leaderboard, as text."""
    heads, lines, more = _board(plan, verdict, rows)
    parts = [textwrap.fill(verdict.text, WIDTH), "", tables.as_text(heads, lines)]
    return "\n".join([*parts, *([more] if more else [])])


def as_html(plan: Plan, verdict: Verdict, rows: Sequence[Row]) -> str:
    """The same as HTML."""
    heads, lines, more = _board(plan, verdict, rows)
    below = f"<p>{escape(more)}</p>" if more else ""
    return f"<p>{escape(verdict.text)}</p>{tables.as_html(heads, lines)}{below}"


def _board(
    plan: Plan, verdict: Verdict, rows: Sequence[Row]
) -> tuple[list[str], list[list[str]], str]:
    """The heads, a line a candidate, and what is said of those that are left out."""
    beside = tasks.get(plan.layout.task).beside(plan.options, plan.layout)
    level = f"{100 * verdict.confidence:g}% interval"
    heads = ["candidate", verdict.metric, level, "skill", *(each.short for each in beside), "seeds"]
    judged = [row for row in rows if not row.failed]
    lines = []
    for row in judged[:MOST]:
        own = row.name == verdict.best_baseline
        known = [each.words(row.measures.get(each.name)) for each in beside]
        figures = [
            numbers.number(row.loss),
            numbers.interval(row.low, row.high),
            numbers.NOTHING if own else numbers.skill(row.skill),
        ]
        lines.append([row.title, *figures, *known, row.seeds_in_words()])
    left = len(judged) - len(lines)
    failed = len(rows) - len(judged)
    words = [f"and {left:,} more"] if left else []
    words += [f"{failed:,} failed"] if failed else []
    return heads, lines, "; ".join(words)
