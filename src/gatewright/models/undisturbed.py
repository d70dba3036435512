"""Work with torch that leaves torch as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def undisturbed() -> Iterator[None]:
    """torch on one thread, which networks of a usual size are quickest on wherever other work goes
    on beside; afterwards its threads and random numbers are as they were before."""
    threads = torch.get_num_threads()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
