"""Mean of int8 over a window, four channels a load."""

from __future__ import annotations

from ...target.cores import Isa
from ..counted import Costs
from ..pooling import PoolWalk, group_counts
from .sums import Sums

COSTS: Costs = {  # per tap and result of four, per tap and result of one, per pixel
    "cortex-m4": (8.8, 16.6, 2.7, 0.0, 36.9),
}


class Words(Sums):
    variant = "words"
    isa = Isa.DSP
    costs = COSTS
    most_taps = 256  # as many int8 as 16 bits can sum
    least_channels = 4

    def walk_counts(self, walk: PoolWalk) -> tuple[float, ...]:
        return group_counts(walk, 4)
