"""The page: one file with its data, its script and its looks, that fetches nothing."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gatewright.comparison.sentences import of_training
from gatewright.comparison.verdict import Verdict
from gatewright.errors import flag, with_flags
from gatewright.report import facts, figures, measured, tables, views
from gatewright.report.outcome import Outcome
from gatewright.wording.numbers import interval, microseconds, number, skill

TEMPLATE, STYLE, SCRIPT = "template.html.jinja", "style.css", "behaviour.js"


def render(outcome: Outcome, pictures: list[str] | None) -> str:
    """The page's text. pictures: the names of those in plots/; None where none could be drawn."""
    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"flag": flag, "with_flags": with_flags}
    contents = views.contents(outcome)
    drawn = _drawn(outcome, contents)
    return environment.get_template(TEMPLATE).render(
        **_text_and_tables(outcome),
        views=contents,
        drawn=drawn,
        pictures=pictures,
        data=embedded(drawn),
        style=_text(STYLE),
        script=_text(SCRIPT),
        plotly=_plotly(),
    )


def embedded(data: Any) -> str:
    """JSON for a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def _drawn(outcome: Outcome, contents: dict[views.View, dict[str, Any]]) -> dict[str, Any]:
    """What the script draws, by picture; a view is absent where it has nothing to draw."""
    plan, rows = outcome.plan, outcome.rows
    by_view = {view.name: view.drawn(content) for view, content in contents.items()}
    return {
        "candidates": figures.contenders(plan, rows),
        "leaders": outcome.leaders,
        "recommended": outcome.verdict.recommended,
        "metric": outcome.measure.title,
        "learning": figures.learning(plan, outcome.fits, rows),
        "clip": plan.stopping.clip,
        **{name: drawn for name, drawn in by_view.items() if drawn is not None},
    }


def _text_and_tables(outcome: Outcome) -> dict[str, Any]:
    """What stands in the page as text and tables."""
    plan, verdict, rows = outcome.plan, outcome.verdict, outcome.rows
    measure = outcome.measure
    unit = measure.unit if measure.title == verdict.metric else ""
    networks, settings = facts.settings(plan)
    return {
        "plan": plan,
        "layout": plan.layout,
        "verdict": verdict,
        "headline": facts.headline(outcome),
        "data_line": facts.data_line(outcome),
        "figures": _key_figures(outcome),
        "board": tables.leaderboard(verdict, rows),
        "part": outcome.part,
        "alone": outcome.alone,
        "like": _like(outcome),
        "judged_by": f"{verdict.metric} {unit}".rstrip(),
        "step_measure": measure,
        "overall": measured.overall(outcome),
        "by_place": measured.by_place(outcome),
        "tested": _tested(verdict),
        "titles": {one.name: one.title for one in plan.candidates},
        "roles": facts.roles(plan.layout),
        "notes": outcome.preparation.notes,
        "of_training": of_training(outcome.rows, plan),
        "split": facts.split_text(plan),
        "parts": outcome.preparation.parts,
        "budget": facts.budget(outcome),
        "networks": networks,
        "settings": settings,
        "number": number,
        "failed_fits": [fit for fit in outcome.fits.values() if fit.failed],
    }


def _tested(verdict: Verdict) -> list[tuple[str, str, list[tables.PairLine]]]:
    """The pairs of each question that was asked, with a heading and what their intervals are."""
    questions = [
        (
            "Networks against the best baseline",
            f"as they would be shipped; {100 * verdict.confidence:g}%",
            verdict.against_baseline,
        ),
        (
            "Networks beside each other",
            f"as they would be trained anew with one seed; {100 * (1 - verdict.level):g}%",
            verdict.among_networks,
        ),
    ]
    return [(title, what, tables.pairs(of, verdict)) for title, what, of in questions if of]


def _key_figures(outcome: Outcome) -> list[tuple[str, str, str]]:
    """What to know of the recommended candidate at a glance: name, figure, small print."""
    verdict = outcome.verdict
    row = next(row for row in outcome.rows if row.name == verdict.recommended)
    of = _like(outcome)
    key_figures = [(f"{verdict.metric}{of}", number(row.loss), interval(row.low, row.high))]
    for each in outcome.beside:
        key_figures.append(
            (f"{each.title}{of}", each.words(row.measures.get(each.name)), each.unit)
        )
    if row.skill is not None and not row.baseline:
        ends = interval(row.skill_low, row.skill_high, skill)
        key_figures.append(("better than the best baseline", skill(row.skill), ends))
    elif not outcome.alone:
        beaten = [one for one in outcome.rows if one.rank and row.rank and one.rank > row.rank]
        among = sum(not one.failed for one in outcome.rows)
        key_figures.append(("rank", f"{row.rank} of {among}", f"{len(beaten)} have a higher error"))
    key_figures.append(
        ("a prediction takes", microseconds(row.microseconds), "one thread, in blocks")
    )
    if row.parameters:
        key_figures.append(("parameters", f"{row.parameters:,}", ""))
    return key_figures


def _like(outcome: Outcome) -> str:
    """Whose measures are told, where they are not those of the model itself."""
    return "" if outcome.comparison is None else " of its like"
