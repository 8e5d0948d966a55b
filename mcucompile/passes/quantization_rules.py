"""How each operator wants its activations quantized.

Decided: one table here rather than a field of every operator, because a rule is about the scales between operators,
and because an operator that is missing still works, as float between Dequantize and Quantize.
"""

from __future__ import annotations

from enum import Enum

from ..ir import DType, Node, QuantParams
from ..ops.binary import Binary
from ..ops.clamp import Clamp
from ..ops.reshape import Reshape
from ..ops.same_scale import SameScale
from ..ops.split import Split
from ..ops.transpose import Transpose
from ..ops.unary import Unary


class Rule(Enum):
    """What an operator's output scale follows from."""

    WEIGHTED = "inputs x, constant weights, constant bias; the output has a range of its own"
    FREE = "inputs and outputs have ranges of their own"
    TIED = "all activations have one scale and zero point"
    FIXED = "the output range follows from the operator's meaning"
    FLOAT = "computed on real numbers"


MOVING = (Clamp, Reshape, Split, Transpose)
RULES: dict[str, Rule] = {
    "conv2d": Rule.WEIGHTED,
    "depthwise_conv2d": Rule.WEIGHTED,
    "dense": Rule.WEIGHTED,
    "average_pool": Rule.FREE,
    "log_softmax": Rule.FREE,
    "matmul": Rule.FREE,
    "prelu": Rule.FREE,
    "reduce_mean": Rule.FREE,
    "affine": Rule.FLOAT,
}
FIXED_INT8: dict[str, QuantParams] = {
    "softmax": QuantParams.per_tensor(1 / 256, -128),
    "sigmoid": QuantParams.per_tensor(1 / 256, -128),
    "tanh": QuantParams.per_tensor(1 / 128, 0),
}
FIXED_INT16 = QuantParams.per_tensor(1 / 32768, 0, DType.I16)


def rule(node: Node) -> Rule:
    """The rule of a node of a float or quantized graph; integers that stand for no reals (token ids) are left alone."""
    if any(t.dtype.is_integer and t.quant is None for t in [*node.inputs, *node.outputs]):
        return Rule.FLOAT
    if isinstance(node.op, (SameScale, *MOVING)):
        return Rule.TIED
    if node.op.name in FIXED_INT8:
        return Rule.FIXED
    return Rule.FREE if isinstance(node.op, (Unary, Binary)) else RULES.get(node.op.name, Rule.FLOAT)


def fixed_params(node: Node, dtype: DType) -> QuantParams:
    """The output's quantization of a FIXED node."""
    return FIXED_INT16 if dtype is DType.I16 else FIXED_INT8[node.op.name]
