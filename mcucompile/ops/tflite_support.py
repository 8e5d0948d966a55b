"""Where `fix(..., Numerics.TFLITE)` gives TensorFlow Lite Micro's very bits."""

from __future__ import annotations

from ..ir import DType, Node
from .average_pool import AveragePool

# Compared byte for byte with TensorFlow Lite Micro's kernels; reshape, slice, split and transpose only move values.
INT16 = frozenset({
    "add", "average_pool", "clamp", "concat", "conv2d", "dense", "depthwise_conv2d", "dequantize", "matmul", "max",
    "max_pool", "min", "mul", "pad", "quantize", "reduce_mean", "requantize", "reshape", "resize", "slice", "split",
    "sub", "transpose",
})  # fmt: skip
INT8 = INT16 | {"hard_swish", "leaky_relu", "sigmoid", "softmax", "tanh"}


def has_tflite_bits(node: Node) -> bool:
    """Whether a node with fixed-point constants for numerics=tflite gives TensorFlow Lite Micro's bits.

    Elsewhere (Div, PRelu, LogSoftmax, HardSigmoid, functions of int16, uint8 data, an average pool that counts its
    padding or rescales) it follows the formula of numerics=onnx, which TensorFlow Lite has no int8 operator for or
    rounds otherwise.
    """
    types = {t.dtype for t in [*node.activations(), *node.outputs]} - {DType.F32}
    if isinstance(node.op, AveragePool) and node.op.requant is not None:
        return False
    return node.op.name in (INT8 if types <= {DType.I8} else INT16 if types <= {DType.I8, DType.I16} else frozenset())
