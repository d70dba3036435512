from gatewright.equations import cell, sigmoid, step


@cell(source="Hochreiter, Schmidhuber 1997, Long short-term memory")
def lstm_no_forget(x, h, state):
    """Long short-term memory as first published, without a forget gate."""
    input = sigmoid(x.input + h.input)
    output = sigmoid(x.output + h.output)
    # The paper squashes the input by 4 sigmoid(a) - 2 and the state by 2 sigmoid(c) - 1.
    cell = 4 * sigmoid(x.cell + h.cell) - 2
    c = state.c + input * cell
    squashed = 2 * sigmoid(c) - 1
    return step(h=output * squashed, c=c, gates=dict(input=input, output=output, cell=cell))
