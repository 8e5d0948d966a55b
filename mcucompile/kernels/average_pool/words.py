"""Mean of int8 over a window, four channels a load."""

from __future__ import annotations

from ...target.cores import Isa
from ..counted import Costs
from ..pooling import PoolWalk, group_counts
from ..scaling import Scaling
from .sums import Sums

COSTS: Costs = {  # per tap and result of four, per tap and result of one, pixel, division
    "cortex-m4": (8.92, 11.5, 1.93, 0.0, 44.9, 5.75),
    "cortex-m7": (4.81, 19.5, 2.31, 0.0, 17.5, 4.74),
    "cortex-m33": (8.16, 15.4, 0.839, 0.0, 52.1, 4.74),
    "cortex-m55": (3.62, 42.7, 4.48, 0.0, 0.0, 4.33),
}


class Words(Sums):
    variant = "words"
    isa = Isa.DSP
    costs = COSTS
    most_taps = 256  # as many int8 as 16 bits can sum
    least_channels = 4

    def walk_counts(self, walk: PoolWalk) -> tuple[float, ...]:
        return group_counts(walk, 4)

    def scales_together(self, scaling: Scaling | None) -> bool:
        return scaling is not None
