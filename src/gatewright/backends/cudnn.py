"""torch's own operators on a GPU: cuDNN for all layers at once, a fused kernel for one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

# The built-in cells that torch has operators for, and what torch calls them.
MODES = {"rnn": "RNN_TANH", "rnn_relu": "RNN_RELU", "lstm": "LSTM", "gru": "GRU"}
# cuDNN computes in bfloat16 too, which torch's own list leaves out.
_DTYPES = {*torch.backends.cudnn.CUDNN_TENSOR_DTYPES, torch.bfloat16}


class CudnnOptions(NamedTuple):
    """What torch's operators take after the weights, in their order."""

    bias: bool
    num_layers: int
    dropout: float
    training: bool
    bidirectional: bool


def run(
    mode: str,
    x: Tensor,
    states: Sequence[Tensor],
    weights: list[Tensor],
    options: CudnnOptions,
    lengths: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """Run all layers in torch's own operator, which is cuDNN on a CUDA device.

    mode: torch's name for the cell. x: (time, batch, input_size). Under torch.autocast the operator
    computes in its dtype, whatever the dtypes given. Returns the output and the final states.
    """
    function: Callable[..., Any] = getattr(torch._VF, mode.lower())
    states = [state.contiguous() for state in states]
    given = tuple(states) if len(states) > 1 else states[0]
    if lengths is None:
        output, *final = function(x, given, weights, *options, False)
        if torch.compiler.is_compiling():
            # torch.compile's own LSTM gives states of one layer a fourth dimension (torch 2.11).
            final = [new.reshape(state.shape) for new, state in zip(final, states, strict=True)]
        return output, final
    # A packed sequence cannot be empty: empty ones run one step, which is then discarded.
    packed = pack_padded_sequence(x, lengths.clamp(min=1), enforce_sorted=False)
    _, sizes, order, back = packed
    assert order is not None  # because of enforce_sorted=False
    assert back is not None
    ordered = [state.index_select(1, order) for state in states]
    given = tuple(ordered) if len(ordered) > 1 else ordered[0]
    data, *final = function(packed.data, sizes, given, weights, *options)
    output, _ = pad_packed_sequence(
        PackedSequence(data, sizes, order, back), total_length=x.size(0)
    )
    empty = (lengths == 0).to(x.device).unsqueeze(-1)
    final = [
        torch.where(empty, state.to(new.dtype), new.index_select(1, back))
        for state, new in zip(states, final, strict=True)
    ]
    return torch.where(empty, 0, output), final


def step(
    mode: str, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor | None]
) -> list[Tensor]:
    """One step of a cell in torch's fused kernel: the next states, (batch, hidden_size) each.

    x: (batch, input_size). weights: weight_ih, weight_hh, bias_ih, bias_hh.
    """
    function: Callable[..., Any] = getattr(torch._VF, f"{mode.lower()}_cell")
    found = function(x, tuple(states) if len(states) > 1 else states[0], *weights)
    return [found] if isinstance(found, Tensor) else list(found)


def lay_out(
    mode: str,
    weights: list[Tensor],
    *,
    each: int,
    input_size: int,
    hidden_size: int,
    proj_size: int,
    num_layers: int,
    batch_first: bool,
    bidirectional: bool,
) -> None:
    """Move the weights into one block of memory, where cuDNN need not copy them at each call.

    each: how many weights a layer has in a direction. Weights that cuDNN does not take, or that
    share memory, stay as they are.
    """
    if not all(w.is_cuda and w.dtype in _DTYPES for w in weights):
        return
    if not (torch.backends.cudnn.enabled and torch.backends.cudnn.is_available()):
        return
    if len({weight.data_ptr() for weight in weights}) != len(weights):
        return
    from torch.backends.cudnn.rnn import get_cudnn_mode

    with torch.cuda.device_of(weights[0]), torch.no_grad():
        torch._cudnn_rnn_flatten_weight(
            weights,
            each,
            input_size,
            get_cudnn_mode(mode),
            hidden_size,
            proj_size,
            num_layers,
            batch_first,
            bidirectional,
        )
