"""Tables and paragraphs about a run: what was guessed, how it ended."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gatewright import tasks
from gatewright.comparison.records import Row
from gatewright.comparison.result import Result
from gatewright.comparison.sentences import of_training
from gatewright.data.layout import Guess, Layout
from gatewright.data.prepared import Part
from gatewright.errors import flag, with_flags
from gatewright.measures import Measure
from gatewright.wording import numbers

HEAD = 20  # columns of the name of a measure
NARROW = 130  # columns; below, intervals stand under their numbers
MARK = "●"


def beginning(
    guessed: Sequence[Guess], noted: Sequence[str], parts: Sequence[Part]
) -> RenderableType:
    """What stands before any training: each guess with its reason and the flag that overrides it,
    when training, validation and test are, and what else was noticed."""
    table = Table.grid(padding=(0, 2))
    for style in ("dim", "bold", "cyan", "dim"):
        table.add_column(style=style, no_wrap=style == "cyan")
    for guess in guessed:
        overriding, why = flag(guess.argument), with_flags(guess.why)
        table.add_row(*map(Text, (guess.what, guess.value, overriding, why)))
    shown: list[RenderableType] = []
    if guessed:
        shown += [
            Text("Guessed, with the flag that says otherwise:"),
            Padding(table, (0, 2), expand=False),
        ]
    if parts:
        shown += [Text("Cut into:"), Padding(_parts(parts), (0, 2), expand=False)]
    if noted:
        shown.append(Text("Noticed:"))
        shown += [Padding(Text(with_flags(note), style="dim"), (0, 2)) for note in noted]
    return Group(*shown, Text())


def _parts(parts: Sequence[Part]) -> Table:
    """A line for each part of the split: when it is, what it holds, and a remark below."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    for _ in parts[0].holds:
        table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for part in parts:
        table.add_row(*map(Text, (part.name, part.when, *part.holds, with_flags(part.remark))))
    return table


def show_result(result: Result, screen: Console) -> None:
    """The verdict, the leaderboard, and what to do next."""
    screen.print(Text("Verdict", style="bold"))
    wrapped = screen.is_terminal
    verdict = Padding(Text(result.verdict.text), (0, 2)) if wrapped else result.verdict.text
    screen.print(verdict, soft_wrap=not wrapped, highlight=False, markup=False)
    screen.print(Text())
    screen.print(leaderboard(result, narrow=screen.width < NARROW))
    screen.print(Text())
    for line in remarks(result):
        screen.print(Text(line, style="dim"), soft_wrap=not wrapped)
    screen.print(Text())
    for what, words in next_steps(result).items():
        screen.print(Text.assemble((f"{what:<9}", "dim"), words), soft_wrap=True)


def leaderboard(result: Result, *, narrow: bool) -> Table:
    """A row a candidate, best first; where it is narrow, intervals stand under their numbers."""
    verdict = result.verdict
    level = f"{100 * verdict.confidence:g}% interval"
    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="dim",
        border_style="dim",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0) if narrow else (0, 1),
    )
    table.add_column("", width=1)
    table.add_column("candidate", overflow="fold")
    metric = "\n".join(textwrap.wrap(verdict.metric, HEAD) or [""])
    for head in (f"{metric}\non test", "skill over the\nbest baseline"):
        table.add_column(f"{head}\n({level})" if narrow else head, justify="right", no_wrap=True)
        if not narrow:
            table.add_column(f"\n{level}", justify="right", style="dim", no_wrap=True)
    for each in beside(result):
        table.add_column(f"\n{each.short}", justify="right", no_wrap=True)
    above = "\n" if narrow else ""
    for head in ("param-\neters", "\nseeds", "train-\ning", "per pre-\ndiction"):
        table.add_column(f"{above}{head}", justify="right", no_wrap=True)
    for row in result.rows:
        if not row.failed:
            table.add_row(*_cells(row, result, narrow=narrow))
    return table


def _cells(row: Row, result: Result, *, narrow: bool) -> Iterator[RenderableType]:
    best = row.name == result.verdict.recommended
    style = "bold green" if best else "" if row.among_best else "dim"
    yield Text(MARK if row.among_best else "", style="green")
    yield Text(row.title, style=style)
    own = row.name == result.verdict.best_baseline
    over = numbers.NOTHING if own else numbers.skill(row.skill)
    for figure, interval in (
        (numbers.number(row.loss), numbers.interval(row.low, row.high)),
        (over, numbers.interval(row.skill_low, row.skill_high, numbers.skill)),
    ):
        if narrow:
            yield Text.assemble((figure, style), (f"\n{interval}" if interval else "", "dim"))
        else:
            yield Text(figure, style=style)
            yield Text(interval)
    for each in beside(result):
        yield Text(each.words(row.measures.get(each.name)), style=style)
    yield f"{row.parameters:,}"
    yield row.seeds_in_words()
    yield numbers.duration(row.train_seconds)
    yield numbers.microseconds(row.microseconds)


def beside(result: Result) -> list[Measure]:
    """The measures that people know, beside the one that decided."""
    plan = result.plan
    return tasks.get(plan.layout.task).beside(plan.options, plan.layout)


def remarks(result: Result) -> Iterator[str]:
    """What the marks mean, and who failed."""
    marked = sum(row.among_best for row in result.rows)
    if marked > 1:
        yield f"{MARK} recommended, or not told from it"
    elif marked:
        yield f"{MARK} recommended"
    base = result.verdict.best_baseline
    if base is not None:
        title = result.verdict.candidate(base).title
        yield f"skill: how much lower than the {result.verdict.metric} of {title}"
    for each in beside(result):
        if each.explained != each.short:
            yield f"{each.short}: {each.explained}"
    yield "training: of one seed; per prediction: in blocks, on one thread"
    for sentence in of_training(result.rows, result.plan):
        yield with_flags(sentence)
    for row in result.rows:
        if row.failed:
            yield f"{row.title} failed: {row.failed}"


def next_steps(result: Result) -> dict[str, str]:
    """Where the report lies, and the command that predicts."""
    paths = {}
    report = result.folder.path / "report.html"
    if report.exists():
        paths["Report"] = str(report)
    return paths | {"Predict": predicting(result.plan.layout, result.folder.path)}


def predicting(layout: Layout, folder: Path) -> str:
    """The command that predicts with what is in a folder."""
    file, answer = tasks.get(layout.task).examples.needs(layout)
    words = ["gatewright", "predict", str(folder), *([file] if file else []), "-o", answer]
    return shlex.join(words)
