"""One OpenMP runtime in the process, and a child of a fork that can compute."""

import os
import subprocess
import sys

import pytest
import torch

from gatewright import cells
from gatewright.backends import native
from gatewright.backends.native import library
from problems import make


def _run(threads: int) -> torch.Tensor:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        given = make(cells.names()[0], 20, 16, 16, 64, 1)
        return native.run(given.cell, given.x, given.states, given.parameters)[0].detach()
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_openmp_runtime():
    """In a process of its own: other libraries, which other tests use, bring one of their own."""
    code = (
        "import torch, gatewright\n"
        "torch.set_num_threads(2)\n"
        "gatewright.GRU(8, 64, backend='native')(torch.randn(16, 32, 8))\n"
        "print(open('/proc/self/maps').read())"
    )
    maps = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    files = {line.split()[-1] for line in maps.decode().splitlines() if "/" in line}
    runtimes = {
        file for file in files if any(part in os.path.basename(file) for part in ("gomp", "iomp"))
    }
    assert any("gatewright_engine" in file for file in files)
    assert len(runtimes) == 1, runtimes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_computes():
    """After a parallel call, a child (a data loader's worker) runs on one thread, and returns."""
    expected = _run(2)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        same = torch.equal(_run(1), expected)
        os.write(writer, b"same" if same else b"other")
        os._exit(0)
    os.close(writer)
    import select

    ready, _, _ = select.select([reader], [], [], 60)
    answer = os.read(reader, 8) if ready else b"hangs"
    if not ready:
        os.kill(child, 9)
    os.waitpid(child, 0)
    os.close(reader)
    assert answer == b"same"


def test_levels_are_named_and_chosen():
    loaded = library.load()
    for name in loaded.levels:
        with native.at_level(name):
            assert native.level() == name
    assert native.level() == loaded.levels[loaded.level]
