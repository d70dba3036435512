"""A layer before it runs: its options, its parameters, its copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from gatewright import cells
from gatewright.backends import cudnn
from gatewright.backends.choice import Backend, Choice, Stepper, check_backend
from gatewright.equations import Cell
from gatewright.equations import cell as make_cell
from gatewright.layers import checks, initialisation
from gatewright.layers.pickling import ByName


class LayerOptions(TypedDict, total=False):
    """The keyword arguments that :class:`Recurrent` has and torch.nn has not."""

    recurrent_dropout: float
    zoneout: float | Mapping[str, float]
    learn_initial_state: bool
    forget_bias: float | None
    orthogonal: bool
    backend: Backend | None


class RecurrentBase(nn.Module):
    """What :class:`Recurrent` is made of: options, parameters by their names, the backend."""

    # Whether the name of the class says what the cell is.
    _says_cell = False

    def __init__(
        self,
        cell: str | Cell | Callable[..., Any],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        proj_size: int = 0,
        recurrent_dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        orthogonal: bool = False,
        backend: Backend | None = None,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        checks.check_sizes(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size
        )
        check_backend(backend)
        self.cell = _as_cell(cell)
        self._states = self.cell.states  # their names
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.proj_size = proj_size
        self.recurrent_dropout = checks.check_rate("recurrent_dropout", recurrent_dropout)
        self.zoneout = checks.state_rates("zoneout", zoneout, self._states)
        self.learn_initial_state = learn_initial_state
        self.forget_bias = forget_bias
        self.orthogonal = orthogonal
        self._check_cell()
        self._asked = backend
        self._add_parameters(device, dtype)
        self._set_up()
        self.flatten_parameters()
        self.reset_parameters()

    def _check_cell(self) -> None:
        """ValueError for an option that this cell cannot have."""
        cell = self.cell
        if not cell.h_projections:
            for option in ("recurrent_dropout", "orthogonal"):
                if getattr(self, option):
                    raise ValueError(
                        f"{option} needs recurrent projections, and {cell.name} has none"
                    )
        if self.forget_bias is not None and ("forget" not in cell.x_projections or not self.bias):
            reason = f"{cell.name} has no gate x.forget" if self.bias else "bias is False"
            raise ValueError(f"forget_bias sets the bias of the forget gate, but {reason}")
        reads_h = any(v.operation == "state" and v.name == "h" for v in cell.values())
        if self.proj_size and (reads_h or cell.applied or not cell.h_projections):
            raise ValueError(
                "proj_size needs a cell whose h enters recurrent projections only, and "
                f"{cell.name} is not one"
            )

    # Parameters -----------------------------------------------------------------------------

    def _add_parameters(
        self, device: torch.device | str | int | None, dtype: torch.dtype | None
    ) -> None:
        cell, size = self.cell, self.hidden_size
        self._names: list[list[str]] = []
        self._bounds: dict[str, tuple[float, float]] = {}
        gates_x, gates_h = len(cell.x_projections) * size, len(cell.h_projections) * size
        for layer in range(self.num_layers):
            width = self._output_size * self._directions if layer else self.input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates_x, width)}
            if cell.h_projections:
                shapes["weight_hh"] = (gates_h, self._output_size)
            if self.bias:
                shapes["bias_ih"] = (gates_x,)
            if self.bias and cell.h_projections:
                shapes["bias_hh"] = (gates_h,)
            shapes |= {f"p_{vector}": (size,) for vector in cell.vectors}
            if self.proj_size:
                shapes["weight_hr"] = (self.proj_size, size)
            for direction in range(self._directions):
                end = f"_l{layer}" + ("_reverse" if direction else "")
                for name, shape in shapes.items():
                    tensor = torch.empty(shape, device=device, dtype=dtype)
                    setattr(self, name + end, nn.Parameter(tensor))
                self._names.append([name + end for name in shapes])
                self._bounds |= {f"p_{name}{end}": cell.initial[name] for name in cell.initial}
        if self.learn_initial_state:
            for state, width in zip(self._states, self._state_sizes, strict=True):
                tensor = torch.empty(self._rows, width, device=device, dtype=dtype)
                setattr(self, f"{state}_0", nn.Parameter(tensor))

    def reset_parameters(self) -> None:
        """Draw the parameters anew from torch's generator."""
        named = {name: getattr(self, name) for names in self._names for name in names}
        initialisation.uniform(named, self.hidden_size, self._bounds)
        for name, tensor in named.items():
            if self.orthogonal and name.startswith("weight_hh"):
                initialisation.orthogonal(tensor, self.hidden_size)
            if self.forget_bias is not None and name.startswith("bias_ih"):
                gates = self.cell.x_projections
                initialisation.set_gate_bias(tensor, gates, "forget", self.forget_bias)
            gates = self.cell.h_projections
            if self.forget_bias is not None and name.startswith("bias_hh") and "forget" in gates:
                # The two biases add up; one of them alone is to count.
                initialisation.set_gate_bias(tensor, gates, "forget", 0.0)
        if self.learn_initial_state:
            for state in self._states:
                nn.init.zeros_(getattr(self, f"{state}_0"))

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer and direction, in their order."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def flatten_parameters(self) -> None:
        """Lay the weights out in one block for cuDNN; on a CPU, have them packed anew."""
        self._choice.forget()
        if self._stepper is not None:
            self._stepper.forget()
        if self.mode is not None:
            cudnn.lay_out(
                self.mode,
                [weight for part in self.all_weights for weight in part],
                each=len(self._names[0]),
                input_size=self.input_size,
                hidden_size=self.hidden_size,
                proj_size=self.proj_size,
                num_layers=self.num_layers,
                batch_first=self.batch_first,
                bidirectional=self.bidirectional,
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RecurrentBase:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.flatten_parameters()
        return self

    # Set-up, copies and pickles ---------------------------------------------------------------

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _rows(self) -> int:
        """The first size of a state: num_layers * directions."""
        return self.num_layers * self._directions

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _set_up(self) -> None:
        """What is worked out anew in every process; another machine may have another engine."""
        builtin = self.cell.name in cells.names() and cells.get(self.cell.name) is self.cell
        # torch's name for the cell, where torch (and so cuDNN) has it: "LSTM".
        self.mode = cudnn.MODES.get(self.cell.name) if builtin else None
        rates = [self.zoneout[state] for state in self._states]
        self._zones = rates if any(rates) else None
        not_cudnn = {
            self.cell.name: self.mode is None,
            f"proj_size of {self.cell.name}": self.proj_size and self.mode != "LSTM",
            "recurrent_dropout": self.recurrent_dropout,
            "zoneout": self._zones,
        }
        self._choice = Choice(
            self.cell,
            self._asked,
            missing="proj_size is not in the engine" if self.proj_size else "",
            not_cudnn=next(
                (f"{name} is not in cuDNN" for name in not_cudnn if not_cudnn[name]), ""
            ),
        )
        self._stepper: Stepper | None = None
        if not (self.bidirectional or self._zones):
            self._stepper = self._choice.stepper(
                self._parameters, self._names, self.input_size, self.hidden_size
            )

    @property
    def _state_sizes(self) -> list[int]:
        return [self._output_size, *[self.hidden_size] * (len(self._states) - 1)]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_choice"], state["_stepper"]
        state["cell"] = ByName(self.cell)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if isinstance(self.cell, ByName):
            self.cell = self.cell.cell
        self._set_up()
        self.flatten_parameters()

    @property
    def backend(self) -> str:
        """What runs this layer where its weights are: ``native avx512``, ``cudnn``, ``reference``.

        With the reason in brackets where it is the reference. Raises RuntimeError where the
        backend that was asked for cannot run.
        """
        weight = self._weight
        return self._choice.describe(weight.device, weight.dtype)

    @property
    def _weight(self) -> Tensor:
        weight: Tensor = getattr(self, self._names[0][0])
        return weight

    def extra_repr(self) -> str:
        parts = [] if self._says_cell else [self.cell.name]
        parts += [str(self.input_size), str(self.hidden_size)]
        shown = {
            "proj_size": (self.proj_size, 0),
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0),
            "bidirectional": (self.bidirectional, False),
            "recurrent_dropout": (self.recurrent_dropout, 0),
            "zoneout": (self.zoneout, dict.fromkeys(self.zoneout, 0)),
            "learn_initial_state": (self.learn_initial_state, False),
            "backend": (self._asked, None),
        }
        parts += [f"{name}={value}" for name, (value, usual) in shown.items() if value != usual]
        return ", ".join(parts)


def _as_cell(cell: str | Cell | Callable[..., Any]) -> Cell:
    if isinstance(cell, str):
        return cells.get(cell)
    return cell if isinstance(cell, Cell) else make_cell(cell)
