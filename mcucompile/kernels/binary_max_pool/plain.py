"""Max pooling of packed signs, on any core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.binary_max_pool import BinaryMaxPool
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..pooling import PoolWalk, pool_counts, pool_trace, pool_walk
from ..trace import Trace

COSTS: Costs = {  # per tap, row of taps, output, row with borders
    "cortex-m0": (9.0, 12.0, 20.0, 10.0),
    "cortex-m3": (7.0, 10.0, 16.0, 8.0),
    "cortex-m4": (7.0, 10.0, 16.0, 8.0),
    "cortex-m7": (4.0, 6.0, 10.0, 5.0),
    "cortex-m33": (7.0, 10.0, 16.0, 8.0),
    "cortex-m55": (5.0, 8.0, 12.0, 6.0),
}


@dataclass(frozen=True)
class BinaryMaxPoolParams:
    walk: PoolWalk


class Plain(Counted):
    op = BinaryMaxPool
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype is DType.U32

    def params(self, node: Node) -> BinaryMaxPoolParams:
        return BinaryMaxPoolParams(pool_walk(node))

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def counts(self, node: Node) -> tuple[float, ...]:
        return pool_counts(node)
