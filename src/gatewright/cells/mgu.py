from gatewright.equations import cell, sigmoid, step, tanh


@cell(source="Zhou, Wu, Zhang, Zhou 2016, Minimal gated unit for recurrent neural networks")
def mgu(x, h, state):
    """Minimal gated unit: one gate forgets and resets."""
    forget = sigmoid(x.forget + h.forget)
    new = tanh(x.new + h.new(forget * state.h))
    return step(h=state.h + forget * (new - state.h), gates=dict(forget=forget, new=new))
