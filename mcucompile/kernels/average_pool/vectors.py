"""Mean of int8 over a window, four channels at a time."""

from __future__ import annotations

from ...target.cores import Isa
from ..counted import Costs
from ..pooling import PoolWalk, vector_counts
from .sums import Sums

COSTS: Costs = {  # per tap, vector, pixel
    "cortex-m4": (12.0, 12.0, 12.0),
}


class Vectors(Sums):
    variant = "vectors"
    isa = Isa.MVE
    costs = COSTS

    def walk_counts(self, walk: PoolWalk) -> tuple[float, ...]:
        return vector_counts(walk, 4)
