"""Maximum over a window, for every type and core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node
from ...ops.max_pool import MaxPool
from ...target.cores import Core, Isa
from ..kernel import Kernel, all_of
from ..limits import Number, bounds
from ..pooling import PoolWalk, has_inside_taps, pool_trace, pool_walk
from ..trace import Trace


@dataclass(frozen=True)
class MaxPoolParams:
    walk: PoolWalk
    type: str
    low: Number | None
    high: Number | None


class Plain(Kernel):
    op = MaxPool
    variant = "plain"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return all_of(node, node.output.dtype) and has_inside_taps(node)

    def params(self, node: Node) -> MaxPoolParams:
        return MaxPoolParams(pool_walk(node), node.output.dtype.c, *bounds(node))

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def cycles(self, node: Node, core: Core) -> float:
        return (8.0 * pool_walk(node).window.taps + 20) * node.output.size
