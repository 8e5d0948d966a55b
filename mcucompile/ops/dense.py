"""Fully connected layer: y[..., o] = b[o] + sum over k of x[..., k] * w[o, k]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import (
    NO_CLIP,
    Array,
    Arrays,
    Builder,
    Clip,
    Exporter,
    Moved,
    Node,
    OnnxNode,
    Perm,
    Requant,
    Shape,
    Tensor,
    Unsupported,
    constant,
    permute_constant,
    real_values,
    reshape_constant,
)
from .moving import moved_before_last
from .sums import matmul
from .weighted import Weighted


@dataclass(frozen=True)
class Dense(Weighted):
    """Inputs x [..., K], w [O,K], b [O]; output [..., O]."""

    clip: Clip = NO_CLIP
    requant: Requant | None = None

    name = "dense"
    onnx = ("Gemm",)

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, w, b = shapes
        assert w == (*b, x[-1]), f"weights {w} and bias {b} for {x}"
        return ((*x[:-1], w[0]),)

    def reference(self, *args: Array) -> Arrays:
        x, w, b = args
        y = matmul(x, w.T) + b
        return (y if np.issubdtype(y.dtype, np.integer) else np.clip(y, self.clip.low, self.clip.high),)

    def moved(self, perm: Perm) -> Moved | None:
        return moved_before_last(self, perm)

    def per_input(self, weight: Shape, values: Array) -> Array:
        return values

    def macs(self, node: Node) -> int:
        return node.output.size * node.inputs[1].shape[1]

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        """Gemm with constant weights: y = alpha * x' @ w' + beta * c."""
        x, w, c = build.input(node, 0), build.constant_input(node, 1), build.constant_input(node, 2)
        assert w is not None
        if node.integer("transA"):
            raise Unsupported("transA=1", "transpose the input before the Gemm")
        weights = scaled(w if node.integer("transB") else permute_constant(w, (1, 0)), node.number("alpha", 1.0))
        if c is not None and c.size not in (1, weights.shape[0]):
            raise Unsupported(f"a bias of shape {list(c.shape)}", "use one bias per output, or an Add")
        bias = None if c is None else scaled(spread(c, weights.shape[0]), node.number("beta", 1.0))
        build.result(node, emit_dense(build, node.name, x, weights, bias))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        from .conv2d import export_clip

        x, w, b = (export.value(t) for t in node.inputs)
        if len(node.inputs[0].shape) == 2:
            (y,) = export.node("Gemm", [x, w, b], transB=1)
        else:
            (product,) = export.node("MatMul", [x, export.transpose(w, (1, 0))])
            (y,) = export.node("Add", [product, b])
        export.result(node, export_clip(export, y, self.clip))


def scaled(tensor: Tensor, factor: float) -> Tensor:
    """The constant times a number; a quantized one is dequantized for that."""
    return tensor if factor == 1 else constant(tensor.name, (real_values(tensor) * factor).astype(np.float32))


def spread(bias: Tensor, outputs: int) -> Tensor:
    """A bias of any shape as [outputs]."""
    if bias.size == outputs:
        return reshape_constant(bias, (outputs,))
    return constant(bias.name, np.full(outputs, real_values(bias).ravel()[0], np.float32))


def emit_dense(build: Builder, name: str, x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Dense with weights [O,K]."""
    w = build.constant(f"{name}_weight", weights)
    b = build.constant(f"{name}_bias", np.zeros(weights.shape[0], np.float32) if bias is None else bias)
    return build.emit(Dense(), x, w, b, name=name)
