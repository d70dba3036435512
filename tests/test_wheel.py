"""The wheel: its name, what it holds, and that it works where nothing else of ours is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from places import ROOT

pytestmark = pytest.mark.slow

LIBRARY = "gatewright/libgatewright_engine" + (".dylib" if sys.platform == "darwin" else ".so")
MEBIBYTE = 2**20


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without isolation, so that it goes on from the build folder of `make build`."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel in it and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


def run_beside_torch(installed: Path, code: str) -> str:
    """Run code that sees the installed wheel, torch and what torch needs.

    -S keeps out the hook of an editable install, which would import the checkout instead.
    """
    site_packages = Path(torch.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={
            **{name: text for name, text in os.environ.items() if name != "GATEWRIGHT_ENGINE"},
            "PYTHONPATH": os.pathsep.join([str(installed), str(site_packages)]),
        },
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_one_wheel_serves_every_python_version(wheel: Path) -> None:
    name, _version, python, abi, platform = wheel.stem.split("-")
    assert (name, python, abi) == ("gatewright", "py3", "none")
    assert platform != "any"


def test_it_holds_the_package_the_engine_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    modules = {
        f"gatewright/{path.relative_to(ROOT / 'src' / 'gatewright')}"
        for path in (ROOT / "src" / "gatewright").rglob("*.py")
    }
    assert modules | {LIBRARY, "gatewright/py.typed"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    stray = [name for name in names if name.endswith((".cpp", ".h", ".o", ".pyc"))]
    assert not stray


def test_the_library_is_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        size = archive.getinfo(LIBRARY).file_size
    assert size <= 12 * MEBIBYTE


def test_a_layer_runs_natively_from_the_wheel_alone(installed: Path) -> None:
    code = """
import torch, gatewright
theirs = torch.nn.LSTM(5, 7, num_layers=2, bidirectional=True)
ours = gatewright.LSTM(5, 7, num_layers=2, bidirectional=True)
ours.load_state_dict(theirs.state_dict())
x = torch.randn(11, 3, 5)
with torch.inference_mode():
    torch.testing.assert_close(ours(x), theirs(x))
print(gatewright.__file__)
print(ours.backend)
"""
    file, backend = run_beside_torch(installed, code).splitlines()
    assert Path(file).is_relative_to(installed)
    assert "native" in backend


def test_the_command_runs_from_the_wheel_alone(installed: Path) -> None:
    (commands,) = installed.glob("gatewright-*.dist-info/entry_points.txt")
    assert "gatewright=gatewright.cli:main" in commands.read_text().replace(" ", "")
    code = "import sys; from gatewright.cli import main; sys.argv[1:] = ['cells']; main()"
    shown = run_beside_torch(installed, code)
    names = {path.stem for path in installed.glob("gatewright/cells/*.py")} - {"__init__"}
    assert all(name in shown for name in names)
