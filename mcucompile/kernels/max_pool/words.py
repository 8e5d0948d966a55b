"""Maximum of int8 over a window, four channels a load."""

from __future__ import annotations

from ...ir import DType, Node
from ...target.cores import Isa
from ..counted import Costs
from ..kernel import all_of
from ..pooling import group_counts, pool_walk
from .plain import Plain

COSTS: Costs = {  # per tap and result of four, per tap and result of one, per pixel
    "cortex-m4": (10.3, 5.09, 0.0, 14.6, 89.9),
    "cortex-m7": (6.59, 0.0, 0.0, 9.82, 83.5),
    "cortex-m33": (8.93, 4.57, 0.0, 13.9, 76.6),
    "cortex-m55": (7.76, 0.0, 0.0, 9.28, 93.8),
}


class Words(Plain):
    variant = "words"
    isa = Isa.DSP
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return super().fits(node) and all_of(node, DType.I8) and pool_walk(node).channels >= 4

    def counts(self, node: Node) -> tuple[float, ...]:
        return group_counts(pool_walk(node), 4)
