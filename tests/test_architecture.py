"""The design, checked: who imports whom, cells named in one place only, files of one job."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from places import ROOT

PACKAGE = ROOT / "src" / "gatewright"
MODULES = sorted(PACKAGE.rglob("*.py"))
CELLS = {path.stem for path in PACKAGE.glob("cells/*.py")} - {"__init__"}
TASKS = {path.stem for path in PACKAGE.glob("tasks/*.py")} - {"__init__", "task"}

# From the bottom up. A part of gatewright imports those on lines above its own and itself.
LEVELS = [
    ["errors", "discovery"],
    ["wording"],
    ["folders", "sealed", "limits", "setting"],
    ["requests"],
    ["equations"],
    ["cells"],
    ["compiler"],
    ["backends"],
    ["layers", "data"],
    ["networks", "measures"],
    ["tasks"],
    ["baselines"],
    ["training"],
    ["models"],
    ["comparison", "explain"],
    ["report"],
    ["api"],
    ["estimators"],
    [""],  # gatewright itself, which passes the public names on
    ["bench"],
    ["cli"],
    ["__main__"],
]
HEIGHT = {part: height for height, level in enumerate(LEVELS) for part in level}

DISTRIBUTIONS = packages_distributions()  # read once: it looks at every file installed

# What runs where only the standard library is installed: the wheel's build.
STANDARD_LIBRARY_ONLY = {"equations", "cells", "compiler"}
TORCH_ONLY = {"backends", "layers"}

# The modules that name cells, and why. Everywhere else a cell is found by looking in the folder.
MAY_NAME_CELLS = {
    "layers": "the public classes of torch.nn: RNN, LSTM, GRU and their cells",
    "estimators": "the default of an argument",
    "comparison.planning": "who runs where no cells are asked for",
    "backends.cudnn": "which operator of torch computes what",
    "bench.cases": "the targets, stated for particular cells",
    "bench.peers": "which class of torch.nn computes what",
    "bench.onnx_peer": "which operator of ONNX computes what",
}


def module_name(path: Path) -> str:
    """The dotted name below gatewright; "" for gatewright itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULE_NAMES = {f"gatewright.{module_name(path)}".rstrip(".") for path in MODULES}


def part_of(module: str) -> str:
    return module if module in HEIGHT else module.split(".")[0]


def imports(nodes: Iterator[ast.AST]) -> Iterator[tuple[int, str]]:
    """(line, absolute name) of each import; of ``from package import module``, the module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            for alias in node.names:
                # __path__ and __version__ are there before anything is imported.
                if not (package == "gatewright" and alias.name.startswith("__")):
                    name = f"{package}.{alias.name}"
                    yield node.lineno, name if name in MODULE_NAMES else package


def parametrized_by_module(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: module_name(path) or "__init__")


@parametrized_by_module(MODULES)
def test_imports_run_downwards(path: Path) -> None:
    module = module_name(path)
    part = part_of(module)
    assert part in HEIGHT, f"say in LEVELS where gatewright.{part} stands"
    for line, name in imports(ast.walk(ast.parse(path.read_text()))):
        if name.split(".")[0] != "gatewright":
            continue
        other = part_of(name.removeprefix("gatewright").removeprefix("."))
        assert other == part or HEIGHT.get(other, -1) < HEIGHT[part], (
            f"{path}:{line}: {part or 'gatewright'} imports {other or 'gatewright'}, "
            "which stands no lower"
        )


def test_no_modules_import_each_other() -> None:
    """At once, inside functions or for their types: whoever reads one needs no other to be read."""
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        module = module_name(path)
        found = {name for _, name in imports(ast.walk(ast.parse(path.read_text())))}
        names = {name.removeprefix("gatewright.") for name in found & MODULE_NAMES}
        graph[module] = names
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of modules: {' <- '.join(error.args[1])}")


@parametrized_by_module([path for path in MODULES if part_of(module_name(path))])
def test_other_packages_are_imported_where_they_may_be(path: Path) -> None:
    part = part_of(module_name(path))
    for line, name in imports(ast.walk(ast.parse(path.read_text()))):
        package = name.split(".")[0]
        if package == "gatewright" or package in sys.stdlib_module_names:
            continue
        where = f"{path}:{line}: {part} imports {package}"
        assert part not in STANDARD_LIBRARY_ONLY, f"{where}, not of the standard library"
        assert part not in TORCH_ONLY or package == "torch", f"{where}, but needs torch only"


@parametrized_by_module([path for path in PACKAGE.glob("cells/*.py") if path.stem in CELLS])
def test_a_cell_imports_the_language_only(path: Path) -> None:
    names = {name for _, name in imports(ast.walk(ast.parse(path.read_text())))}
    assert {part_of(name.removeprefix("gatewright.")) for name in names} == {"equations"}


@parametrized_by_module(MODULES)
def test_extras_are_imported_inside_functions(path: Path) -> None:
    """A module may import an extra at once only if nothing imports that module at once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[<>=!~ \[]", text)[0].lower() for text in project["dependencies"]}
    extras = []
    for line, name in imports(iter(ast.parse(path.read_text()).body)):
        package = name.split(".")[0]
        distributions = {found.lower() for found in DISTRIBUTIONS.get(package, [package])}
        if package == "gatewright" or package in sys.stdlib_module_names:
            continue
        if not distributions & required:
            extras.append(f"{path}:{line}: {package}")
    if extras:
        own_name = f"gatewright.{module_name(path)}"
        for other in MODULES:
            at_once = {name for _, name in imports(iter(ast.parse(other.read_text()).body))}
            assert own_name not in at_once, f"{other} imports {own_name}, which needs {extras}"


def docstrings(tree: ast.AST) -> set[ast.AST]:
    """Docstrings, and strings that stand alone as comments do."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def cells_named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of each cell that stands in an identifier or a string literal."""
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        words: list[str] = []
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                words = [name]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.alias(name=name):
                words = name.split(".") if name.startswith("gatewright") else [name]
            case ast.keyword(arg=str(name)):
                words = [name]
            case ast.Constant(value=str(text)):
                words = re.findall(r"\w+", text)
        for word in CELLS.intersection(words):
            yield getattr(node, "lineno", 0), word


def may_name_cells(module: str) -> str | None:
    """The entry of MAY_NAME_CELLS that covers a module."""
    return next(
        (entry for entry in MAY_NAME_CELLS if f"{module}.".startswith(f"{entry}.")),
        None,
    )


@parametrized_by_module(
    [
        path
        for path in MODULES
        if path.parent.name != "cells" and not may_name_cells(module_name(path))
    ]
)
def test_no_cell_is_named_outside_its_file(path: Path) -> None:
    found = [f"{path}:{line}: {name}" for line, name in cells_named(ast.parse(path.read_text()))]
    assert not found, "look cells up in gatewright.cells instead of naming them:\n" + "\n".join(
        found
    )


def test_exceptions_for_naming_cells_are_needed() -> None:
    naming = {
        may_name_cells(module_name(path))
        for path in MODULES
        if any(cells_named(ast.parse(path.read_text())))
    }
    assert set(MAY_NAME_CELLS) <= naming, "these name no cell any more; take them off the list"


def tasks_asked(tree: ast.AST) -> Iterator[int]:
    """The lines that ask which task something is: by its name, or by its class."""
    classes = {name.capitalize() for name in TASKS}
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                asked = {each.value for side in (left, *others) for each in constants(side)}
                if asked & TASKS:
                    yield node.lineno
            case ast.MatchValue(value=ast.Constant(value=str(name))) if name in TASKS:
                yield node.value.lineno
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
                if any(getattr(each, "id", "") in classes for each in ast.walk(kinds)):
                    yield node.lineno


def constants(tree: ast.AST) -> Iterator[ast.Constant]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Constant))


@parametrized_by_module([path for path in MODULES if path.parent.name != "tasks"])
def test_nobody_asks_which_task_it_is(path: Path) -> None:
    lines = list(tasks_asked(ast.parse(path.read_text())))
    assert not lines, f"{path}: lines {lines}: ask the task's examples or target instead"


def test_asking_which_task_it_is_would_be_noticed() -> None:
    for code in (
        'layout.task == "forecast"',
        'if task in ("classify", "regress"): pass',
        "isinstance(task, Forecast)",
        'match name:\n    case "regress": pass',
    ):
        assert list(tasks_asked(ast.parse(code))), code


@pytest.mark.parametrize(
    "path", [*ROOT.glob("engine/*.h"), *ROOT.glob("engine/*.cpp")], ids=lambda path: path.name
)
def test_the_engine_names_no_cell(path: Path) -> None:
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    assert not CELLS.intersection(re.findall(r"\w+", code))


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for folder in ["src", "engine", "tests", "benchmarks", "examples"]
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".h", ".cpp"}
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{path} has {lines} lines; split it along its jobs"


@pytest.mark.parametrize("module", ["gatewright", "gatewright.cells", "gatewright.cli"])
def test_importing_it_does_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
