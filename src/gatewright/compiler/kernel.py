"""From a cell's graph to the plan of its kernel: stages, accumulators, what is saved.

A step runs in stages. Each stage multiplies one source (first the previous output, then what
``h.NAME(vector)`` projects) with recurrent weights, and computes elementwise what can be computed
then. The backward pass runs the stages in reverse. The plan says which values each of these
loops reads and writes; ``printers/cpp.py`` prints them.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.compiler.derivatives import adjoints
from gatewright.compiler.frontier import smallest_frontier
from gatewright.equations import Cell, CellError
from gatewright.equations.expressions import Expression, in_order, node

# What the engine has room for. The generated code checks that engine/cell.h and call.h say so too.
MOST_STAGES = 2
MOST_SUMS = 8  # of a stage
MOST_STATES = 8


@dataclass(frozen=True, eq=False)
class Accumulator:
    """A sum of projections that no operation parts: one register, one column of gradients.

    x_row, h_row: the place of its rows in ``weight_ih`` and ``weight_hh``, counted in hidden
    sizes, or -1 where it has no such part.
    """

    value: Expression
    x_row: int
    h_row: int

    @property
    def order(self) -> int:
        """Input only, then both, then recurrent only: each product covers neighbours."""
        return 0 if self.h_row < 0 else 1 if self.x_row >= 0 else 2


@dataclass(frozen=True, eq=False)
class Stage:
    """source: the vector that is projected; None is the previous output."""

    source: Expression | None
    accumulators: tuple[Accumulator, ...]

    def count(self, order: int) -> int:
        return sum(accumulator.order == order for accumulator in self.accumulators)


@dataclass(frozen=True, eq=False)
class Loop:
    """One elementwise loop: (kind, place, value) for everything that it writes."""

    stage: int
    writes: tuple[tuple[str, int, Expression], ...]


@dataclass(frozen=True, eq=False)
class Kernel:
    """saved: what the backward pass reads; the first ``crossing`` of them join the stages too."""

    cell: Cell
    stages: tuple[Stage, ...]
    saved: tuple[Expression, ...]
    crossing: int
    forward: tuple[Loop, ...]
    backward: tuple[Loop, ...]


def incoming(state: str) -> Expression:
    """The derivative by the next state of that name."""
    return node("incoming", name=state)


def returned(stage: int) -> Expression:
    """The derivative by the source of a stage, as its product with the weights gives it."""
    return node("returned", name=str(stage))


def unfit(cell: Cell) -> str | None:
    """Why the engine cannot hold a cell, or None if it can. Such a cell runs on the reference."""
    stages, _ = _arranged(cell)
    most = max(len(stage.accumulators) for stage in stages)
    for needed, room, text in (
        (len(stages), MOST_STAGES, "products one after the other in a step"),
        (most, MOST_SUMS, "sums of projections at a time"),
        (len(cell.states), MOST_STATES, "states"),
    ):
        if needed > room:
            return f"the engine has room for {room} {text}, and {cell.name} needs {needed}"
    return None


def plan(cell: Cell) -> Kernel:
    """The kernel of a cell.

    Raises CellError for a cell that the engine cannot hold.
    """
    if reason := unfit(cell):
        raise CellError(reason)
    values = in_order(cell.step.states.values())
    stages, stage_of = _arranged(cell)
    leaves = [item.value for stage in stages for item in stage.accumulators]
    crossing = _crossing(cell, stage_of, stages)
    backward = _backward(cell, stages)
    known = {item for item in values if item.operation in ("state", "p", "constant")}
    known |= set(crossing)
    needed = [
        item
        for loop in backward
        for item in _forward_values([value for _, _, value in loop.writes], set(values))
    ]
    saved = crossing + smallest_frontier(needed, sources=set(leaves), known=known)
    return Kernel(
        cell=cell,
        stages=stages,
        saved=tuple(saved),
        crossing=len(crossing),
        forward=_forward(cell, stages, stage_of, saved),
        backward=backward,
    )


def _arranged(cell: Cell) -> tuple[tuple[Stage, ...], dict[Expression, int]]:
    """The stages of a step, and the one in which each value is computed."""
    values = in_order(cell.step.states.values())
    sources = _sources(values)
    accumulators = _accumulators(cell, values)
    stage_of = _stages(values, accumulators, sources)
    parts: list[list[Accumulator]] = [[] for _ in sources]
    for item in accumulators.values():
        parts[stage_of[item.value]].append(item)
    for part in parts:
        part.sort(key=lambda item: (item.order, max(item.x_row, item.h_row)))
    stages = (Stage(source, tuple(part)) for source, part in zip(sources, parts, strict=True))
    return tuple(stages), stage_of


def _sources(values: list[Expression]) -> list[Expression | None]:
    found: dict[Expression | None, None] = {None: None}
    for item in values:
        if item.operation == "h" and item.arguments:
            found[item.arguments[0]] = None
    return list(found)


def _accumulators(cell: Cell, values: list[Expression]) -> dict[Expression, Accumulator]:
    """By the value that each holds. ``x.NAME + h.NAME`` that meet nowhere else share one."""
    users: dict[Expression, list[Expression]] = {item: [] for item in values}
    for item in values:
        for argument in item.arguments:
            users[argument].append(item)
    found: dict[Expression, Accumulator] = {}
    shared = set[Expression]()
    for item in values:
        kinds = {argument.operation: argument for argument in item.arguments}
        if item.operation == "add" and kinds.keys() == {"x", "h"}:
            parts = (kinds["x"], kinds["h"])
            single = all(users[part] == [item] for part in parts)
            if single and not any(part in cell.step.states.values() for part in parts):
                found[item] = Accumulator(
                    item,
                    cell.x_projections.index(parts[0].name),
                    cell.h_projections.index(parts[1].name),
                )
                shared |= set(parts)
    for item in values:
        if item.operation == "x" and item not in shared:
            found[item] = Accumulator(item, cell.x_projections.index(item.name), -1)
        if item.operation == "h" and item not in shared:
            found[item] = Accumulator(item, -1, cell.h_projections.index(item.name))
    return found


def _stages(
    values: list[Expression],
    leaves: dict[Expression, Accumulator],
    sources: list[Expression | None],
) -> dict[Expression, int]:
    """The stage in which each value can be computed first.

    An input projection waits for the first stage that uses it.
    """
    stage: dict[Expression, int] = {}
    waiting = [item for item, leaf in leaves.items() if leaf.order == 0]
    for item in values:
        if item.operation == "h":
            stage[item] = sources.index(item.arguments[0] if item.arguments else None)
        else:
            stage[item] = max((stage[argument] for argument in item.arguments), default=0)
    for item in waiting:
        # What a projection projects is needed one stage before its product; what nobody uses
        # (a state that is an input projection) is needed at the end.
        stage[item] = min(
            (stage[user] - (user.operation == "h") for user in values if item in user.arguments),
            default=len(sources) - 1,
        )
    return stage


def _outputs(
    cell: Cell, stages: tuple[Stage, ...], number: int
) -> list[tuple[str, int, Expression]]:
    """What the loop of a stage must write for the step to go on."""
    if number + 1 < len(stages):
        source = stages[number + 1].source
        assert source is not None
        return [("source", number + 1, source)]
    return [("state", place, value) for place, value in enumerate(cell.step.states.values())]


def _crossing(
    cell: Cell, stage_of: dict[Expression, int], stages: tuple[Stage, ...]
) -> list[Expression]:
    """Values of an earlier stage that a later one reads (a later loop does not see its sums)."""
    if len(stages) == 1:
        return []
    found = dict[Expression, None]()
    last = len(stages) - 1
    leaves = {item.value for stage in stages for item in stage.accumulators}

    def early(item: Expression) -> bool:
        below = in_order([item])
        return stage_of[item] < last and any(value in leaves for value in below)

    for item in in_order(cell.step.states.values(), leaves):
        readers = () if item in leaves else item.arguments
        if stage_of[item] == last and not early(item):
            found.update({argument: None for argument in readers if early(argument)})
    found.update({item: None for item in cell.step.states.values() if early(item)})
    return list(found)


def _forward(
    cell: Cell,
    stages: tuple[Stage, ...],
    stage_of: dict[Expression, int],
    saved: list[Expression],
) -> tuple[Loop, ...]:
    loops = []
    for number in range(len(stages)):
        writes = [
            ("saved", place, value)
            for place, value in enumerate(saved)
            if stage_of[value] == number
        ]
        loops.append(Loop(number, (*writes, *_outputs(cell, stages, number))))
    return tuple(loops)


def _backward(cell: Cell, stages: tuple[Stage, ...]) -> tuple[Loop, ...]:
    leaves = [item.value for stage in stages for item in stage.accumulators]
    seeds = dict[Expression, Expression]()
    for name, value in cell.step.states.items():
        seeds[value] = seeds[value] + incoming(name) if value in seeds else incoming(name)
    for number, stage in enumerate(stages):
        if stage.source is not None:
            back = returned(number)
            known = seeds.get(stage.source)
            seeds[stage.source] = back if known is None else known + back
    totals = adjoints(seeds, leaves)
    zero = node("constant", value=0.0)
    loops, column = [], 0
    columns = [(stage, item) for stage in stages for item in stage.accumulators]
    for number in reversed(range(len(stages))):
        writes = []
        for column, (stage, item) in enumerate(columns):
            if stage is stages[number]:
                writes.append(("gate", column, totals.get(item.value, zero)))
        if number == 0:
            for place, name in enumerate(cell.states):
                writes.append(("previous", place, totals.get(node("state", name=name), zero)))
            for place, name in enumerate(cell.vectors):
                writes.append(("vector", place, totals.get(node("p", name=name), zero)))
        loops.append(Loop(number, tuple(writes)))
    return tuple(loops)


def _forward_values(roots: list[Expression], forward: set[Expression]) -> list[Expression]:
    """The values of the forward pass that the roots read, in the same order in every build."""
    return [item for item in in_order(roots, leaves=forward) if item in forward]
