"""ONNX Runtime as a peer: its own recurrent operators, forward only."""

from __future__ import annotations

from typing import Any

import onnx
import onnxruntime as runtime
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from gatewright.bench.problem import Problem, Side

# Cell -> (operator, the gates in the operator's order, further attributes).
OPERATORS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "rnn": ("RNN", ("new",), {}),
    "rnn_relu": ("RNN", ("new",), {"activations": ["Relu"]}),
    "gru": ("GRU", ("update", "reset", "new"), {"linear_before_reset": 1}),
    "lstm": ("LSTM", ("input", "output", "forget", "cell"), {}),
}


def side(problem: Problem, threads: int) -> Side | None:
    """The side of ONNX Runtime, None for a cell that it has no operator for."""
    if problem.case.cell not in OPERATORS:
        return None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = runtime.InferenceSession(_model(problem), options, providers=["CPUExecutionProvider"])
    shape = problem.case.shape
    output = torch.empty(shape.time, 1, shape.batch, shape.hidden_size).numpy()
    bound = runtime.OrtValue.ortvalue_from_numpy(output)
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", runtime.OrtValue.ortvalue_from_numpy(problem.x.numpy()))
    binding.bind_ortvalue_output("y", bound)

    def work() -> None:
        session.run_with_iobinding(binding)

    def results() -> dict[str, Tensor]:
        work()
        return {"output": torch.tensor(bound.numpy()).squeeze(1)}

    return Side("onnxruntime", work, results)


def _model(problem: Problem) -> bytes:
    """A model of one recurrent operator, the weights as constants."""
    kind = onnx.TensorProto.FLOAT
    operator, order, further = OPERATORS[problem.case.cell]
    shape, cell, weights = problem.case.shape, problem.cell, problem.weights

    def rows(name: str, projections: tuple[str, ...]) -> Tensor:
        """The stacked rows in the operator's order, behind an axis of directions."""
        parts = dict(zip(projections, weights[f"{name}_l0"].chunk(len(projections)), strict=True))
        return torch.cat([parts[gate] for gate in order])[None]

    biases = (rows("bias_ih", cell.x_projections), rows("bias_hh", cell.h_projections))
    constants = {
        "w": rows("weight_ih", cell.x_projections),
        "r": rows("weight_hh", cell.h_projections),
        "b": torch.cat(biases, dim=1),
    }
    size = shape.hidden_size
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", *constants], ["y"], hidden_size=size, **further)],
        "cell",
        [helper.make_tensor_value_info("x", kind, [shape.time, shape.batch, shape.input_size])],
        [helper.make_tensor_value_info("y", kind, [shape.time, 1, shape.batch, size])],
        [
            numpy_helper.from_array(value.contiguous().numpy(), name)
            for name, value in constants.items()
        ],
    )
    # Versions that every ONNX Runtime of the last years reads.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
