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
        """Gemm. With computed weights, or with a term that is more than a bias, it becomes other operators too."""
        from .gemm import emit_gemm  # which is made of operators that import this one

        build.result(node, emit_gemm(node, build))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        from .conv2d import export_clip

        x, w, b = (export.value(t) for t in node.inputs)
        if len(node.inputs[0].shape) == 2:
            (y,) = export.node("Gemm", [x, w, b], transB=1)
        else:
            (product,) = export.node("MatMul", [x, export.transpose(w, (1, 0))])
            (y,) = export.node("Add", [product, b])
        export.result(node, export_clip(export, y, self.clip))


def emit_dense(build: Builder, name: str, x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Dense with weights [O,K]."""
    w = build.constant(f"{name}_weight", weights)
    b = build.constant(f"{name}_bias", np.zeros(weights.shape[0], np.float32) if bias is None else bias)
    return build.emit(Dense(), x, w, b, name=name)
