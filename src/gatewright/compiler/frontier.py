"""What to save for the backward pass: the fewest values from which the needed ones follow."""

from __future__ import annotations

from collections.abc import Iterable

from gatewright.equations.expressions import Expression, in_order

# A value stands as two points, where it arrives and where it leaves; between them runs an edge
# of one unit (saving it), all other edges have no limit. The smallest cut is what to save
# (Ford and Fulkerson 1956).
_Point = tuple[str, Expression | None]
_UNLIMITED = 1 << 20
_START: _Point = ("start", None)
_END: _Point = ("end", None)


def smallest_frontier(
    needed: Iterable[Expression], sources: set[Expression], known: set[Expression]
) -> list[Expression]:
    """The fewest values that part the needed ones from the sources.

    Of several such sets the one nearest to the needed values, so that least is computed again.
    known: values at hand anyway.
    """
    wanted = [item for item in dict.fromkeys(needed) if item not in known]
    values = [item for item in in_order(wanted, leaves=sources | known) if item not in known]
    room: dict[_Point, dict[_Point, int]] = {}

    def connect(a: _Point, b: _Point, size: int) -> None:
        room.setdefault(a, {})[b] = size
        room.setdefault(b, {}).setdefault(a, 0)

    connect(_START, _END, 0)
    for item in values:
        connect(("in", item), ("out", item), 1)
        if item in sources:
            connect(_START, ("in", item), _UNLIMITED)
        else:
            for argument in item.arguments:
                if argument not in known:
                    connect(("out", argument), ("in", item), _UNLIMITED)
    for item in wanted:
        connect(("out", item), _END, _UNLIMITED)

    while path := _path(room):
        for a, b in path:
            room[a][b] -= 1
            room[b][a] += 1

    beyond = _reaching_end(room)
    return [item for item in values if ("out", item) in beyond and ("in", item) not in beyond]


def _path(room: dict[_Point, dict[_Point, int]]) -> list[tuple[_Point, _Point]]:
    """The edges of one way from start to end that has room left."""
    came: dict[_Point, _Point] = {_START: _START}
    queue = [_START]
    for point in queue:
        for following, size in room[point].items():
            if size > 0 and following not in came:
                came[following] = point
                queue.append(following)
    edges, point = [], _END
    while point in came and point != _START:
        edges.append((came[point], point))
        point = came[point]
    return edges


def _reaching_end(room: dict[_Point, dict[_Point, int]]) -> set[_Point]:
    found, queue = {_END}, [_END]
    for point in queue:
        for before in room[point]:
            if room[before][point] > 0 and before not in found:
                found.add(before)
                queue.append(before)
    return found
