"""What it costs that every call reads its weights: python benchmarks/weights_read.py

For calls of one and of ten steps: the time of a whole call, and that of the digest of its weights
alone, on the threads that the call uses; medians of turns. Before anything is timed, a layer is
shown to follow a write through ``.data``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from ctypes import byref

import torch

import gatewright as gw
from gatewright.backends.native import library
from gatewright.backends.native.packing import DirectionWeights, sizes

THREADS, TURNS = 2, 200
SIZES = [(8, 64), (64, 128), (128, 256), (650, 650)]
ALONE = 1 << 19  # bytes that every thread reads by itself, see engine/digest.h


def digest_of(layer: torch.nn.Module) -> Callable[[], object]:
    loaded, parameters = library.load(), [one.detach() for one in layer.parameters()]
    kernel = library.kernel(layer.cell)
    own = sizes(layer.cell.name, len(parameters))
    weights = DirectionWeights(kernel, parameters, own, layer.input_size, layer.hidden_size)
    bytes_ = sum(one.numel() * one.element_size() for one in parameters)
    threads = THREADS if bytes_ > ALONE else 1
    where = (loaded.level, kernel.index, False, layer.input_size, layer.hidden_size, threads)
    return lambda: loaded.functions.gatewright_pack(*where, byref(weights.pointers), None, None)


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def follows_its_weights(layer: torch.nn.Module, x: torch.Tensor) -> None:
    before = layer(x)[0]
    layer.weight_ih_l0.data[3, 2] += 1
    after = layer(x)[0]
    twin = type(layer)(layer.input_size, layer.hidden_size, backend="reference")
    twin.load_state_dict(layer.state_dict())
    torch.testing.assert_close(after, twin(x)[0], rtol=1e-4, atol=1e-5)
    assert not torch.equal(before, after)


def main() -> None:
    torch.set_num_threads(THREADS)
    print("| layer | (time, batch, input, hidden) | call, us | reading, us | share |")
    print("|---|---|---:|---:|---:|")
    for kind in ("LSTM", "GRU", "RNN"):
        for inputs, hidden in SIZES:
            for steps, batch in ((10, 32), (10, 1), (1, 32), (1, 1)):
                layer, x = getattr(gw, kind)(inputs, hidden), torch.randn(steps, batch, inputs)
                with torch.inference_mode():
                    follows_its_weights(layer, x)
                    read, found = digest_of(layer), ([], [])
                    for _ in range(TURNS):
                        found[0].append(seconds(lambda: layer(x)))  # noqa: B023 - called at once
                        found[1].append(seconds(read))
                call, reading = (1e6 * statistics.median(times) for times in found)
                shape = f"({steps}, {batch}, {inputs}, {hidden})"
                print(
                    f"| {kind} | {shape} | {call:.0f} | {reading:.1f} | {reading / call:.1%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
