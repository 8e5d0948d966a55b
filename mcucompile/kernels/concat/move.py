"""Several tensors one after the other; some may be constant."""

from __future__ import annotations

from math import prod

from ...ir import Node
from ...ops.concat import Concat
from ..moves import Copy, Loop, Move, Statements


class MoveConcat(Move):
    op = Concat

    def statements(self, node: Node) -> tuple[Statements, ...]:
        assert isinstance(node.op, Concat)
        axis = node.op.axis
        sizes = tuple(prod(t.shape[axis:]) for t in node.inputs)
        body = tuple(Copy(i, 0, size) for i, size in enumerate(sizes))
        outer = prod(node.output.shape[:axis])
        return ((Loop(outer, sizes, body),) if outer > 1 else body,)
