"""Our layers beside torch's on one GPU: python benchmarks/gpu.py

Sides take turns, and each call ends when the GPU is done. Times are medians, in milliseconds. Both
sides compute the same numbers, which is checked first; a cell that torch has not stands alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import gatewright as gw
from gatewright import cells
from gatewright.bench.measuring import Pace, measure

PACE = Pace(budget=0.8, sample=0.01)
SHAPES = [(96, 32, 8, 64), (100, 64, 64, 128), (35, 20, 650, 650), (200, 256, 256, 512)]
STANDARD = ("GRU", "LSTM", "RNN")
OTHERS = [name for name in cells.names() if name not in ("gru", "lstm", "rnn", "rnn_relu")]


def timed(work: Callable[[], object]) -> Callable[[], None]:
    """The work to its end: calls return before the GPU is done."""

    def call() -> None:
        work()
        torch.cuda.synchronize()

    return call


def output(found: object) -> Tensor:
    """What a layer or a cell gives, without the state beside it."""
    while isinstance(found, tuple):
        found = found[0]
    assert isinstance(found, Tensor)
    return found


def forward(layer: nn.Module, x: Tensor) -> Callable[[], object]:
    def work() -> object:
        with torch.inference_mode():
            return output(layer(x))

    return work


def training(layer: nn.Module, x: Tensor) -> Callable[[], object]:
    def work() -> object:
        layer.zero_grad()
        output(layer(x)).float().square().mean().backward()
        return None

    return work


def mixed(layer: nn.Module, x: Tensor) -> Callable[[], object]:
    plain = training(layer, x)

    def work() -> object:
        with torch.autocast("cuda", torch.bfloat16):
            return plain()

    return work


def row(
    case: str, name: str, ours: nn.Module, theirs: nn.Module | None, x: Tensor, what: str
) -> None:
    """Check the numbers, time both in turns, print a row."""
    make = {"forward": forward, "training": training, "bfloat16 autocast": mixed}[what]
    sides = {"ours": timed(make(ours, x))}
    if theirs is not None:
        theirs.load_state_dict(ours.state_dict())
        torch.testing.assert_close(output(ours(x)), output(theirs(x)), rtol=1e-3, atol=1e-4)
        sides["torch"] = timed(make(theirs, x))
    found = {side: timing.median for side, timing in measure(sides, PACE).items()}
    peer = f"{found['torch']:.3f} | {found['torch'] / found['ours']:.2f}" if theirs else " | "
    print(f"| {name} | {case} | {what} | {found['ours']:.3f} | {peer} |", flush=True)


def main() -> None:
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print("| layer | (time, batch, input, hidden) | what | ours, ms | torch, ms | times |")
    print("|---|---|---|---:|---:|---:|")
    for shape in SHAPES:
        time, batch, inputs, hidden = shape
        x = torch.randn(time, batch, inputs, device="cuda")
        for name in STANDARD:
            ours = getattr(gw, name)(inputs, hidden).cuda()
            theirs = getattr(nn, name)(inputs, hidden).cuda()
            for what in ("forward", "training", "bfloat16 autocast"):
                row(str(shape), name, ours, theirs, x, what)
    for name in ("GRUCell", "LSTMCell", "RNNCell"):
        for batch, inputs, hidden in ((1, 64, 128), (64, 64, 128)):
            x = torch.randn(batch, inputs, device="cuda")
            ours = getattr(gw, name)(inputs, hidden).cuda()
            theirs = getattr(nn, name)(inputs, hidden).cuda()
            for what in ("forward", "training"):
                row(str((1, batch, inputs, hidden)), name, ours, theirs, x, what)
    time, batch, inputs, hidden = shape = SHAPES[1]
    x = torch.randn(time, batch, inputs, device="cuda")
    for name in OTHERS:
        layer = gw.Recurrent(name, inputs, hidden).cuda()
        for what in ("forward", "training"):
            row(str(shape), name, layer, None, x, what)


if __name__ == "__main__":
    main()
