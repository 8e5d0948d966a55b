"""Softmax of integers: exponentials from a table, one division per row."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.fixed_point import zero_of
from ...ops.softmax import Reciprocal, Softmax
from ...target.cores import Core, Isa
from ..kernel import Packed
from ..limits import Limits, limits
from .rows import RowKernel, Rows, exp_constants, rows


@dataclass(frozen=True)
class TableParams:
    rows: Rows
    scaling: Reciprocal
    zero: int
    limits: Limits


class Table(RowKernel):
    op = Softmax
    variant = "table"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, Softmax)
        return isinstance(node.op.scaling, Reciprocal)

    def params(self, node: Node) -> TableParams:
        assert isinstance(node.op, Softmax)
        assert isinstance(node.op.scaling, Reciprocal)
        return TableParams(rows(node), node.op.scaling, zero_of(node.output), limits(node))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return exp_constants(node)

    def cycles(self, node: Node, core: Core) -> float:
        return 40.0 * node.output.size + 300.0 * rows(node).count
