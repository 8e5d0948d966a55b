"""Softmax of integers: exponentials from a table, one division per row."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.fixed_point import zero_of
from ...ops.softmax import Reciprocal, Softmax
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import Packed
from ..limits import Limits, limits
from .rows import RowKernel, Rows, exp_constants, rows

COSTS: Costs = {  # per element and row
    "cortex-m0": (118.0, 707.0),
    "cortex-m3": (38.9, 93.3),
    "cortex-m4": (33.8, 95.5),
    "cortex-m7": (21.6, 60.8),
    "cortex-m33": (28.8, 90.9),
    "cortex-m55": (22.1, 89.8),
}


@dataclass(frozen=True)
class TableParams:
    rows: Rows
    scaling: Reciprocal
    zero: int
    limits: Limits


class Table(Counted, RowKernel):
    op = Softmax
    variant = "table"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, Softmax)
        return isinstance(node.op.scaling, Reciprocal)

    def params(self, node: Node) -> TableParams:
        assert isinstance(node.op, Softmax)
        assert isinstance(node.op.scaling, Reciprocal)
        return TableParams(rows(node), node.op.scaling, zero_of(node.output), limits(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return exp_constants(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return node.output.size, rows(node).count
