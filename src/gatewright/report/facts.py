"""What was found in the data and decided before any training, in words."""

from __future__ import annotations

from pathlib import PurePath

from gatewright import tasks
from gatewright.comparison.records import Plan
from gatewright.data.layout import Layout
from gatewright.data.prepared import PARTS
from gatewright.data.within import in_words
from gatewright.limits import EVERYTHING
from gatewright.models.folder import Comparison
from gatewright.report.outcome import Outcome
from gatewright.training import Stopping
from gatewright.training.loop import DECLINE
from gatewright.wording.numbers import counted, duration, listed


def data_line(outcome: Outcome) -> list[str]:
    """The data in a line: file, task, horizon, how much was judged."""
    plan, examples = outcome.plan, outcome.task.examples
    judged = max((score.series for score in outcome.scores.values()), default=0)
    who = "" if outcome.comparison is None else "its like was "
    judged_on = max((score.examples for score in outcome.scores.values()), default=0)
    return [
        PurePath(plan.source).name or plan.source,
        outcome.task.asks(listed(plan.layout.targets, 3)),
        *examples.described(plan.layout, outcome.preparation, judged),
        f"{who}judged on {counted(judged_on, f'{outcome.part} {examples.unit}')}",
    ]


def headline(outcome: Outcome) -> tuple[str, str, str]:
    """What stands above the verdict: a verb, the candidate, and which kind it is."""
    verdict = outcome.verdict
    chosen = verdict.candidate(verdict.recommended)
    kind = "baseline" if chosen.baseline else "recurrent network"
    if outcome.alone:
        return "Fitted" if outcome.comparison is None else "Made anew", chosen.title, kind
    if len(verdict.candidates) == 1:
        return "Only", chosen.title, kind
    if not verdict.comparable:
        return "For now, ship", chosen.title, kind
    return "Ship", chosen.title, kind


def split_text(plan: Plan) -> str:
    """How training, validation and test were cut."""
    layout = plan.layout
    if plan.shares == EVERYTHING:
        return "All rows are training"
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
        ("Limits given", listed([f"{name}: {in_words(of)}" for name, of in layout.limits.items()])),
    ]
    return [(what, value) for what, value in columns if value]


def _searched(plan: Plan) -> str:
    """As "8 for 2 epochs, the best 2 of them for 4, the best for 10"."""
    first, *later = plan.rungs
    words = [f"{first.settings} for {counted(first.epochs, 'epoch')}"]
    for rung in later:
        best = f"the best {rung.settings}" if rung.settings > 1 else "the best"
        words.append(f"{best} for {rung.epochs}")
    return ", ".join(words) if later else str(first.settings)


def budget(outcome: Outcome) -> list[tuple[str, str]]:
    """What every trained candidate was given."""
    plan = outcome.plan
    stopping = plan.stopping
    if outcome.comparison is not None:
        return _made_anew(outcome.comparison, stopping)
    sizes = [one.parameters for one in plan.candidates if one.parameters]
    facts = [
        ("Budget", plan.budget),
        ("Settings tried", f"{_searched(plan)}, the same for each, with the first seed"),
        ("Seeds", f"{len(plan.seeds)} of the setting with the lowest validation loss"),
    ]
    if outcome.alone:
        facts = [("Seed", str(plan.seeds[0]))]
    if stopping.seconds is not None:
        facts.append(("Equal", f"time: {duration(stopping.seconds)} of training each"))
    else:
        facts.append(
            (
                "Training",
                f"at most {counted(stopping.epochs, 'epoch')} of at most "
                f"{counted(stopping.steps_per_epoch, 'step')}; the learning rate declines in the "
                f"last {DECLINE:.0%}, which begin early after {stopping.patience} without a better "
                "validation loss",
            )
        )
    facts.append(("Batch", f"{stopping.batch_size} examples, in the same order for each"))
    facts.append(("Gradients", f"clipped to a norm of {stopping.clip:g}"))
    if sizes and not outcome.alone:
        counts = [count for of_one in sizes for count in of_one]
        spread = max(max(every) / min(every) - 1 for every in zip(*sizes, strict=True))
        facts.append(
            (
                "Parameters",
                f"{min(counts):,} to {max(counts):,} in every network, "
                f"at most {spread:.1%} apart in any one setting",
            )
        )
    options = plan.options
    if options.class_weights:
        facts.append(("Classes", "each counts the same, however many sequences it has"))
    if options.truncate:
        facts.append(("Gradients reach back", counted(options.truncate, "step")))
    return facts


def _made_anew(comparison: Comparison, stopping: Stopping) -> list[tuple[str, str]]:
    """How a model of all rows was made, which nothing chose anew."""
    facts = [("Chosen by", f"the comparison in {comparison.run}")]
    if comparison.epochs:
        each = [
            f"{counted(count, 'epoch')} of seed {seed}" for seed, count in comparison.epochs.items()
        ]
        facts += [
            ("Training", f"{listed(each)}: as many as each had at its best in the comparison"),
            ("Learning rate", f"declines in the last {DECLINE:.0%} of them"),
            ("Batch", f"{stopping.batch_size} examples"),
            ("Gradients", f"clipped to a norm of {stopping.clip:g}"),
        ]
    return facts


def settings(plan: Plan) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The networks, and each setting with the width and the parameters each of them has in it."""
    networks = [one for one in plan.candidates if one.hidden_sizes]
    lines = [
        (
            setting.in_words(),
            [
                f"{one.hidden_sizes[number]:,} wide, {one.parameters[number]:,} parameters"
                for one in networks
            ],
        )
        for number, setting in enumerate(plan.settings)
    ]
    return [one.title for one in networks], lines
