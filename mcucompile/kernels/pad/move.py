"""A border of one value around a tensor."""

from __future__ import annotations

from math import prod

from ...ir import Node
from ...ops.pad import Pad
from ..moves import Copy, Fill, Loop, Move, Statements


class MovePad(Move):
    op = Pad

    def statements(self, node: Node) -> tuple[Statements, ...]:
        return (padded(node, 0),)


def padded(node: Node, axis: int) -> Statements:
    """What writes the output from `axis` on."""
    op, x, y = node.op, node.inputs[0], node.output
    assert isinstance(op, Pad)
    if not any((*op.begins[axis:], *op.ends[axis:])):
        return (Copy(0, 0, prod(x.shape[axis:])),)
    value = op.value if op.stored is None else op.stored
    entry = prod(y.shape[axis + 1 :])
    before, after = (Fill(value, n * entry) for n in (op.begins[axis], op.ends[axis]))
    inside = padded(node, axis + 1)
    if x.shape[axis] > 1:
        alone = isinstance(inside[0], Copy) and len(inside) == 1
        whole = Copy(0, 0, prod(x.shape[axis:]))
        inside = (whole,) if alone else (Loop(x.shape[axis], (prod(x.shape[axis + 1 :]),), inside),)
    return tuple(s for s in (before, *inside, after) if not (isinstance(s, Fill) and s.run == 0))
