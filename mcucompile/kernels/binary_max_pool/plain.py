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
    "cortex-m0": (6.5, 3.0, 6.0, 7.0),
    "cortex-m3": (5.5, 3.0, 5.5, 6.5),
    "cortex-m4": (5.0, 3.0, 5.5, 6.5),
    "cortex-m7": (4.0, 3.0, 4.0, 4.0),
    "cortex-m33": (4.5, 3.0, 5.0, 5.0),
    "cortex-m55": (4.5, 3.0, 5.0, 4.5),
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

    def code_nbytes(self, node: Node) -> int:
        return 200 if any(pool_walk(node).overhangs) else 90

    def counts(self, node: Node) -> tuple[float, ...]:
        return pool_counts(node)
