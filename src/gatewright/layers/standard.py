"""The layers that torch.nn has too, with exactly its constructors."""

from __future__ import annotations

from typing import Unpack

import torch

from gatewright.layers.base import LayerOptions
from gatewright.layers.recurrent import Recurrent

Device = torch.device | str | int | None

NONLINEARITIES = {"tanh": "rnn", "relu": "rnn_relu"}  # and the cell that has it


def _refuse_projection(proj_size: int | None) -> None:
    if proj_size is not None:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(Recurrent):
    """Simple recurrent network: torch.nn.RNN, with the options of :class:`Recurrent`.

    nonlinearity: "tanh" or "relu".
    """

    _says_cell = True
    _dimensions_text = "{}: Expected input to be 2D or 3D, got {}D tensor instead"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        _refuse_projection(proj_size)
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(
            NONLINEARITIES[nonlinearity],
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            **options,
        )


class LSTM(Recurrent):
    """Long short-term memory: torch.nn.LSTM, with the options of :class:`Recurrent`."""

    _says_cell = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            "lstm",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size=proj_size,
            device=device,
            dtype=dtype,
            **options,
        )


class GRU(Recurrent):
    """Gated recurrent unit: torch.nn.GRU, with the options of :class:`Recurrent`."""

    _says_cell = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        _refuse_projection(proj_size)
        super().__init__(
            "gru",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            **options,
        )
