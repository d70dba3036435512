from gatewright.equations import cell, sigmoid, step, tanh


@cell(source="Cho and others 2014, in the form of cuDNN: reset after the product")
def gru(x, h, state):
    """Gated recurrent unit, reset after the recurrent product, as torch and cuDNN."""
    reset = sigmoid(x.reset + h.reset)
    update = sigmoid(x.update + h.update)
    new = tanh(x.new + reset * h.new)
    gates = dict(reset=reset, update=update, new=new)
    return step(h=new + update * (state.h - new), gates=gates)
