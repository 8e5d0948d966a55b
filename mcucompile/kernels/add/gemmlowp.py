"""Sums and differences of integers on two scales as TensorFlow Lite rounds them."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.linear_sum import GemmlowpSum, ScaledSum
from ..binary.broadcast import Operands, operands
from ..binary.elementwise import Elementwise, is_integer
from ..counted import Costs
from ..limits import Limits, limits

COSTS: Costs = {  # per element
    "cortex-m0": (161.0,),
    "cortex-m3": (45.2,),
    "cortex-m4": (36.2,),
    "cortex-m7": (22.3,),
    "cortex-m33": (37.5,),
    "cortex-m55": (40.2,),
}


@dataclass(frozen=True)
class GemmlowpParams:
    operands: Operands
    fixed: GemmlowpSum
    limits: Limits


class Gemmlowp(Elementwise):
    op = ScaledSum
    variant = "gemmlowp"
    costs = COSTS

    @property
    def template(self) -> str:
        return "kernels/add/gemmlowp.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        assert isinstance(node.op, ScaledSum)
        return is_integer(node) and isinstance(node.op.fixed, GemmlowpSum)

    def params(self, node: Node) -> GemmlowpParams:
        assert isinstance(node.op, ScaledSum)
        assert isinstance(node.op.fixed, GemmlowpSum)
        return GemmlowpParams(operands(node), node.op.fixed, limits(node))
