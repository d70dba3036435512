"""A live stream: one step at a time, with the state in your hands.

Under torch.inference_mode() or torch.no_grad() ``layer.step`` takes a short way, which prepares
what stays the same once. Its numbers are those of the whole sequence at once.
"""

import statistics
import time

import torch

import gatewright as gw

torch.manual_seed(0)
torch.set_num_threads(1)  # a step is too short for more than one to help

layer = gw.GRU(input_size=16, hidden_size=64, num_layers=2)
stream = torch.randn(2000, 16)  # what a sensor sends, one reading after another
print(f"runs on: {layer.backend}")

outputs, microseconds = [], []
with torch.inference_mode():
    state = None  # from zeros, or from the learned initial state of a layer that has one
    for reading in stream:
        start = time.perf_counter()
        y, state = layer.step(reading, state)
        microseconds.append((time.perf_counter() - start) * 1e6)
        outputs.append(y)

    whole, final = layer(stream)

steps = sorted(microseconds)
print(f"{len(steps)} steps; microseconds a step on this machine, now:")
slowest = steps[len(steps) * 99 // 100]
print(f"  median {statistics.median(steps):.1f}, 99th percentile {slowest:.1f}")

torch.testing.assert_close(torch.stack(outputs), whole)
torch.testing.assert_close(state, final)
print("the outputs are those of the whole sequence at once")

# A step never writes into a state: keep one, and the stream can be taken up from there again.
with torch.inference_mode():
    kept = state
    first, _ = layer.step(stream[0], kept)
    again, _ = layer.step(stream[0], kept)
print(f"twice from one state, the same: {torch.equal(first, again)}")
