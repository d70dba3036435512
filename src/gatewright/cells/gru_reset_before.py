from gatewright.equations import cell, sigmoid, step, tanh


@cell(source="Cho and others 2014, Learning phrase representations using RNN encoder-decoder")
def gru_reset_before(x, h, state):
    """Gated recurrent unit as first published, reset (relevance) before the product."""
    reset = sigmoid(x.reset + h.reset)
    update = sigmoid(x.update + h.update)
    new = tanh(x.new + h.new(reset * state.h))
    gates = dict(reset=reset, update=update, new=new)
    return step(h=new + update * (state.h - new), gates=gates)
