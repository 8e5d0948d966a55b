"""Sums and differences of int8, four values a load."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Isa
from ..binary.broadcast import operands
from ..counted import Costs
from .narrow import Narrow

COSTS: Costs = {  # per element
    "cortex-m3": (10.8,),
    "cortex-m4": (8.7,),
    "cortex-m7": (6.8,),
    "cortex-m33": (8.3,),
    "cortex-m55": (8.0,),
}


class Words(Narrow):
    variant = "words"
    isa = Isa.MAINLINE
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return super().fits(node) and operands(node).inner.count >= 4

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
