"""The recurrent layer: any cell, with the interface of ``torch.nn.LSTM``."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewright.backends import cudnn
from gatewright.layers import checks
from gatewright.layers.autocast import autocasts, wide_dtype
from gatewright.layers.base import RecurrentBase
from gatewright.layers.checks import Hidden, Lengths
from gatewright.layers.trace import Trace


class Recurrent(RecurrentBase):
    """Layers of a recurrent cell, run over sequences.

    cell: the name of a built-in cell, a cell made by :func:`gatewright.cell`, or a function of
        equations.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size: as
        for torch.nn.LSTM. proj_size needs a cell whose ``h`` enters recurrent projections only.
    recurrent_dropout: the probability with which a unit of h is dropped from the recurrent
        projections, for a whole sequence at a time (Gal, Ghahramani 2016).
    zoneout: the probability with which a unit of a state keeps its previous value at a step
        (Krueger and others 2017), for all states or by the name of the state; in evaluation each
        unit keeps that share of it.
    learn_initial_state: start from parameters ``h_0``, ... (num_layers * directions, size), at
        first zero, where no state is given.
    forget_bias: what the biases of the forget gate sum to at first.
    orthogonal: start from recurrent weights that are an orthogonal matrix for each gate.
    backend: "native", "cudnn" or "reference" to run on that or raise RuntimeError; None for the
        best that can run. The property ``backend`` says which it is.

    Parameters are named and ordered as in torch.nn: ``weight_ih_l0``, ``weight_hh_l0``,
    ``bias_ih_l0``, ``bias_hh_l0``, a learned vector ``p.NAME`` as ``p_NAME_l0``, ``weight_hr_l0``;
    ``_reverse`` is appended for the second direction. The rows of a stacked weight follow
    ``cell.x_projections`` and ``cell.h_projections``.

    Raises TypeError or ValueError for arguments that make no layer.
    """

    _dimensions_text = "{}: Expected input to be 2D or 3D, got {}D instead"

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None = None,
        *,
        lengths: Lengths | None = None,
    ) -> tuple[Any, Any]:
        """Run over sequences.

        input: (time, batch, input_size), (batch, time, input_size) with batch_first, (time,
            input_size) without a batch, or a PackedSequence.
        hx: the initial state, (num_layers * directions, batch, size), without batch if the input
            is; for a cell with several states a tuple of them, h first.
        lengths: (batch,), integers from 0 to time, in any order: where each sequence ends. The
            output is zero from there on, whatever the input holds, and the final state is that at
            the last step, or the initial state for a length of 0.

        Returns the output, (time, batch, directions * size), laid out as the input, and the final
        state, in the form of ``hx``.

        Raises ValueError, TypeError or RuntimeError, before anything is computed, in the cases and
        words of torch.nn.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths)
        x, states, ends, batched = self._prepare(input, hx, lengths)
        output, final = self._run(x, states, ends)
        return self._lay_out(output, batched), self._join(final, batched)

    def trace(
        self,
        x: Tensor | PackedSequence,
        hx: Hidden | None = None,
        *,
        lengths: Lengths | None = None,
    ) -> Trace:
        """Run as ``forward``, on the reference, and keep every gate and state of each step.

        A PackedSequence is traced as a padded batch, in the order in which it was packed.
        """
        if isinstance(x, PackedSequence):
            self._check_packed(x, lengths)
            x, lengths = pad_packed_sequence(x, self.batch_first)
        steps, states, ends, batched = self._prepare(x, hx, lengths)
        kept: list[dict[str, Tensor]] = []
        _, final = self._run(steps, states, ends, kept)
        layers = tuple(
            {name: self._lay_out(value, batched) for name, value in values.items()}
            for values in kept
        )
        return Trace(layers, self._join(final, batched))

    def step(self, x_t: Tensor, state: Hidden | None = None) -> tuple[Tensor, Any]:
        """One step of a live stream.

        x_t: (batch, input_size) or (input_size,). state: as ``step`` and ``forward`` return it.
        Returns the output of the step, (batch, size) or (size,), and the state after it. In
        training, recurrent dropout and zoneout are drawn anew at each step.

        Weights: a step that is given the very state that a step returned goes on with a stream.
        Without autograd it does not read the weights again, but follows each change that torch's
        version counters show. With any other state, or none, a stream begins: every weight is read
        as it is then, for this stream and the others of this layer. So writes that no counter
        shows, through ``.data``, numpy or a fused optimiser, count from the next stream, or from
        ``flatten_parameters()``.

        Raises RuntimeError if the layer is bidirectional: its backward half needs the future.
        """
        if self.bidirectional:
            raise RuntimeError("a bidirectional layer has no step: it needs the whole sequence")
        fast = self._fast_step(x_t, state)
        if fast is not None:
            y, states = fast
            return y, states[0] if len(states) == 1 else tuple(states)
        if x_t.dim() not in (1, 2):
            raise ValueError(f"step: Expected x_t to be 1D or 2D, got {x_t.dim()}D instead")
        time = 1 if self.batch_first and x_t.dim() == 2 else 0
        output, final = self.forward(x_t.unsqueeze(time), state)
        return output.squeeze(time), final

    def _fast_step(self, x_t: Tensor, state: Hidden | None) -> tuple[Tensor, list[Tensor]] | None:
        """The output and the next states by the short way, or None where it does not serve."""
        stepper = self._stepper
        if stepper is None or state is None or torch.is_grad_enabled():
            return None
        if self.training and (self.dropout or self.recurrent_dropout):
            return None
        if torch.compiler.is_compiling():
            return None
        if isinstance(state, Tensor):
            return stepper.step(x_t, (state,))
        # One state comes as a tensor, several as a sequence; the general way refuses what does not.
        several = isinstance(state, (tuple, list)) and len(state) > 1
        return stepper.step(x_t, tuple(state)) if several else None

    def _forward_packed(
        self, packed: PackedSequence, hx: Hidden | None, lengths: Lengths | None
    ) -> tuple[PackedSequence, Any]:
        self._check_packed(packed, lengths)
        x, ends = pad_packed_sequence(packed)  # in the order in which it was packed
        states = self._initial_states(x, hx)
        output, final = self._run(x, states, ends)
        if packed.sorted_indices is not None:
            output = output.index_select(1, packed.sorted_indices)
            ends = ends.index_select(0, packed.sorted_indices.cpu())
        data = pack_padded_sequence(output, ends).data
        result = PackedSequence(
            data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
        )
        return result, self._join(final, True)

    def _check_packed(self, packed: PackedSequence, lengths: Lengths | None) -> None:
        if lengths is not None:
            raise ValueError("lengths should be None for a PackedSequence, which has its own")
        checks.check_input(packed.data, self.input_size, self._weight, dimensions=2)

    def _prepare(
        self, x: Tensor, hx: Hidden | None, lengths: Lengths | None
    ) -> tuple[Tensor, list[Tensor], Tensor | None, bool]:
        """The input as (time, batch, input_size), the states, the lengths, and if batched."""
        if not isinstance(x, Tensor):
            kind = type(x).__name__
            raise TypeError(f"input should be a tensor or a PackedSequence, got {kind}")
        if x.dim() not in (2, 3):
            raise ValueError(self._dimensions_text.format(type(self).__name__, x.dim()))
        batched = x.dim() == 3
        if not batched:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        states = self._initial_states(x, hx, batched)
        ends = None if lengths is None else checks.check_lengths(lengths, x.size(0), x.size(1))
        return x, states, ends, batched

    def _initial_states(self, x: Tensor, hx: Hidden | None, batched: bool = True) -> list[Tensor]:
        """The input checked, and the initial states, (num_layers * directions, batch, size)."""
        states = None
        if hx is not None:
            states = checks.unpack_states(hx, self._states, self.cell.name)
            checks.check_state_dimensions(states, self._states, batched)
            states = states if batched else [state.unsqueeze(1) for state in states]
        checks.check_input(x, self.input_size, self._weight)
        if x.size(0) == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        shapes = [(self._rows, x.size(1), size) for size in self._state_sizes]
        if states is not None:
            checks.check_states(x, states, shapes)
            return states
        if self.learn_initial_state:
            learned = [getattr(self, f"{state}_0") for state in self._states]
            return [state.unsqueeze(1).expand(-1, x.size(1), -1) for state in learned]
        return [torch.zeros(shape, dtype=x.dtype, device=x.device) for shape in shapes]

    def _run(
        self,
        x: Tensor,
        states: list[Tensor],
        lengths: Tensor | None,
        kept: list[dict[str, Tensor]] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers. kept: takes what a trace shows.

        Under torch.autocast cuDNN does as it does in torch's layer; all else computes in float32 or
        better.
        """
        if kept is None and self._choice.choose(x.device, x.dtype)[0] == "cudnn":
            return self._run_cudnn(x, states, lengths)
        if not autocasts(x):
            return self._run_layers(x, states, lengths, kept)
        dtype = wide_dtype(self._weight)
        with torch.autocast(x.device.type, enabled=False):
            states = [state.to(dtype) for state in states]
            return self._run_layers(x.to(dtype), states, lengths, kept)

    def _run_layers(
        self,
        x: Tensor,
        states: list[Tensor],
        lengths: Tensor | None,
        kept: list[dict[str, Tensor]] | None,
    ) -> tuple[Tensor, list[Tensor]]:
        finals = []
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            first = layer * self._directions
            part = slice(first, first + self._directions)
            parameters = [
                [getattr(self, name).to(x.dtype) for name in names] for names in self._names[part]
            ]
            projection = [each.pop() for each in parameters] if self.proj_size else None
            own = [state[part] for state in states]
            options = {"lengths": lengths, "mask": self._mask(x), "zone": self._zone(x)}
            if kept is None:
                x, final = self._choice.run(x, own, parameters, projection=projection, **options)
            else:
                values, final = self._choice.record(
                    x, own, parameters, projection=projection, **options
                )
                kept.append(values)
                x = values["h"]
            finals.append(final)
        if len(finals) == 1:
            return x, finals[0]
        return x, [torch.cat(same) for same in zip(*finals, strict=True)]

    def _run_cudnn(
        self, x: Tensor, states: list[Tensor], lengths: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        assert self.mode is not None
        weights = [getattr(self, name) for names in self._names for name in names]
        options = cudnn.CudnnOptions(
            self.bias, self.num_layers, self.dropout, self.training, self.bidirectional
        )
        return cudnn.run(self.mode, x, states, weights, options, lengths)

    def _mask(self, x: Tensor) -> Tensor | None:
        """(directions, batch, size): what recurrent dropout leaves, scaled; once a sequence."""
        if not self.recurrent_dropout or not self.training:
            return None
        ones = x.new_ones(self._directions, x.size(1), self._output_size)
        return F.dropout(ones, self.recurrent_dropout)

    def _zone(self, x: Tensor) -> Tensor | None:
        """(directions, time, batch, states, hidden_size): the share of a state that is kept."""
        if self._zones is None:
            return None
        rates = torch.tensor(self._zones, dtype=x.dtype, device=x.device).unsqueeze(-1)
        time, batch = x.size(0), x.size(1)
        shares = rates.expand(self._directions, time, batch, len(self._zones), self.hidden_size)
        return torch.bernoulli(shares) if self.training else shares

    def _lay_out(self, output: Tensor, batched: bool) -> Tensor:
        if not batched:
            return output.squeeze(1)
        return output.transpose(0, 1) if self.batch_first else output

    def _join(self, final: list[Tensor], batched: bool) -> Any:
        states = final if batched else [state.squeeze(1) for state in final]
        return states[0] if len(states) == 1 else tuple(states)
