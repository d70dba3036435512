"""What runs a cell on tensors: the compiled engine, the reference, cuDNN, and the choice of one."""
