from gatewright.equations import cell, step, tanh


@cell(source="Elman 1990, Finding structure in time")
def rnn(x, h):
    """Simple recurrent network with tanh."""
    return step(h=tanh(x.new + h.new))
