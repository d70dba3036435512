from gatewright.equations import cell, sigmoid, step, tanh


@cell(source="Gers, Schmidhuber, Cummins 2000, Learning to forget")
def lstm(x, h, state):
    """Long short-term memory with a forget gate."""
    input = sigmoid(x.input + h.input)
    forget = sigmoid(x.forget + h.forget)
    cell = tanh(x.cell + h.cell)
    output = sigmoid(x.output + h.output)
    c = forget * state.c + input * cell
    gates = dict(input=input, forget=forget, cell=cell, output=output)
    return step(h=output * tanh(c), c=c, gates=gates)
