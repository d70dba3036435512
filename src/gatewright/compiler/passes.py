"""Which values of an elementwise loop to compute in a pass of their own.

A function such as tanh is a long chain of dependent operations. Where one waits for another (the
LSTM's tanh(c) for its gates), a processor that works on one row after the other runs out of
independent work. So the functions that wait for none go first, for all rows of a block.
"""

from __future__ import annotations

from gatewright.compiler.kernel import Loop
from gatewright.equations.expressions import Expression, in_order
from gatewright.equations.functions import FUNCTIONS


def _costly(item: Expression) -> bool:
    return item.operation in FUNCTIONS and FUNCTIONS[item.operation].costly


def early_values(loop: Loop, accumulators: list[Expression]) -> dict[Expression, int]:
    """The values of the first pass, each with the accumulator whose place it takes over.

    Empty where no function waits for another. A value qualifies if some accumulator has no other
    use than to compute it.
    """
    values = in_order((value for _, _, value in loop.writes), accumulators)
    roots = {value for _, _, value in loop.writes}
    users: dict[Expression, set[Expression]] = {item: set() for item in values}
    waits: dict[Expression, int] = {}
    for item in values:
        arguments = () if item in accumulators else item.arguments
        for argument in arguments:
            users[argument].add(item)
        waits[item] = max((waits[a] for a in arguments), default=0) + _costly(item)
    if max(waits.values(), default=0) < 2:
        return {}
    found = {}
    for item in values:
        if not _costly(item) or waits[item] != 1 or item in accumulators:
            continue
        below = set(in_order([item], accumulators))
        for place, accumulator in enumerate(accumulators):
            if accumulator not in below or accumulator in roots:
                continue
            if _only_for(item, accumulator, below, users, roots):
                found[item] = place
                break
    return found


def _only_for(
    item: Expression,
    accumulator: Expression,
    below: set[Expression],
    users: dict[Expression, set[Expression]],
    roots: set[Expression],
) -> bool:
    """If all that the accumulator is used for, directly or not, ends in ``item``."""
    waiting = [accumulator]
    while waiting:
        value = waiting.pop()
        if value is item:
            continue
        if value in roots or not users[value] <= below:
            return False
        waiting += users[value]
    return True
