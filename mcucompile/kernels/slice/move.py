"""A regular part of a tensor."""

from __future__ import annotations

from ...ir import Node
from ...ops.slice import Slice
from ..moves import Move, Statements, nest, strides_of


class MoveSlice(Move):
    op = Slice

    def statements(self, node: Node) -> tuple[Statements, ...]:
        op, strides = node.op, strides_of(node.inputs[0].shape)
        assert isinstance(op, Slice)
        offset = sum(start * stride for start, stride in zip(op.starts, strides, strict=True))
        return (nest(op.sizes, [step * stride for step, stride in zip(op.steps, strides, strict=True)], offset),)
