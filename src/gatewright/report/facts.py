"""What was found in the data and decided before any training, in words."""

from __future__ import annotations

from pathlib import PurePath

from gatewright import tasks
from gatewright.comparison.records import Plan
from gatewright.comparison.verdict import Verdict
from gatewright.data.layout import Layout
from gatewright.data.prepared import PARTS
from gatewright.report.outcome import Outcome
from gatewright.report.tables import setting_text
from gatewright.wording.numbers import counted, duration

MOST_NAMES = 6


def listed(names: tuple[str, ...], most: int = MOST_NAMES) -> str:
    """As "a, b and 4 more"."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"


def data_line(outcome: Outcome) -> list[str]:
    """The data in a line: file, task, horizon, how much was judged."""
    plan, examples = outcome.plan, outcome.task.examples
    judged = max((score.series for score in outcome.scores.values()), default=0)
    judged_on = max((score.examples for score in outcome.scores.values()), default=0)
    return [
        PurePath(plan.source).name or plan.source,
        outcome.task.asks(listed(plan.layout.targets, 3)),
        *examples.described(plan.layout, outcome.preparation, judged),
        f"judged on {counted(judged_on, f'test {examples.unit}')}",
    ]


def headline(verdict: Verdict) -> tuple[str, str, str]:
    """What stands above the verdict: a verb, the candidate, and which kind it is."""
    chosen = verdict.candidate(verdict.recommended)
    kind = "baseline" if chosen.baseline else "recurrent network"
    if len(verdict.candidates) == 1:
        return "Only", chosen.title, kind
    if not verdict.comparable:
        return "For now, ship", chosen.title, kind
    return "Ship", chosen.title, kind


def split_text(plan: Plan) -> str:
    """How training, validation and test were cut."""
    layout = plan.layout
    if plan.rows is not None:
        train, validation, test = plan.rows
        return (
            f"{train:,} training, {validation:,} validation and {test:,} test steps of each series"
        )
    if layout.split:
        return f"By the column {layout.split}"
    shares = zip(plan.shares, PARTS, strict=True)
    how = tasks.get(layout.task).examples.split_in_words(layout)
    return ", ".join([*(f"{share:.0%} {part}" for share, part in shares), how])


def roles(layout: Layout) -> list[tuple[str, str]]:
    """Which column plays which part."""
    columns = [
        ("Targets", listed(layout.targets, 12)),
        ("Inputs, numbers", listed(layout.numbers, 12)),
        ("Inputs, categories", listed(layout.categories, 12)),
        ("Known ahead", listed(layout.known, 12)),
        ("Time", layout.time or ""),
        ("Series", layout.series or ""),
        ("Sequence", layout.sequence or ""),
        ("Step", layout.step or (listed(layout.steps) if layout.steps else "")),
        ("Group", layout.group or ""),
        ("Split column", layout.split or ""),
    ]
    return [(what, value) for what, value in columns if value]


def budget(plan: Plan) -> list[tuple[str, str]]:
    """What every trained candidate was given."""
    stopping = plan.stopping
    counts = [count for one in plan.candidates for count in one.parameters]
    facts = [
        ("Budget", plan.budget),
        ("Settings tried", f"{len(plan.settings)}, the same for each, with the first seed"),
        ("Seeds", f"{len(plan.seeds)} of the setting with the lowest validation loss"),
    ]
    if stopping.seconds is not None:
        facts.append(("Equal", f"time: {duration(stopping.seconds)} of training each"))
    else:
        facts.append(
            (
                "Training",
                f"at most {counted(stopping.epochs, 'epoch')} of at most "
                f"{counted(stopping.steps_per_epoch, 'step')}, stopped after "
                f"{stopping.patience} without a better validation loss",
            )
        )
    facts.append(("Batch", f"{stopping.batch_size} examples, in the same order for each"))
    facts.append(("Gradients", f"clipped to a norm of {stopping.clip:g}"))
    if counts:
        spread = max(counts) / min(counts) - 1
        facts.append(
            (
                "Parameters",
                f"{min(counts):,} to {max(counts):,} in every network (at most {spread:.1%} apart)",
            )
        )
    options = plan.options
    if options.class_weights:
        facts.append(("Classes", "each counts the same, however many sequences it has"))
    if options.truncate:
        facts.append(("Gradients reach back", counted(options.truncate, "step")))
    return facts


def settings(plan: Plan) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The networks, and each setting with the width and the parameters each of them has in it."""
    networks = [one for one in plan.candidates if one.hidden_sizes]
    lines = [
        (
            setting_text(setting),
            [
                f"{one.hidden_sizes[number]:,} wide, {one.parameters[number]:,} parameters"
                for one in networks
            ],
        )
        for number, setting in enumerate(plan.settings)
    ]
    return [one.title for one in networks], lines
