"""One vector a sequence: the output at its last step, whichever way it is taken."""

import pytest
import torch

from gatewright import cells
from gatewright.networks.encoder import Encoder, run

TIME, BATCH, SIZE = 7, 4, 5
LENGTHS = [7, 1, 0, 4]


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("truncate", [0, 3])
def test_what_is_held_is_the_output_at_the_last_step(
    cell: str, lengths: list[int] | None, truncate: int
) -> None:
    torch.manual_seed(1)
    encoder = Encoder(cell, 2, SIZE, num_layers=2, truncate=truncate)
    x, ends = torch.randn(TIME, BATCH, 2), None if lengths is None else torch.tensor(lengths)
    wanted = _outputs_at_the_end(encoder, x, lengths)
    assert torch.equal(encoder(x, ends), wanted)
    got, same = (
        torch.autograd.grad(value.square().sum(), list(encoder.recurrent.parameters()))
        for value in (encoder(x, ends), wanted)
    )
    torch.testing.assert_close(got, same)
    assert all(gradient.abs().max() > 0 for gradient in got)


def _outputs_at_the_end(
    encoder: Encoder, x: torch.Tensor, lengths: list[int] | None
) -> torch.Tensor:
    ends = None if lengths is None else torch.tensor(lengths)
    outputs, _ = run(encoder.recurrent, x, ends, encoder.truncate)
    last = [max(0, length - 1) for length in lengths or [TIME] * BATCH]
    return torch.stack([outputs[step, row] for row, step in enumerate(last)])
