"""Sums and differences of int8, sixteen or four at a time."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Isa
from ..binary.broadcast import operands
from .narrow import Narrow


class Vectors(Narrow):
    variant = "vectors"
    isa = Isa.MVE
    costs = {"cortex-m55": (52.0, 20.0, 40.0)}  # per sixteen elements, four, line

    def code_nbytes(self, node: Node) -> int:
        return 350

    def counts(self, node: Node) -> tuple[float, ...]:
        inner = operands(node).inner
        lines = node.output.size / inner.count
        sixteen = inner.count // 16 if inner.a and inner.b else 0
        return lines * sixteen, lines * -(-(inner.count - 16 * sixteen) // 4), lines
