"""Arithmetic on constants: mostly shapes that an exporter computes step by step from the shape of a tensor.

The meaning is onnx.reference's. An operator folds only if its result cannot be much larger than what is announced by
`announced`, so that a hostile file cannot make it allocate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ..errors import CompileError
from ..ir import Array, OnnxNode
from .model import check_nbytes
from .order import where_of

ELEMENTWISE = (
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Div", "Equal", "Erf", "Exp", "Floor", "Greater", "GreaterOrEqual",
    "Identity", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal",
    "Relu", "Round", "Sigmoid", "Sign", "Sqrt", "Sub", "Tanh", "Where", "Xor",
)  # fmt: skip
SAME_SIZE = (
    "Concat", "Flatten", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Slice",
    "Split", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
GROWING = ("ConstantOfShape", "Expand", "Gather", "Range", "Tile")
FOLDABLE = frozenset((*ELEMENTWISE, *SAME_SIZE, *GROWING))


def fold(node: OnnxNode, inputs: Sequence[Array | None]) -> list[Array]:
    """The node's outputs; None is an absent input. Raises E0105 for results that are too large, E0107 for nonsense."""
    where = where_of(node)
    try:
        check_nbytes(8 * announced(node, inputs), where)
        feeds = {f"x{i}": x for i, x in enumerate(inputs) if x is not None}
        results = ReferenceEvaluator(as_proto(node, inputs)).run(None, feeds)
    except CompileError:
        raise
    except Exception as error:  # the evaluator raises whatever numpy or Python raise on inputs that do not fit
        raise CompileError("E0107", "the node cannot be computed from its constants", where, why=str(error)) from error
    arrays = [np.asarray(r) for r in results]
    for array in arrays:
        check_nbytes(array.nbytes, where)
    return arrays


def announced(node: OnnxNode, inputs: Sequence[Array | None]) -> int:
    """An upper bound of the elements in any output."""
    arrays = [x for x in inputs if x is not None]
    total = sum(x.size for x in arrays)
    if node.op_type in ELEMENTWISE:
        return product(np.broadcast_shapes(*(x.shape for x in arrays)))
    match node.op_type:
        case "ConstantOfShape":
            return product(arrays[0].ravel())
        case "Expand":
            return product(np.broadcast_shapes(arrays[0].shape, tuple(int(d) for d in arrays[1].ravel())))
        case "Gather":
            return max(arrays[1].size, 1) * arrays[0].size
        case "Range":
            start, limit, delta = (float(x.ravel()[0]) for x in arrays)
            return int(abs((limit - start) / delta)) + 1
        case "Tile":
            return arrays[0].size * product(arrays[1].ravel())
    return total


def product(sizes: Sequence[int] | Array) -> int:
    result = 1
    for size in sizes:
        result *= int(size)
    return result


def as_proto(node: OnnxNode, inputs: Sequence[Array | None]) -> object:
    """The node for onnx.reference, with inputs named x0, x1 …"""
    attributes: dict[str, Any] = {
        k: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v for k, v in node.attributes.items()
    }
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(len(node.outputs))]
    proto = helper.make_node(node.op_type, names, outputs, **attributes)
    graph = helper.make_graph(
        [proto], "fold", [], [helper.make_tensor_value_info(y, TensorProto.UNDEFINED, None) for y in outputs]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)])
