from gatewright.equations import cell, sigmoid, step, tanh


@cell(source="Greff and others 2017, LSTM: a search space odyssey (the variant CIFG)")
def lstm_coupled(x, h, state):
    """Long short-term memory with one gate for input and forget: input = 1 - forget."""
    forget = sigmoid(x.forget + h.forget)
    cell = tanh(x.cell + h.cell)
    output = sigmoid(x.output + h.output)
    c = forget * state.c + (1 - forget) * cell
    return step(h=output * tanh(c), c=c, gates=dict(forget=forget, cell=cell, output=output))
