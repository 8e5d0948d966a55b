"""Sums and differences of int8, four values a load."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Core, Isa
from ..binary.broadcast import operands
from .narrow import Narrow


class Words(Narrow):
    variant = "words"
    isa = Isa.MAINLINE

    def fits(self, node: Node) -> bool:
        return super().fits(node) and operands(node).inner.count >= 4

    def cycles(self, node: Node, core: Core) -> float:
        return (10.8 if core.isa is Isa.MAINLINE else 8.0) * node.output.size
