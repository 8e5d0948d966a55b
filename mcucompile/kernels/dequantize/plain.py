"""Stored integers to real values."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.dequantize import Dequantize
from ...target.cores import Core, Isa
from ..kernel import Kernel
from ..sweeps import elementwise
from ..trace import Trace


@dataclass(frozen=True)
class DequantizeParams:
    size: int
    x_type: str
    scale: float
    zero: int


class Plain(Kernel):
    op = Dequantize
    variant = "plain"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return node.output.dtype is DType.F32 and node.inputs[0].dtype in (DType.I8, DType.U8, DType.I16)

    def params(self, node: Node) -> DequantizeParams:
        quant = node.inputs[0].quant
        assert quant
        return DequantizeParams(node.output.size, quant.dtype.c, quant.scale, quant.zero)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, node.inputs[0].dtype.nbytes, 4)

    def cycles(self, node: Node, core: Core) -> float:
        return (12.0 if core.has_fpu else 150.0) * node.output.size
