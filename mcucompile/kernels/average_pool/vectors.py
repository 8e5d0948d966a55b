"""Mean of int8 over a window, four channels at a time."""

from __future__ import annotations

from ...target.cores import Isa
from ..counted import Costs
from ..pooling import PoolWalk, vector_counts
from ..scaling import Scaling
from .sums import Sums

COSTS: Costs = {  # per tap, vector, pixel, result that is scaled alone
    "cortex-m55": (3.29, 5.99, 57.7, 14.2),
}


class Vectors(Sums):
    variant = "vectors"
    isa = Isa.MVE
    costs = COSTS

    def walk_counts(self, walk: PoolWalk) -> tuple[float, ...]:
        return vector_counts(walk, 4)

    def scales_together(self, scaling: Scaling | None) -> bool:
        return scaling is not None and scaling.high_word
