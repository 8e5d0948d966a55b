"""The larger or the smaller of two integers on one scale."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.max import Max
from ...ops.min import Min
from ..binary.broadcast import Operands, operands
from ..binary.elementwise import Elementwise, is_integer
from ..counted import Costs
from ..limits import Number, bounds

COSTS: Costs = {  # per element
    "cortex-m0": (14.6,),
    "cortex-m3": (11.0,),
    "cortex-m4": (10.0,),
    "cortex-m7": (5.04,),
    "cortex-m33": (9.02,),
    "cortex-m55": (6.04,),
}


@dataclass(frozen=True)
class ChoiceParams:
    """y = u where u `sign` v, else v."""

    operands: Operands
    sign: str
    low: Number | None
    high: Number | None


class Choice(Elementwise):
    """Base of both."""

    costs = COSTS

    @property
    def template(self) -> str:
        return "kernels/max/plain.scalar.c.j2"

    def fits(self, node: Node) -> bool:
        return is_integer(node)

    def params(self, node: Node) -> ChoiceParams:
        return ChoiceParams(operands(node), ">" if isinstance(node.op, Max) else "<", *bounds(node))


class PlainMax(Choice):
    op = Max
    variant = "plain"


class PlainMin(Choice):
    op = Min
    variant = "plain"
