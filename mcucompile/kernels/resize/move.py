"""Enlargement by repeating pixels."""

from __future__ import annotations

from ...ir import Node
from ...ops.resize import Resize
from ..moves import Move, Statements, nest


class MoveResize(Move):
    op = Resize

    def statements(self, node: Node) -> tuple[Statements, ...]:
        assert isinstance(node.op, Resize)
        (n, height, width, channels), (rows, columns) = node.inputs[0].shape, node.op.factors
        sizes = (n * height, rows, width, columns, channels)
        return (nest(sizes, (width * channels, 0, channels, 0, 1)),)
