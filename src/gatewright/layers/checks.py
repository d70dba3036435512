"""What the layers are given, checked before any computation, in the words of ``torch.nn``."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gatewright.layers.autocast import autocasts

Hidden = Tensor | tuple[Tensor, ...]
Lengths = Tensor | Sequence[int]

_COUNTS = ("no", "one", "two", "three", "four", "five", "six")


def check_sizes(
    input_size: int,
    hidden_size: int,
    num_layers: int,
    bias: bool,
    batch_first: bool,
    dropout: float,
    proj_size: int,
) -> None:
    """Raise TypeError or ValueError, as torch.nn.LSTM, for arguments that make no layer."""
    if not _is_rate(dropout):
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            "element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(size, int):
            raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
        if size <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


def check_rate(name: str, rate: float) -> float:
    """The rate; ValueError where it is no probability."""
    if not _is_rate(rate):
        raise ValueError(f"{name} should be a number in range [0, 1], got {rate!r}")
    return float(rate)


def state_rates(
    name: str, rate: float | Mapping[str, float], states: tuple[str, ...]
) -> dict[str, float]:
    """A rate for each state: the one given for all, or those given by name, otherwise 0."""
    if not isinstance(rate, Mapping):
        return dict.fromkeys(states, check_rate(name, rate))
    for state in rate:
        if state not in states:
            raise ValueError(
                f"{name} names the state {state!r}, but the states are {', '.join(states)}"
            )
    return {state: check_rate(f"{name}[{state!r}]", rate.get(state, 0.0)) for state in states}


def _is_rate(rate: object) -> bool:
    return isinstance(rate, numbers.Real) and not isinstance(rate, bool) and 0 <= float(rate) <= 1


def check_input(x: Tensor, input_size: int, weight: Tensor, dimensions: int = 3) -> None:
    """The input's dtype, number of dimensions, size and device, against those of the weights."""
    if x.dtype != weight.dtype and not autocasts(x):
        raise ValueError(
            f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). Convert "
            f"input: input.to({weight.dtype}), or convert model: model.to({x.dtype})"
        )
    if x.dim() != dimensions:
        raise RuntimeError(f"input must have {dimensions} dimensions, got {x.dim()}")
    if x.size(-1) != input_size:
        raise RuntimeError(
            f"input.size(-1) must be equal to input_size. Expected {input_size}, got {x.size(-1)}"
        )
    if x.device != weight.device:
        raise RuntimeError(
            "Input and parameter tensors are not at the same device, found input tensor at "
            f"{x.device} and parameter tensor at {weight.device}"
        )


def unpack_states(hx: Any, names: tuple[str, ...], cell: str) -> list[Tensor]:
    """The states of ``hx``: the tensor itself for a cell with one state, else a tuple."""
    if len(names) == 1:
        if not isinstance(hx, Tensor):
            raise TypeError(f"hx should be a tensor, the state {names[0]}, got {_kind(hx)}")
        return [hx]
    if not isinstance(hx, (tuple, list)) or not all(isinstance(state, Tensor) for state in hx):
        raise TypeError(f"hx should be a tuple of tensors ({', '.join(names)}), got {_kind(hx)}")
    if len(hx) != len(names):
        count = _COUNTS[len(names)] if len(names) < len(_COUNTS) else str(len(names))
        raise RuntimeError(
            f"{cell} expects {count} hidden states ({', '.join(names)}), got {len(hx)}"
        )
    return list(hx)


def _kind(value: object) -> str:
    if isinstance(value, (tuple, list)):
        inside = ", ".join(type(item).__name__ for item in value)
        return f"{type(value).__name__} of ({inside})"
    return type(value).__name__


def check_state_dimensions(states: list[Tensor], names: tuple[str, ...], batched: bool) -> None:
    """RuntimeError unless every state is 3-D for batched input, 2-D for unbatched."""
    expected = 3 if batched else 2
    if all(state.dim() == expected for state in states):
        return
    dimensions = ", ".join(f"{state.dim()}-D" for state in states)
    what = f"For {'batched 3-D' if batched else 'unbatched 2-D'} input,"
    if len(names) == 1:
        raise RuntimeError(f"{what} hx should also be {expected}-D but got {dimensions} tensor")
    # As torch.nn calls them: hx and cx.
    listed = [f"{name}x" for name in names]
    called = f"{', '.join(listed[:-1])} and {listed[-1]}"
    raise RuntimeError(
        f"{what} {called} should also be {expected}-D but got ({dimensions}) tensors"
    )


def check_states(x: Tensor, states: list[Tensor], shapes: list[tuple[int, int, int]]) -> None:
    """The states' shapes, (num_layers * directions, batch, size), their device and dtype."""
    for number, (state, shape) in enumerate(zip(states, shapes, strict=True)):
        if tuple(state.shape) != shape:
            which = "size" if len(states) == 1 else f"[{number}] size"
            raise RuntimeError(
                f"Expected hidden{' ' if len(states) == 1 else ''}{which} {shape}, "
                f"got {list(state.shape)}"
            )
        if state.device != x.device:
            raise RuntimeError(
                "Input and hidden tensors are not at the same device, found input tensor at "
                f"{x.device} and hidden tensor at {state.device}"
            )
        if state.dtype != x.dtype and not autocasts(x):
            raise RuntimeError(
                "Input and hidden tensors are not the same dtype, found input tensor with "
                f"{x.dtype} and hidden tensor with {state.dtype}"
            )


def check_lengths(lengths: Lengths, time: int, batch: int) -> Tensor:
    """The lengths as int64 on the CPU, (batch,).

    Raises TypeError where they are no integers, ValueError for another shape or a value outside
    0 to ``time``; the values of a graph that is being compiled are not known and not checked.
    """
    counts = lengths if isinstance(lengths, Tensor) else torch.as_tensor(lengths)
    if counts.numel() == 0 and not isinstance(lengths, Tensor):
        counts = counts.to(torch.int64)  # torch makes an empty list float32
    if counts.is_floating_point() or counts.is_complex() or counts.dtype == torch.bool:
        raise TypeError(f"lengths should be integers, got {counts.dtype}")
    if tuple(counts.shape) != (batch,):
        raise ValueError(
            f"lengths should have shape ({batch},), one for each sequence of the batch, got "
            f"{tuple(counts.shape)}"
        )
    counts = counts.to("cpu", torch.int64)
    if not torch.compiler.is_compiling():
        wrong = (counts < 0) | (counts > time)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            raise ValueError(
                f"lengths should be between 0 and {time}, the number of time steps, got "
                f"{int(counts[row])} at index {row}"
            )
    return counts
