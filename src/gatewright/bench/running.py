"""Going through the cases: pose, check, measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import torch
from torch import Tensor

from gatewright.bench import figures, machine
from gatewright.bench.cases import REFERENCE, Case, Figure
from gatewright.bench.checking import judge
from gatewright.bench.measuring import Pace, measure
from gatewright.bench.peers import TORCH, Peer, share_threads
from gatewright.bench.problem import Make, Problem, Side, layer_side, make_layer, pose, references
from gatewright.bench.results import OWN, Measurement, Results

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Schedule:
    """What to measure, beside whom, with how many threads and for how long."""

    cases: Sequence[Case]
    peers: Sequence[Peer]
    threads: int
    figures: Sequence[Figure] = ()
    pace: Pace = field(default_factory=Pace)

    @property
    def length(self) -> int:
        return len(self.cases) + len(self.figures)


def run(plan: Schedule, tell: Tell = lambda _: None, make: Make = make_layer) -> Results:
    """Measure everything of the plan. ``tell`` is called with what is about to be measured.

    Interrupted by Ctrl-C, it returns what was measured until then, not complete.
    """
    share_threads(plan.threads)
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        results = Results(machine.describe(plan.threads, plan.peers))
        results.made = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            for case in plan.cases:
                tell(case.label)
                results.measurements.append(compare(case, plan, make))
            for figure in plan.figures:
                tell(figure.title)
                results.figures.append(figures.KINDS[figure.kind](figure, make))
            results.machine = machine.measured_again(results.machine)
            results.complete = True
        except KeyboardInterrupt:
            pass
        return results
    finally:
        torch.set_num_threads(before)


def compare(case: Case, plan: Schedule, make: Make = make_layer) -> Measurement:
    """One case: the sides whose numbers are right, timed in turns."""
    problem, layer = pose(case, make)
    reference, truth = references(problem, make)
    rounded, exact = reference.results(), truth.results()
    sides: dict[str, Side] = {}
    refused: dict[str, str] = {}

    def admit(name: str, build: Callable[[], Side | None]) -> None:
        side, sentence = _checked(build, problem, rounded, exact)
        if sentence is not None:
            refused[name] = sentence
        elif side is not None:
            sides[name] = side

    admit(OWN, lambda: layer_side(OWN, problem, layer))
    if OWN in sides:  # without a speed of its own there is nothing to compare
        for peer in plan.peers:
            admit(peer.name, lambda peer=peer: peer.side(problem, plan.threads))  # type: ignore[misc]
        if case.cell not in TORCH or REFERENCE in case.targets:
            sides[REFERENCE] = reference
    # A stream is in inference mode from its first step to its last: no step pays for entering it.
    with torch.inference_mode(case.group == "step"):
        timings = measure({name: side.work for name, side in sides.items()}, plan.pace)
    return Measurement(case, problem.operations, str(layer.backend), timings, refused)


def _checked(
    build: Callable[[], Side | None],
    problem: Problem,
    rounded: dict[str, Tensor],
    exact: dict[str, Tensor],
) -> tuple[Side | None, str | None]:
    """A side and why it may not be timed; one that fails is refused like one that is wrong."""
    try:
        side = build()
        if side is None:
            return None, None
        return side, judge(problem, side.results(), rounded, exact)
    except Exception as error:  # noqa: BLE001 - the other cases are to be measured all the same
        text = " ".join(str(error).split())
        return None, f"it fails with {type(error).__name__}: {text}"
