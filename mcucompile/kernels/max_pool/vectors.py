"""Maximum of int8 over a window, sixteen channels at a time."""

from __future__ import annotations

from ...ir import DType, Node
from ...target.cores import Isa
from ..counted import Costs
from ..kernel import all_of
from ..pooling import pool_walk, vector_counts
from .plain import Plain

COSTS: Costs = {  # per tap, vector, pixel, tap with borders
    "cortex-m55": (4.69, 14.4, 0.0, 4.84),
}


class Vectors(Plain):
    variant = "vectors"
    isa = Isa.MVE
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return super().fits(node) and all_of(node, DType.I8)

    def counts(self, node: Node) -> tuple[float, ...]:
        walk = pool_walk(node)
        taps, vectors, pixels = vector_counts(walk, 16)
        return taps, vectors, pixels, taps if any(walk.overhangs) else 0.0
