"""Sums and differences of int8 with multiplications of words by halves of words: two values are unpacked at a time."""

from __future__ import annotations

from ...ir import Node
from ...target.cores import Isa
from ..counted import Costs
from .words import Words

COSTS: Costs = {  # per element
    "cortex-m4": (6.2,), "cortex-m33": (7.1,), "cortex-m7": (4.4,),
}  # fmt: skip
MOST_MULTIPLIER = 1 << 23  # 256 times that is a word


class Halves(Words):
    variant = "halves"
    isa = Isa.DSP
    costs = COSTS

    def code_nbytes(self, node: Node) -> int:
        return 480

    def fits(self, node: Node) -> bool:
        return super().fits(node) and all(abs(m) < MOST_MULTIPLIER for m in self.params(node).fixed.multipliers)
