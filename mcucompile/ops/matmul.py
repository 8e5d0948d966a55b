"""Product of two tensors as matrices, either of which may be computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..ir import (
    NO_CLIP,
    Array,
    Arrays,
    Builder,
    Clip,
    Exporter,
    Node,
    Numerics,
    OnnxNode,
    Op,
    Requant,
    ScaleRule,
    Shape,
    Tensor,
    permute_constant,
    requant,
    reshape_constant,
)
from .binary import with_rank
from .conv2d import export_clip
from .dense import emit_dense
from .fixed_point import TFLITE_TYPES, reach, scale_of
from .reshape import Reshape
from .sums import matmul
from .transpose import Transpose


@dataclass(frozen=True)
class MatMul(Op):
    """y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]; the leading axes broadcast, both ranks are equal.

    Integers: y = sat(zero_y + requant(sum of (q_a - zero_a) * (q_b - zero_b))), `requant` with one entry.
    """

    clip: Clip = NO_CLIP
    requant: Requant | None = None

    name = "matmul"
    onnx = ("MatMul",)
    scales = ScaleRule.FREE
    tflite_types = TFLITE_TYPES

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        a, b = shapes
        assert a[-1] == b[-2], f"{a} @ {b}"
        return ((*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1]),)

    def reference(self, *args: Array) -> Arrays:
        y = matmul(*args)
        return (y if np.issubdtype(y.dtype, np.integer) else np.clip(y, self.clip.low, self.clip.high),)

    def fix(self, node: Node, numerics: Numerics) -> Self:
        a, b, y = (*node.inputs, node.output)
        bound = max((1 << 31) - 1, self.sum_bound(node) or 0)
        return replace(self, requant=requant((scale_of(a) * scale_of(b) / scale_of(y),), numerics, bound))

    def sum_bounds(self, node: Node) -> tuple[int, ...]:
        a, b = node.inputs
        return (a.shape[-1] * reach(a) * reach(b),) if a.quant and b.quant else ()

    def macs(self, node: Node) -> int:
        return node.output.size * node.inputs[0].shape[-1]

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        """numpy's rules: a vector on the left is a row, on the right a column, and that axis vanishes again."""
        a, b = build.input(node, 0), build.input(node, 1)
        left = with_shape(build, a, (1, *a.shape)) if len(a.shape) == 1 else a
        right = with_shape(build, b, (*b.shape, 1)) if len(b.shape) == 1 else b
        rank = max(len(left.shape), len(right.shape))
        y = emit_product(build, node.name, with_rank(build, left, rank), with_rank(build, right, rank))
        shape = y.shape[:-1] if len(b.shape) == 1 else y.shape
        if len(a.shape) == 1:
            shape = (*shape[: rank - 2], *shape[rank - 1 :])
        build.result(node, y if shape == y.shape else build.emit(Reshape(shape), y))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        (y,) = export.node("MatMul", [export.value(t) for t in node.inputs])
        export.result(node, export_clip(export, y, self.clip))


def emit_product(build: Builder, name: str, a: Tensor, b: Tensor) -> Tensor:
    """a @ b for operands of one rank; a constant matrix on either side makes it a Dense."""
    if b.const is not None and b.size == b.shape[-2] * b.shape[-1]:
        return emit_dense(build, name, a, permute_constant(reshape_constant(b, b.shape[-2:]), (1, 0)), None)
    if a.const is not None and a.size == a.shape[-2] * a.shape[-1]:
        swap = (*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2)
        y = emit_dense(build, name, build.emit(Transpose(swap), b), reshape_constant(a, a.shape[-2:]), None)
        return build.emit(Transpose(swap), y)
    return build.emit(MatMul(), a, b, name=name)


def with_shape(build: Builder, tensor: Tensor, shape: Shape) -> Tensor:
    """The tensor reshaped, a constant in place."""
    if tensor.const is not None:
        return build.constant(tensor.name, reshape_constant(tensor, shape))
    return build.emit(Reshape(shape), tensor)
