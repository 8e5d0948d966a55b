"""Mean of int8 over a window, four channels a load."""

from __future__ import annotations

from typing import ClassVar

from ...ir import Node, Op
from ...ops.average_pool import AveragePool
from ...target.cores import Core, Isa
from ..kernel import Kernel
from ..pooling import pool_trace
from ..trace import Trace
from .sums import SumParams, fits_halfwords, sum_cycles, sum_params


class Words(Kernel):
    op: ClassVar[type[Op]] = AveragePool
    variant = "words"
    isa = Isa.DSP

    @property
    def template(self) -> str:
        return "kernels/average_pool/words.dsp.c.j2"

    def fits(self, node: Node) -> bool:
        return fits_halfwords(node)

    def params(self, node: Node) -> SumParams:
        return sum_params(node)

    def trace(self, node: Node) -> Trace:
        return pool_trace(node)

    def cycles(self, node: Node, core: Core) -> float:
        return sum_cycles(node, 1.7)
