"""Mean of int8 over a window, four channels at a time."""

from __future__ import annotations

from typing import ClassVar

from ...ir import Node, Op
from ...ops.average_pool import AveragePool
from ...target.cores import Core, Isa
from ..kernel import Kernel
from ..pooling import pool_trace
from ..trace import Trace
from .sums import SumParams, sum_cycles, sum_params, walk_of


class Vectors(Kernel):
    op: ClassVar[type[Op]] = AveragePool
    variant = "vectors"
    isa = Isa.MVE

    @property
    def template(self) -> str:
        return "kernels/average_pool/vectors.mve.c.j2"

    def fits(self, node: Node) -> bool:
        return walk_of(node) is not None

    def params(self, node: Node) -> SumParams:
        return sum_params(node)

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def cycles(self, node: Node, core: Core) -> float:
        return sum_cycles(node, 1.2)
