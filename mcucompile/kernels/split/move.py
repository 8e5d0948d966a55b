"""One tensor cut into several."""

from __future__ import annotations

from itertools import accumulate

from ...ir import Node
from ...ops.split import Split
from ..moves import Move, Statements, nest, strides_of


class MoveSplit(Move):
    op = Split

    def statements(self, node: Node) -> tuple[Statements, ...]:
        op, strides = node.op, strides_of(node.inputs[0].shape)
        assert isinstance(op, Split)
        starts = accumulate(op.sizes, initial=0)
        return tuple(
            nest(y.shape, strides, start * strides[op.axis]) for y, start in zip(node.outputs, starts, strict=False)
        )
