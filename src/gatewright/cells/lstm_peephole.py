from gatewright.equations import cell, sigmoid, step, tanh


@cell(source="Gers, Schmidhuber 2000, Recurrent nets that time and count")
def lstm_peephole(x, h, state, p):
    """Long short-term memory whose gates also look at the cell state."""
    input = sigmoid(x.input + h.input + p.input * state.c)
    forget = sigmoid(x.forget + h.forget + p.forget * state.c)
    cell = tanh(x.cell + h.cell)
    c = forget * state.c + input * cell
    output = sigmoid(x.output + h.output + p.output * c)
    gates = dict(input=input, forget=forget, cell=cell, output=output)
    return step(h=output * tanh(c), c=c, gates=gates)
