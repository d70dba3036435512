"""The results as a table: in a terminal with colours, in Markdown for a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatewright.bench.cases import PEAK
from gatewright.bench.results import OWN, Measurement, Results
from gatewright.wording.numbers import counted

NAMING = 3  # the columns that say what a row is
REACHED, MISSED, REFUSED = "green", "bold red", "red"


@dataclass(frozen=True)
class Entry:
    """One field of the table."""

    text: str
    style: str = ""


def header(results: Results) -> list[str]:
    """The columns: three that name the row, then numbers."""
    naming = ["case (T, B, I, H)", "cell", "what"]
    return [*naming, "ms", "GFLOP/s", "of peak", *(f"over {name}" for name in _sides(results))]


def row(results: Results, measurement: Measurement) -> list[Entry]:
    """The fields of one measurement, in the order of :func:`header`."""
    own, gflops = measurement.timings.get(OWN), measurement.gflops
    entries = [
        Entry(measurement.case.title),
        Entry(measurement.case.cell),
        Entry(measurement.case.work_title),
    ]
    if own is None or gflops is None:
        refused = Entry("refused", REFUSED) if OWN in measurement.refused else Entry("")
        return [*entries, refused, *(Entry("") for _ in range(2 + len(_sides(results))))]
    share = measurement.share(results.machine.peak)
    entries += [
        Entry(_digits(own.median)),
        Entry(_digits(gflops)),
        _held(share, measurement.case.targets.get(PEAK), "{:.0%}"),
    ]
    for name in _sides(results):
        if name in measurement.refused:
            entries.append(Entry("refused", REFUSED))
        else:
            entries.append(
                _held(measurement.ratio(name), measurement.case.targets.get(name), "{:.2f}")
            )
    return entries


def _sides(results: Results) -> list[str]:
    """The other sides that were measured or refused, in the order of their appearance."""
    names = results.others + [side for _, side, _ in results.refused if side != OWN]
    return list(dict.fromkeys(names))


def _held(value: float | None, least: float | None, form: str) -> Entry:
    """A value beside its target, as ``3.41 >= 3.00`` or ``2.10 < 3.00``."""
    if value is None:
        return Entry("")
    if least is None:
        return Entry(form.format(value))
    sign, style = ("≥", REACHED) if value >= least else ("<", MISSED)
    return Entry(f"{form.format(value)} {sign} {form.format(least)}", style)


def _digits(value: float) -> str:
    """Three figures that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def render(results: Results) -> Table:
    """The table for a terminal; a line between cases, each named once."""
    table = Table(title="Speed of each cell", title_justify="left", title_style="bold")
    for column, title in enumerate(header(results)):
        table.add_column(
            title.replace(" ", "\n", 1) if column >= NAMING else title,
            justify="left" if column < NAMING else "right",
            min_width=len("(100, 32, 128, 256)") if column == 0 else None,
            vertical="top",
        )
    before: tuple[str, str] | None = None
    for measurement in results.measurements:
        entries = row(results, measurement)
        case = (measurement.case.title, measurement.case.work)
        if before == case:
            entries[0] = Entry("")
        elif before is not None:
            table.add_section()
        before = case
        table.add_row(*(Text(entry.text, style=entry.style) for entry in entries))
    return table


def show(results: Results, console: Console) -> None:
    """The whole of it: what it holds for, the table, the figures, the targets."""
    if results.measurements:
        console.print(render(results))
    for line in closing(results):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def closing(results: Results) -> Iterator[str]:
    """The lines below the table, plain text."""
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    threads = f"{counted(machine.threads, 'thread')} for every side"
    peak = "" if machine.peak is None else f", FMA peak {_digits(machine.peak)} GFLOP/s"
    yield f"{machine.cpu}, level {machine.level}, {threads}{peak}; medians, float32"
    yield versions
    slow = {m.backend for m in results.measurements if m.backend.startswith("reference")}
    for backend in sorted(slow):
        cells = {m.case.cell for m in results.measurements if m.backend == backend}
        yield f"Without the compiled engine, {backend}: {', '.join(sorted(cells))}"
    for figure in results.figures:
        verdict = "reached" if figure.reached else "missed"
        note = f" ({figure.note})" if figure.note else ""
        bound = f"at most {figure.at_most:g} {figure.unit}: {verdict}"
        yield f"{figure.title}: {figure.value:.2f} {figure.unit}, {bound}{note}"
    if targets := _targets(results):
        yield targets


def _targets(results: Results) -> str:
    """How many targets are reached, in a sentence; empty where there is none."""
    held = [
        verdict
        for measurement in results.measurements
        for verdict in measurement.reached(results.machine.peak).values()
    ]
    held += [figure.reached for figure in results.figures]
    parts = [
        f"{held.count(verdict)} {word}"
        for verdict, word in ((True, "reached"), (False, "missed"), (None, "not measured"))
        if held.count(verdict)
    ]
    marks = "; in the table ≥ marks a target reached, < one missed"
    return f"Targets: {', '.join(parts)}{marks}" if parts else ""


def markdown(results: Results) -> str:
    """The same in Markdown."""
    titles = header(results)
    lines = ["| " + " | ".join(titles) + " |"]
    lines.append(
        "|" + "".join(" --- |" if column < NAMING else " ---: |" for column in range(len(titles)))
    )
    for measurement in results.measurements:
        lines.append("| " + " | ".join(entry.text for entry in row(results, measurement)) + " |")
    return "\n".join([*lines, "", *(f"{line}  " for line in closing(results))]) + "\n"
