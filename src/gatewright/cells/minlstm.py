from gatewright.equations import cell, sigmoid, step


@cell(source="Feng and others 2024, Were RNNs all we needed?")
def minlstm(x, state):
    """Minimal LSTM: gates see the input only and share one unit of weight."""
    forget = sigmoid(x.forget)
    input = sigmoid(x.input)
    new = x.new
    total = forget + input
    gates = dict(forget=forget, input=input, new=new)
    return step(h=(forget / total) * state.h + (input / total) * new, gates=gates)
