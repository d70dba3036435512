from gatewright.equations import cell, exp, log_sigmoid, maximum, sigmoid, step, tanh


@cell(source="Beck and others 2024, xLSTM: extended long short-term memory")
def slstm(x, h, state):
    """Scalar LSTM of xLSTM: exponential input gate, normaliser n and stabiliser m."""
    log_input = x.input + h.input
    kept = log_sigmoid(x.forget + h.forget) + state.m
    cell = tanh(x.cell + h.cell)
    output = sigmoid(x.output + h.output)
    m = maximum(kept, log_input)
    input = exp(log_input - m)
    forget = exp(kept - m)
    c = forget * state.c + input * cell
    n = forget * state.n + input
    gates = dict(input=input, forget=forget, cell=cell, output=output)
    return step(h=output * (c / n), c=c, n=n, m=m, gates=gates)
