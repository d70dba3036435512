"""The elementwise loops of a cell as C++, straight-line code on the vectors of engine/vector.h."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from string import Template

from gatewright.compiler.kernel import (
    MOST_STAGES,
    MOST_STATES,
    MOST_SUMS,
    Kernel,
    Loop,
    Stage,
    incoming,
    plan,
    returned,
    unfit,
)
from gatewright.compiler.passes import early_values
from gatewright.equations import Cell
from gatewright.equations.expressions import Expression, in_order

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}

_LOOP = Template("""\
template <class T, $template>
static void $name(const $block<T>& given) {
  using V = Vector<T>;
  constexpr int L = lanes<T>;
  const $block<T> b = given;  // what is written through pointers cannot change a copy
$passes}
""")

_PASS = Template("""\
  for (int64_t r = 0; r < b.rows; ++r) {
    for (int64_t u = 0; u < b.vectors; ++u) {
      const int64_t unit = b.first + u * L;
      const int count = int(b.hidden - unit);
      if (!Full && count <= 0) break;
$body
    }
  }
""")

_FILE = Template("""\
// Generated from the equations of the cell $name; not to be edited.
#include "cell.h"

namespace gatewright {
namespace GATEWRIGHT_LEVEL {
namespace {

static_assert(most_stages == $most_stages && most_sums == $most_sums && most_states == $most_states,
              "src/gatewright/compiler/kernel.py plans for another engine");

$loops
template <class T>
constexpr Loops<T> loops = {
    {$forward},
    {$backward},
};

}  // namespace

extern const CellCode cell_$name;
const CellCode cell_$name = {
    "$name", "$fingerprint", $states, $vectors, $saved, $crossing, $stage_count,
    {$stages},
    loops<float>, loops<double>,
};

}  // namespace GATEWRIGHT_LEVEL
}  // namespace gatewright
""")


_EMPTY = Template("""\
// The cell $name stays on the reference: $reason.
""")


def source(cell: Cell) -> str:
    """The translation unit of a cell: empty but for the reason if the engine cannot hold it."""
    if reason := unfit(cell):
        return _EMPTY.substitute(name=cell.name, reason=reason)
    kernel = plan(cell)
    stages = range(len(kernel.stages))
    return _FILE.substitute(
        name=cell.name,
        fingerprint=cell.fingerprint,
        most_stages=MOST_STAGES,
        most_sums=MOST_SUMS,
        most_states=MOST_STATES,
        loops="\n".join(
            [_forward(kernel, loop) for loop in kernel.forward]
            + [_backward(kernel, loop) for loop in kernel.backward]
        ),
        forward=", ".join(f"{{{_variants(s, 'false')}, {_variants(s, 'true')}}}" for s in stages),
        backward=", ".join(f"{{backward_{s}<T, false>, backward_{s}<T, true>}}" for s in stages),
        states=len(cell.states),
        vectors=len(cell.vectors),
        saved=len(kernel.saved),
        crossing=kernel.crossing,
        stage_count=len(kernel.stages),
        stages=", ".join(_stage(stage) for stage in kernel.stages),
    )


def _variants(stage: int, save: str) -> str:
    """A forward loop for blocks whose last vector is cut, and for full ones."""
    return f"{{forward_{stage}<T, false, {save}>, forward_{stage}<T, true, {save}>}}"


def index(cells: Iterable[Cell]) -> str:
    """The header that lists the cells of the engine."""
    lines = ["// Generated from the folder of cells; not to be edited."]
    for cell in cells:
        reason = unfit(cell)
        lines.append(f"// {cell.name}: {reason}" if reason else f"GATEWRIGHT_CELL({cell.name})")
    return "\n".join(lines) + "\n"


def _stage(stage: Stage) -> str:
    accumulators = stage.accumulators
    counts = ", ".join(str(stage.count(order)) for order in range(3))
    x_rows = ", ".join(str(item.x_row) for item in accumulators)
    h_rows = ", ".join(str(item.h_row) for item in accumulators)
    return f"{{{counts}, {{{x_rows}}}, {{{h_rows}}}}}"


class _Code:
    """Statements that compute values, each once, from leaves that are read when first needed."""

    def __init__(self, leaves: Mapping[Expression, str]) -> None:
        self._leaves = leaves
        self._names: dict[Expression, str] = {}
        self.lines: list[str] = []

    def value(self, wanted: Expression) -> str:
        for item in in_order([wanted], self._leaves):
            if item not in self._names:
                self._names[item] = f"v{len(self._names)}"
                self.lines.append(f"const V {self._names[item]} = {self._right_side(item)};")
        return self._names[wanted]

    def _right_side(self, item: Expression) -> str:
        if item in self._leaves:
            return self._leaves[item]
        arguments = [self._names[argument] for argument in item.arguments]
        match item.operation:
            case "constant":
                return f"splat<T>(T({item.value!r}))"
            case "negate":
                return f"-{arguments[0]}"
            case "add" | "subtract" | "multiply" | "divide":
                return f"{arguments[0]} {_SIGNS[item.operation]} {arguments[1]}"
        return f"{item.operation}<T>({', '.join(arguments)})"

    def body(self) -> str:
        return "\n".join("      " + line for line in self.lines)


def _given(cell: Cell) -> dict[Expression, str]:
    """How the loops read previous states and learned vectors."""
    found = {}
    for item in cell.values():
        if item.operation == "state":
            place = cell.states.index(item.name)
            found[item] = _previous(place)
        elif item.operation == "p":
            place = cell.vectors.index(item.name)
            found[item] = f"read<Full>(b.learned + {place} * b.hidden + unit, count)"
    return found


def _previous(place: int) -> str:
    if place == 0:
        return "read<Full>(b.previous_output[r] + unit, count)"
    return f"read<Full>(b.previous + r * b.previous_row + {place - 1} * b.hidden + unit, count)"


def _saved(place: int) -> str:
    return f"read<Full>(b.saved + r * b.saved_row + {place} * b.hidden + unit, count)"


def _tile_address(place: int) -> str:
    return f"b.tile + r * b.tile_row + ({place} * b.vectors + u) * L"


def _tile(place: int) -> str:
    return f"load({_tile_address(place)})"


def _write(target: str, value: str) -> str:
    return f"write<Full, T>({target} + unit, {value}, count);"


def _forward(kernel: Kernel, loop: Loop) -> str:
    leaves = _given(kernel.cell)
    for place, value in enumerate(kernel.saved[: kernel.crossing]):
        if ("saved", place, value) not in loop.writes:
            leaves[value] = _saved(place)
    accumulators = [item.value for item in kernel.stages[loop.stage].accumulators]
    leaves |= {value: _tile(place) for place, value in enumerate(accumulators)}
    early = early_values(loop, accumulators)
    passes = _early_pass(early, leaves)
    leaves |= {value: _tile(place) for value, place in early.items()}
    code = _Code(leaves)
    # Next states may overwrite the previous ones: all of them are computed before one is written.
    states = [write for write in loop.writes if write[0] == "state"]
    for kind, place, value in [write for write in loop.writes if write[0] != "state"]:
        _FORWARD_WRITES[kind](code, place, code.value(value), kernel)
    names = [code.value(value) for _, _, value in states]
    for (kind, place, _), name in zip(states, names, strict=True):
        _FORWARD_WRITES[kind](code, place, name, kernel)
    return _LOOP.substitute(
        template="bool Full, bool Save",
        name=f"forward_{loop.stage}",
        block="ForwardBlock",
        passes=passes + _PASS.substitute(body=code.body()),
    )


def _early_pass(early: Mapping[Expression, int], leaves: Mapping[Expression, str]) -> str:
    """A pass that puts the early values where the sums stood that they alone use."""
    if not early:
        return ""
    code = _Code(leaves)
    for value, place in early.items():
        code.lines.append(f"store({_tile_address(place)}, {code.value(value)});")
    return _PASS.substitute(body=code.body())


def _write_saved(code: _Code, place: int, name: str, kernel: Kernel) -> None:
    target = f"b.saved + r * b.saved_row + {place} * b.hidden"
    always = "" if place < kernel.crossing else "if constexpr (Save) "
    code.lines.append(always + _write(target, name))


def _write_source(code: _Code, place: int, name: str, kernel: Kernel) -> None:
    masked = f"b.mask ? {name} * read<Full>(b.mask + r * b.kept_row + unit, count) : {name}"
    code.lines.append(_write("b.source + r * b.kept_row", masked))


def _write_state(code: _Code, place: int, name: str, kernel: Kernel) -> None:
    code.lines += [
        f"V next{place} = {name};",
        f"if (b.zone) next{place} += read<Full>(b.zone[r] + {place} * b.hidden + unit, count)"
        f" * ({_previous(place)} - next{place});",
    ]
    if place > 0:
        target = f"b.next + r * b.next_row + {place - 1} * b.hidden"
        code.lines.append(_write(target, f"next{place}"))
    else:
        masked = f"next{place} * read<Full>(b.mask + r * b.kept_row + unit, count)"
        code.lines.append(_write("b.output[r]", f"next{place}"))
        code.lines.append("if (b.mask) " + _write("b.recurrent + r * b.kept_row", masked))


_FORWARD_WRITES: dict[str, Callable[[_Code, int, str, Kernel], None]] = {
    "saved": _write_saved,
    "source": _write_source,
    "state": _write_state,
}


def _backward(kernel: Kernel, loop: Loop) -> str:
    last = len(kernel.stages) - 1
    leaves = _given(kernel.cell)
    for place, value in enumerate(kernel.saved):
        leaves[value] = _saved(place)
    code = _Code(leaves)
    code.lines += [
        f"V back = {_tile(0)};",
        "if (b.mask) back *= read<Full>(b.mask + r * b.kept_row + unit, count);",
    ]
    if loop.stage < last:
        leaves[returned(loop.stage + 1)] = "back"
    for place, name in enumerate(kernel.cell.states):
        at = f"b.incoming + r * b.incoming_row + {place} * b.hidden"
        code.lines.append(f"V incoming{place} = read<Full>({at} + unit, count);")
        if place == 0 and loop.stage == last:
            code.lines += [
                "incoming0 += back;",
                "if (b.grad_output) incoming0 += read<Full>(b.grad_output[r] + unit, count);",
            ]
            if last > 0:
                code.lines.append(_write(at, "incoming0"))
        code.lines += [
            f"V kept{place} = {{}};",
            f"if (b.zone) kept{place} = incoming{place}"
            f" * read<Full>(b.zone[r] + {place} * b.hidden + unit, count);",
            f"incoming{place} -= kept{place};",
        ]
        leaves[incoming(name)] = f"incoming{place}"
    for kind, place, value in loop.writes:
        _BACKWARD_WRITES[kind](code, place, code.value(value))
    return _LOOP.substitute(
        template="bool Full",
        name=f"backward_{loop.stage}",
        block="BackwardBlock",
        passes=_PASS.substitute(body=code.body()),
    )


def _write_gate(code: _Code, place: int, name: str) -> None:
    code.lines.append(_write(f"b.gates + r * b.gates_row + {place} * b.hidden", name))


def _write_previous(code: _Code, place: int, name: str) -> None:
    target = f"b.incoming + r * b.incoming_row + {place} * b.hidden"
    code.lines.append(_write(target, f"{name} + kept{place}"))


def _write_vector(code: _Code, place: int, name: str) -> None:
    target = f"b.grad_learned + {place} * b.hidden"
    code.lines.append(_write(target, f"{name} + read<Full>({target} + unit, count)"))


_BACKWARD_WRITES: dict[str, Callable[[_Code, int, str], None]] = {
    "gate": _write_gate,
    "previous": _write_previous,
    "vector": _write_vector,
}
