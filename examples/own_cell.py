"""A cell of your own: its equations, a short training, and what its gate learned.

The task is the adding problem: of a sequence of numbers two are marked, and the network has to
give their sum at the end. The cell keeps its past by default, and its gate decides when to write.
"""

import torch

import gatewright as gw
from gatewright import sigmoid, tanh


@gw.cell
def keeper(x, h, state):
    """Adds to its state where the gate opens, and leaves it alone elsewhere."""
    write = sigmoid(x.write + h.write)
    return gw.step(h=state.h + write * tanh(x.new), gates=dict(write=write))


def problem(batch: int, time: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers and marks, (time, batch, 2), and the sums of the marked numbers, (batch,)."""
    numbers = torch.rand(time, batch)
    marks = torch.zeros(time, batch)
    for half in (torch.arange(time // 2), torch.arange(time // 2, time)):
        marks[half[torch.randint(len(half), (batch,))], torch.arange(batch)] = 1.0
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(0)


torch.manual_seed(1)
layer = gw.Recurrent(keeper, input_size=2, hidden_size=16)
read_out = torch.nn.Linear(16, 1)
print(f"keeper has the parameters {', '.join(name for name, _ in layer.named_parameters())}")
print(f"and runs on: {layer.backend}\n")

parameters = [*layer.parameters(), *read_out.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.02)
for number in range(301):
    x, sums = problem(batch=64)
    output, _ = layer(x)
    loss = torch.nn.functional.mse_loss(read_out(output[-1]).squeeze(1), sums)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if number % 100 == 0:
        print(f"step {number:3}: mean squared error {loss.item():.4f}")

# trace keeps every gate of every step, by the names in the equations.
x, _ = problem(batch=1)
write = layer.trace(x)["write"][:, 0]  # (time, hidden_size)
unit = int(write.std(0).argmax())
print(f"\nHow far the gate of unit {unit} opened, step by step; * is a marked number:")
for (_, mark), value in zip(x[:, 0].tolist(), write[:, unit].tolist(), strict=True):
    print(f"{'*' if mark else ' '} {value:.2f} {'#' * round(40 * value)}")
