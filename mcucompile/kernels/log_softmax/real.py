"""The logarithm of the softmax of real numbers."""

from __future__ import annotations

from ...ir import DType, Node
from ...ops.log_softmax import LogSoftmax
from ...target.cores import Core, Isa
from ..kernel import all_of
from ..softmax.rows import RowKernel, Rows, rows


class Real(RowKernel):
    op = LogSoftmax
    variant = "real"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return all_of(node, DType.F32)

    def params(self, node: Node) -> Rows:
        return rows(node)

    def cycles(self, node: Node, core: Core) -> float:
        return (100.0 if core.has_fpu else 2500.0) * node.output.size
