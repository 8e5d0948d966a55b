"""Sums and differences of int8, sixteen or four at a time."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Core, Isa
from ..binary.broadcast import operands
from .narrow import Narrow


class Vectors(Narrow):
    variant = "vectors"
    isa = Isa.MVE

    def code_nbytes(self, node: Node) -> int:
        return 350

    def cycles(self, node: Node, core: Core) -> float:
        inner = operands(node).inner
        sixteen = inner.count // 16 if inner.a and inner.b else 0
        rest = -(-(inner.count - 16 * sixteen) // 4)
        return node.output.size / inner.count * (52 * sixteen + 20 * rest + 40)
