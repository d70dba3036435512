from gatewright.equations import cell, sigmoid, step


@cell(source="Feng and others 2024, Were RNNs all we needed?")
def mingru(x, state):
    """Minimal gated recurrent unit: the gate sees the input only, the state is linear."""
    update = sigmoid(x.update)
    new = x.new
    return step(h=state.h + update * (new - state.h), gates=dict(update=update, new=new))
