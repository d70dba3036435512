"""From equations to code: cells that the engine cannot hold, and the same code in every build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import gatewright as gw
from gatewright import cells, cli
from gatewright.compiler.kernel import MOST_STATES, MOST_SUMS, plan, unfit

pytestmark = pytest.mark.slow

PACKAGE = Path(cells.__file__).parents[1]
DOUBLE = torch.float64

# Cells that need more than the engine has room for, and the reason that people are given.
FILES = {
    "three_products": """
from gatewright.equations import cell, step, tanh


@cell(source="nobody")
def three_products(x, h, state):
    \"\"\"A projection of a projection of a projection.\"\"\"
    first = tanh(x.first + h.first)
    second = tanh(x.second + h.second(first))
    third = tanh(x.third + h.third(second))
    return step(h=first + second * third, gates=dict(first=first, second=second, third=third))
""",
    "nine_sums": """
from gatewright.equations import cell, sigmoid, step


@cell(source="nobody")
def nine_sums(x, h, state):
    \"\"\"Nine gates, each with a sum of its own.\"\"\"
    gates = {name: sigmoid(getattr(x, name) + getattr(h, name)) for name in "abcdefgij"}
    return step(h=sum(gates.values()) / 9 - state.h / 2, gates=gates)
""",
}
REASONS = {
    "three_products": "the engine has room for 2 products one after the other in a step, and "
    "three_products needs 3",
    "nine_sums": "the engine has room for 8 sums of projections at a time, and nine_sums needs 9",
}
each_file = pytest.mark.parametrize("name", FILES)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of cells, with these among them."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(cells, "__path__", [*cells.__path__, str(tmp_path)])
    cells.names.cache_clear()
    yield tmp_path
    cells.names.cache_clear()
    cells.get.cache_clear()
    for name in FILES:
        sys.modules.pop(f"gatewright.cells.{name}", None)


def emit(place: Path, *arguments: str, output: Path) -> tuple[str, str]:
    """The file that the build would generate, and what it would print."""
    result = subprocess.run(
        [
            sys.executable,
            "-S",
            "-B",
            "-m",
            "gatewright.compiler.emit",
            "--output",
            output,
            *arguments,
        ],
        env={"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    return output.read_text(), result.stdout


def test_the_build_leaves_out_what_the_engine_cannot_hold(tmp_path: Path) -> None:
    """With the standard library alone, as the build runs it."""
    package = tmp_path / "gatewright"
    for part in ("equations", "cells", "compiler"):
        shutil.copytree(PACKAGE / part, package / part)
    shutil.copy(PACKAGE / "__init__.py", package)
    for name, text in FILES.items():
        (package / "cells" / f"{name}.py").write_text(text)
    output = tmp_path / "generated"
    index, _ = emit(tmp_path, "--index", output=output)
    for name in cells.names():
        assert f"GATEWRIGHT_CELL({name})\n" in index
    for name, reason in REASONS.items():
        assert f"// {name}: {reason}\n" in index
        code, printed = emit(tmp_path, name, output=output)
        assert all(line.startswith("//") for line in code.splitlines())
        assert reason in code
        assert printed == f"{name} stays on the reference: {reason}\n"


@each_file
def test_such_a_cell_says_why_it_runs_on_the_reference(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unfit(cells.get(name)) == REASONS[name]
    layer = gw.Recurrent(name, 3, 4)
    assert layer.backend == f"reference ({REASONS[name]})"
    with pytest.raises(RuntimeError, match=f"'native' was asked for, but {REASONS[name]}"):
        gw.Recurrent(name, 3, 4, backend="native")(torch.zeros(1, 1, 3))
    with pytest.raises(gw.CellError, match=REASONS[name]):
        plan(cells.get(name))
    assert cli.main(["cells", name]) == 0
    assert f"the reference: {REASONS[name]}" in capsys.readouterr().out
    assert cli.main(["cells"]) == 0
    assert "runs on the reference" in capsys.readouterr().out


def three_products(x: Tensor, h: Tensor, u: list[Tensor], c: list[Tensor]) -> Tensor:
    first = torch.tanh(x[0] + h @ u[0].T + c[0])
    second = torch.tanh(x[1] + first @ u[1].T + c[1])
    third = torch.tanh(x[2] + second @ u[2].T + c[2])
    return first + second * third


def nine_sums(x: Tensor, h: Tensor, u: list[Tensor], c: list[Tensor]) -> Tensor:
    gates = [torch.sigmoid(x[k] + h @ u[k].T + c[k]) for k in range(9)]
    return torch.stack(gates).sum(0) / 9 - h / 2


BY_HAND: dict[str, Callable[..., Tensor]] = {
    "three_products": three_products,
    "nine_sums": nine_sums,
}


@each_file
def test_such_a_cell_runs_and_learns(name: str, folder: Path) -> None:
    """Forward, and backward against the autograd of the same steps written out."""
    layer = gw.Recurrent(name, 3, 4, dtype=DOUBLE)
    count = len(layer.cell.x_projections)
    x = torch.randn(5, 2, 3, dtype=DOUBLE, requires_grad=True)
    weight_ih, weight_hh, bias_ih, bias_hh = layer.all_weights[0]
    h, steps = torch.zeros(2, 4, dtype=DOUBLE), []
    for row in x:
        inputs = (row @ weight_ih.T + bias_ih).chunk(count, -1)
        h = BY_HAND[name](inputs, h, weight_hh.chunk(count), bias_hh.chunk(count))
        steps.append(h)
    wanted, (output, final) = torch.stack(steps), layer(x)
    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(final[0], h)
    inputs, weights = [x, *layer.parameters()], torch.randn_like(output)
    for ours, theirs in zip(
        torch.autograd.grad(output, inputs, weights),
        torch.autograd.grad(wanted, inputs, weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_cell_of_too_many_states_is_left_out() -> None:
    names = [f"s{place}" for place in range(MOST_STATES)]

    @gw.cell
    def many_states(x, h, state):  # type: ignore[no-untyped-def]
        """A chain of states."""
        others = {name: getattr(state, name) + x.a for name in names}
        return gw.step(h=gw.tanh(x.a + h.a) + sum(others.values()), **others)

    assert unfit(many_states) == ("the engine has room for 8 states, and many_states needs 9")
    assert gw.Recurrent(many_states, 2, 3)(torch.ones(4, 1, 2))[0].shape == (4, 1, 3)


def test_a_cell_of_as_many_sums_as_there_is_room_for_is_held() -> None:
    @gw.cell
    def eight_sums(x, h):  # type: ignore[no-untyped-def]
        """Eight gates."""
        gates = [gw.sigmoid(getattr(x, name) + getattr(h, name)) for name in "abcdefgh"]
        return gw.step(h=sum(gates))

    assert unfit(eight_sums) is None
    assert len(plan(eight_sums).stages[0].accumulators) == MOST_SUMS


def test_the_same_code_is_generated_each_time() -> None:
    """Builds can be compared, and what did not change is not compiled again."""
    code = (
        "import sys; places = [object() for _ in range(int(sys.argv[1]))]\n"
        "from gatewright import cells; from gatewright.compiler.printers import cpp\n"
        "print(*(cpp.source(cells.get(name)) for name in cells.names()), sep='')"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-S", "-B", "-c", code, count],
            env={"PYTHONPATH": str(PACKAGE.parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in ("0", "1000", "4321", "77777")
    }
    assert len(runs) == 1
