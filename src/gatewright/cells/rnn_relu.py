from gatewright.equations import cell, relu, step


@cell(source="Le, Jaitly, Hinton 2015, A simple way to initialize recurrent networks of ReLUs")
def rnn_relu(x, h):
    """Simple recurrent network with rectified units."""
    return step(h=relu(x.new + h.new))
