"""Maximum over a window, for every type and core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.max_pool import MaxPool
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..kernel import all_of
from ..limits import Number, bounds
from ..pooling import PoolWalk, has_inside_taps, pool_counts, pool_trace, pool_walk
from ..trace import Trace

COSTS: Costs = {  # per tap, row of taps, output, row with borders
    "cortex-m0": (13.6, 9.94, 2.06, 7.17),
    "cortex-m3": (9.02, 0.904, 0.501, 6.35),
    "cortex-m4": (9.31, 0.0, 0.628, 6.53),
    "cortex-m7": (5.59, 1.95, 2.94, 7.82),
    "cortex-m33": (7.89, 0.0, 1.35, 4.51),
    "cortex-m55": (5.27, 3.41, 4.18, 8.99),
}


@dataclass(frozen=True)
class MaxPoolParams:
    walk: PoolWalk
    type: str
    low: Number | None
    high: Number | None


class Plain(Counted):
    op = MaxPool
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return all_of(node, node.output.dtype) and has_inside_taps(node)

    def params(self, node: Node) -> MaxPoolParams:
        return MaxPoolParams(pool_walk(node), node.output.dtype.c, *bounds(node))

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return pool_counts(node)
