"""Stored integers to real values."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.dequantize import Dequantize
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..sweeps import elementwise
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (239.0,),
    "cortex-m3": (77.7,),
    "cortex-m4": (12.0,),
    "cortex-m7": (11.0,),
    "cortex-m33": (11.0,),
    "cortex-m55": (9.04,),
}


@dataclass(frozen=True)
class DequantizeParams:
    size: int
    x_type: str
    scale: float
    zero: int


class Plain(Counted):
    op = Dequantize
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.output.dtype is DType.F32 and node.inputs[0].dtype in (DType.I8, DType.U8, DType.I16)

    def params(self, node: Node) -> DequantizeParams:
        quant = node.inputs[0].quant
        assert quant
        return DequantizeParams(node.output.size, quant.dtype.c, quant.scale, quant.zero)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, node.inputs[0].dtype.nbytes, 4)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
