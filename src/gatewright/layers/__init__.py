"""Torch modules: any cell as a layer, and the layers and cells of torch.nn by their names."""

from gatewright.layers.recurrent import Recurrent
from gatewright.layers.single import GRUCell, LSTMCell, RNNCell
from gatewright.layers.standard import GRU, LSTM, RNN
from gatewright.layers.trace import Trace

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrent", "Trace"]
