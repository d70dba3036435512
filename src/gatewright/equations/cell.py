"""A cell: a function of named projections and states, traced and validated when it is made."""

from __future__ import annotations

import builtins
import difflib
import hashlib
import inspect
import os
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from gatewright.equations.expressions import (
    INPUTS,
    CellError,
    Expression,
    in_order,
    node,
    wrap,
)
from gatewright.equations.functions import WRITTEN

Definition = Callable[..., "Step"]


@dataclass(frozen=True)
class Step:
    """What one step gives: the next states by name, ``h`` first, and the gates by name."""

    states: dict[str, Any]
    gates: dict[str, Any]


def step(*, gates: Mapping[str, Any] | None = None, **states: Any) -> Step:
    """End a cell's definition: ``return step(h=..., c=..., gates=dict(forget=forget))``.

    The next states are given by name, the output ``h`` among them; ``gates`` names the values
    that a trace shows.
    """
    return Step(states, dict(gates or {}))


class _Names:
    """``x.NAME``, ``h.NAME``, ``state.NAME`` or ``p.NAME`` while a definition is traced."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._read: dict[str, None] = {}  # in the order in which the definition reads them

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("_"):
            raise AttributeError(name)
        self._read[name] = None
        return node(self._operation, name=name)


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent cell, known by its equations. Made by :func:`cell`.

    Orders are those of first reading in the definition, and the rows of the stacked weights follow
    them: ``weight_ih`` is (len(x_projections) * hidden_size, input_size), ``weight_hh``
    (len(h_projections) * hidden_size, hidden_size), a learned vector (hidden_size,).
    """

    name: str
    summary: str
    source: str
    definition: Definition = field(repr=False)
    step: Step = field(repr=False)
    x_projections: tuple[str, ...]
    h_projections: tuple[str, ...]
    applied: frozenset[str]  # recurrent projections of another vector than the previous output
    vectors: tuple[str, ...]
    initial: Mapping[str, tuple[float, float]] = field(repr=False)
    file: str = field(default="", repr=False)

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states; the first is ``h``, the output."""
        return tuple(self.step.states)

    @property
    def gates(self) -> tuple[str, ...]:
        return tuple(self.step.gates)

    def values(self) -> list[Expression]:
        """Every value of a step, arguments before their users, gates in the order given."""
        return in_order([*self.step.gates.values(), *self.step.states.values()])

    def __call__(self, **given: Any) -> Step:
        """Run the equations on whatever ``x``, ``h``, ``state`` and ``p`` hold."""
        result = self.definition(**{name: given[name] for name in _parameters(self.definition)})
        ordered = {name: result.states[name] for name in self.states}
        return Step(ordered, result.gates)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the graph: the same for two definitions exactly if their kernels are."""
        numbers: dict[Expression, int] = {}
        lines = [f"x {self.x_projections} h {self.h_projections} p {self.vectors}"]
        for item in in_order([*self.step.states.values()]):
            arguments = [numbers[argument] for argument in item.arguments]
            lines.append(f"{item.operation} {arguments} {item.name} {item.value!r}")
            numbers[item] = len(numbers)
        lines += [f"{name} {numbers[value]}" for name, value in self.step.states.items()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@overload
def cell(definition: Definition, /) -> Cell: ...
@overload
def cell(
    *, source: str = "", initial: Mapping[str, tuple[float, float]] | None = None
) -> Callable[[Definition], Cell]: ...
def cell(
    definition: Definition | None = None,
    /,
    *,
    source: str = "",
    initial: Mapping[str, tuple[float, float]] | None = None,
) -> Cell | Callable[[Definition], Cell]:
    """Make a :class:`Cell` of a function of (some of) ``x``, ``h``, ``state`` and ``p``.

    source: the paper, for lists and documentation. initial: for a learned vector, the bounds of
    the uniform distribution that it starts from, where the usual one does not serve.

    Raises CellError with the file, the line and what to write instead.
    """
    if definition is None:
        return lambda function: _make(function, source, initial or {})
    return _make(definition, source, initial or {})


def _make(definition: Definition, source: str, initial: Mapping[str, tuple[float, float]]) -> Cell:
    code = getattr(definition, "__code__", None)
    if code is None:
        raise CellError(f"a cell is made of a function, not of {type(definition).__name__}")
    where = f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"
    given = _parameters(definition)
    if unknown := [name for name in given if name not in INPUTS]:
        raise CellError(
            f"{where}: {definition.__name__} takes {unknown[0]!r}; the arguments of a cell are "
            "x, h, state and p"
        )
    try:
        namespaces = {name: _Names(name) for name in given}
        result = definition(**namespaces)
    except Exception as error:  # noqa: BLE001 - whatever a definition raises is explained
        raise CellError(f"{_line(error, code, where)}: {_explain(error)}") from None
    try:
        traced, used = _validate(result)
        name = definition.__name__
        live = {(item.operation, item.name) for item in used}
        names = {
            kind: tuple(read for read in namespaces[kind]._read if (kind, read) in live)
            if kind in namespaces
            else ()
            for kind in INPUTS
        }
        applied = _applied(used)
        for vector in initial:
            if vector not in names["p"]:
                raise CellError(f"initial names {vector!r}, but no p.{vector} is used")
    except CellError as error:
        raise CellError(f"{where}: {error}") from None
    return Cell(
        name=name,
        summary=(inspect.getdoc(definition) or name).splitlines()[0].rstrip("."),
        source=source,
        definition=definition,
        step=traced,
        x_projections=names["x"],
        h_projections=names["h"],
        applied=applied,
        vectors=names["p"],
        initial=dict(initial),
        file=code.co_filename,
    )


def _parameters(definition: Definition) -> tuple[str, ...]:
    return tuple(inspect.signature(definition).parameters)


def _validate(result: object) -> tuple[Step, list[Expression]]:
    """The step with every value an expression, ``h`` first; and the nodes it uses."""
    if not isinstance(result, Step):
        raise CellError(
            f"the definition returns {type(result).__name__}; end it with "
            "return step(h=..., gates=dict(...)), the next states and the gates by name"
        )
    if "h" not in result.states:
        raise CellError("the step gives no h; every cell has the output: return step(h=...)")
    states = {"h": wrap(result.states["h"])}
    states |= {name: wrap(value) for name, value in result.states.items()}
    gates = {name: wrap(value) for name, value in result.gates.items()}
    if both := states.keys() & gates.keys():
        raise CellError(f"{min(both)!r} names a gate and a state; give the gate another name")
    used = in_order([*gates.values(), *states.values()])
    for item in used:
        if item.operation == "state" and item.name not in states:
            raise CellError(
                f"the equations read state.{item.name}, but the step forgets it: add "
                f"{item.name}=... to return step(...)"
            )
    below = set(in_order(states.values()))
    for name, value in gates.items():
        if value not in below:
            raise CellError(f"the gate {name!r} has no part in any state; leave it out or use it")
    if not any(item.operation == "x" for item in used):
        raise CellError("the equations read no input; use at least one projection x.NAME")
    return Step(dict(states), gates), used


def _applied(used: list[Expression]) -> frozenset[str]:
    applied: dict[str, Expression | None] = {}
    for item in used:
        if item.operation != "h":
            continue
        argument = item.arguments[0] if item.arguments else None
        if applied.setdefault(item.name, argument) is not argument:
            raise CellError(
                f"h.{item.name} projects two different vectors; give each projection its own name"
            )
    return frozenset(name for name, argument in applied.items() if argument is not None)


def _line(error: Exception, code: types.CodeType, otherwise: str) -> str:
    """The file and line of the definition at which the error arose."""
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return otherwise if line is None else f"{os.path.basename(code.co_filename)}:{line}"


def _explain(error: Exception) -> str:
    """What to write instead."""
    if isinstance(error, CellError):
        return str(error)
    if isinstance(error, UnboundLocalError):
        variable = str(error).split("'")[1::2][:1]
        name = variable[0] if variable else str(error)
        return f"{name} is used before it is defined; move its equation up"
    if isinstance(error, NameError):
        name, known = error.name or "", WRITTEN
        near = difflib.get_close_matches(name, [*known, "step", "x", "h", "state", "p"], n=1)
        if hasattr(builtins, name):
            near = []
        hint = f"did you mean {near[0]}? " if near else ""
        return (
            f"{name!r} is not defined here: {hint}an equation must stand above those that use it, "
            f"and the functions are {', '.join(known)}"
        )
    return f"{type(error).__name__}: {error}"
