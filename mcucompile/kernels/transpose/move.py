"""Axes in another order."""

from __future__ import annotations

from ...ir import Node
from ...ops.transpose import Transpose
from ..moves import Move, Statements, nest, strides_of


class MoveTranspose(Move):
    op = Transpose

    def statements(self, node: Node) -> tuple[Statements, ...]:
        assert isinstance(node.op, Transpose)
        strides = strides_of(node.inputs[0].shape)
        return (nest(node.output.shape, [strides[axis] for axis in node.op.perm]),)
