from gatewright.equations import cell, relu, step


@cell(
    source="Li, Li, Cook, Zhu, Gao 2018, Independently recurrent neural network",
    # Between forgetting at once and keeping for ever, as the paper starts it.
    initial={"recurrent": (0.0, 1.0)},
)
def indrnn(x, state, p):
    """Independently recurrent network: each unit hears only itself."""
    return step(h=relu(x.new + p.recurrent * state.h))
