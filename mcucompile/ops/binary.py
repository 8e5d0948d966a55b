"""Operators on two operands with numpy's broadcasting."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ..ir import (
    NO_CLIP,
    Array,
    Arrays,
    Band,
    Builder,
    Clip,
    Exporter,
    Moved,
    Node,
    OnnxNode,
    Op,
    Perm,
    ScaleRule,
    Shape,
    Tensor,
    reshape_constant,
)
from .conv2d import export_clip
from .reshape import Reshape


@dataclass(frozen=True)
class Binary(Op):
    """y = combine(a, b), limited to `clip`. Imported nodes have operands of one rank, so that axes can be renamed."""

    clip: Clip = NO_CLIP

    scales = ScaleRule.FREE
    constants_move = True

    @abstractmethod
    def combine(self, a: Array, b: Array) -> Array:
        """The operation on real numbers or, where it is one of centred integers too, on those."""

    def infer(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (np.broadcast_shapes(*shapes),)

    def reference(self, *args: Array) -> Arrays:
        y = self.combine(*args)
        return (y if np.issubdtype(y.dtype, np.integer) else np.clip(y, self.clip.low, self.clip.high),)

    def moved(self, perm: Perm) -> Moved:
        return Moved(self, perm)

    def band(self, node: Node, rows: range) -> Band | None:
        """An operand with one row goes with every row of the other."""
        height = node.output.shape[1]
        varies = [len(t.shape) > 1 and t.shape[1] == height and height > 1 for t in node.inputs]
        if any(v and t.const is not None for v, t in zip(varies, node.inputs, strict=True)):
            return None
        return Band(self, tuple(rows if v else None for v in varies))

    @classmethod
    def from_onnx(cls, node: OnnxNode, build: Builder) -> None:
        """Operators with more than two operands become a chain."""
        operands = [build.input(node, i) for i in range(len(node.inputs))]
        rank = max(len(t.shape) for t in operands)
        operands = [with_rank(build, t, rank) for t in operands]
        build.result(node, reduce(lambda a, b: build.emit(cls(), a, b, name=node.name), operands))

    def to_onnx(self, node: Node, export: Exporter) -> None:
        (y,) = export.node(self.onnx[0], [export.value(t) for t in node.inputs])
        export.result(node, export_clip(export, y, self.clip))


def with_rank(build: Builder, tensor: Tensor, rank: int) -> Tensor:
    """The tensor with axes of size 1 in front."""
    shape = (1,) * (rank - len(tensor.shape)) + tensor.shape
    if shape == tensor.shape:
        return tensor
    if tensor.const is not None:
        return build.constant(tensor.name, reshape_constant(tensor, shape))
    return build.emit(Reshape(shape), tensor)
