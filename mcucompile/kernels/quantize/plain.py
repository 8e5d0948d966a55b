"""Real values to stored integers."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.quantize import Quantize
from ...target.cores import Isa
from ..counted import Costs, Counted
from ..sweeps import elementwise
from ..trace import Trace

COSTS: Costs = {  # per element
    "cortex-m0": (687.0,),
    "cortex-m3": (276.0,),
    "cortex-m4": (29.1,),
    "cortex-m7": (32.4,),
    "cortex-m33": (31.1,),
    "cortex-m55": (30.1,),
}


@dataclass(frozen=True)
class QuantizeParams:
    """`low` and `high` limit round(x / scale), before the zero is added; `rounding` is the function that rounds."""

    size: int
    y_type: str
    scale: float
    zero: int
    low: int
    high: int
    rounding: str


class Plain(Counted):
    op = Quantize
    variant = "plain"
    isa = Isa.SCALAR
    costs = COSTS

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype is DType.F32 and node.output.dtype in (DType.I8, DType.U8, DType.I16)

    def params(self, node: Node) -> QuantizeParams:
        quant, op = node.output.quant, node.op
        assert quant
        assert isinstance(op, Quantize)
        rounding = "mcu_round_away" if op.ties_away else "mcu_round_even"
        low, high = quant.dtype.low - quant.zero, quant.dtype.high - quant.zero
        return QuantizeParams(node.output.size, quant.dtype.c, quant.scale, quant.zero, low, high, rounding)

    def trace(self, node: Node) -> Trace:
        return elementwise(node.output.size, 4, node.output.dtype.nbytes)

    def counts(self, node: Node) -> tuple[float, ...]:
        return (node.output.size,)
