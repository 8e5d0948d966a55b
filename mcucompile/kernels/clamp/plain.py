"""Limits, for every type and core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.clamp import Clamp
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import all_of
from ..limits import Number, bounds
from ..sweeps import elementwise
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (15.0,),
    "cortex-m3": (8.22,),
    "cortex-m4": (8.22,),
    "cortex-m7": (5.03,),
    "cortex-m33": (8.02,),
    "cortex-m55": (5.04,),
}


@dataclass(frozen=True)
class ClampParams:
    """A bound that no value can exceed is None."""

    size: int
    type: str
    low: Number | None
    high: Number | None


class Plain(Counted):
    op = Clamp
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return all_of(node, node.output.dtype)

    def params(self, node: Node) -> ClampParams:
        return ClampParams(node.output.size, node.output.dtype.c, *bounds(node))

    def trace(self, node: Node) -> Trace:
        nbytes = node.output.dtype.nbytes
        return elementwise(node.output.size, nbytes, nbytes)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
