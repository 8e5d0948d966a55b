"""ONNX's Gemm: y = alpha * a' @ b' + beta * c, with a' and b' transposed or not, and c broadcast to y's shape."""

from __future__ import annotations

import numpy as np

from ..ir import Builder, OnnxNode, Tensor, constant, permute_constant, real_values, reshape_constant
from .add import Add
from .binary import with_rank
from .dense import emit_dense
from .matmul import emit_product
from .mul import Mul
from .transpose import Transpose

SWAP = (1, 0)


def emit_gemm(node: OnnxNode, build: Builder) -> Tensor:
    """A Dense where the weights are constant, whose bias is c where c has one value per output; else an Add follows."""
    a, b, c = build.input(node, 0), build.input(node, 1), build.optional(node, 2)
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    left = build.emit(Transpose(SWAP), a) if node.integer("transA") else a
    if b.const is None:
        right = build.emit(Transpose(SWAP), b) if node.integer("transB") else b
        y, bias = times(build, emit_product(build, node.name, left, right), alpha), None
    else:
        weights = scaled(b if node.integer("transB") else permute_constant(b, SWAP), alpha)
        bias = c if c is not None and is_bias(c, weights.shape[0]) else None
        fused = None if bias is None else scaled(spread(bias, weights.shape[0]), beta)
        y = emit_dense(build, node.name, left, weights, fused)
    if c is None or bias is c:
        return y
    return build.emit(Add(), y, with_rank(build, times(build, c, beta), 2), name=node.name)


def is_bias(c: Tensor, outputs: int) -> bool:
    """Whether the constant is one number, or one per output whatever the row."""
    return c.const is not None and (c.size == 1 or (c.size == outputs and c.shape[-1] == outputs))


def times(build: Builder, tensor: Tensor, factor: float) -> Tensor:
    """The tensor times a number."""
    if factor == 1:
        return tensor
    if tensor.const is not None:
        return build.constant(tensor.name, scaled(tensor, factor))
    number = np.full((1,) * len(tensor.shape), factor, np.float32)
    return build.emit(Mul(), tensor, build.constant("factor", number))


def scaled(tensor: Tensor, factor: float) -> Tensor:
    """The constant times a number; a quantized one is dequantized for that."""
    return tensor if factor == 1 else constant(tensor.name, (real_values(tensor) * factor).astype(np.float32))


def spread(bias: Tensor, outputs: int) -> Tensor:
    """A bias of any shape as [outputs]."""
    if bias.size == outputs:
        return reshape_constant(bias, (outputs,))
    return constant(bias.name, np.full(outputs, real_values(bias).ravel()[0], np.float32))
